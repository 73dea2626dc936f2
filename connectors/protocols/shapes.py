"""Shapes: what a schema says about one element, and about an operation's messages.

Plain data: read by `schema`, used by whoever decodes, encodes or drafts. A shape never decides
whether a value is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

Name = tuple[str, str]  # namespace and local name


@dataclass(frozen=True, slots=True)
class Shape:
    """One element as its schema declares it.

    Attributes:
        name: Local name.
        space: Namespace in which the element travels; empty for none.
        repeats: It may occur several times.
        nillable: `xsi:nil` is allowed.
        type_name: Local name of its type; empty when anonymous.
        type_space: Namespace of its type.
        array_of: Type of the items when it is an array of SOAP encoding.
        binary: `base64` or `hex` when its text is one of them, else empty.
        children: In the schema's order.
        ordered: The children's order is the schema's (a sequence); else any order is right.
        is_open: Elements that are not named here are allowed (`any`, or an unknown type).
        attributes: Local names.
        alternatives: Local names that may stand for it (substitution groups).
        label: First line of its documentation.
    """

    name: str
    repeats: bool = False
    nillable: bool = False
    type_name: str = ""
    type_space: str = ""
    array_of: Name | None = None
    binary: str = ""
    children: tuple[Shape, ...] = ()
    ordered: bool = True
    is_open: bool = False
    attributes: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    label: str = ""
    space: str = ""

    def child(self, name: str) -> Shape | None:
        """Give the child of that local name."""
        return next((c for c in self.children if c.name == name or name in c.alternatives), None)

    def at(self, path: str) -> Shape | None:
        """Follow a dotted path; `*` is the only child."""
        here: Shape | None = self
        for name in path.split(".") if path else ():
            if here is None:
                return None
            only = here.children[0] if name == "*" and here.children else None
            here = only or here.child(name)
        return here


@dataclass(slots=True)
class Content:
    """What a type holds, while it is collected."""

    children: list[Shape] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    ordered: bool = True
    is_open: bool = False
    binary: str = ""
    array_of: Name | None = None

    def add(self, shape: Shape) -> None:
        """Add a child; the same name in two branches of a choice is one child."""
        for at, known in enumerate(self.children):
            if known.name == shape.name:
                self.children[at] = replace(known, repeats=True)
                self.ordered = False
                return
        self.children.append(shape)


@dataclass(frozen=True, slots=True)
class Spoken:
    """How an operation's messages travel.

    Attributes:
        answer: Shape of the first element of the answer's Body.
        request: Shape of the first element of the request's Body.
        style: `document` or `rpc`.
        encoded: Values are written by the rules of SOAP encoding.
        namespace: Of the rpc wrapper.
        action: SOAPAction of the request.
        parts: Parts of the request's and of the answer's Body.
    """

    answer: Shape
    request: Shape
    style: str
    encoded: bool
    namespace: str
    action: str = ""
    parts: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def is_one_value(self) -> bool:
        """Whether the request is one element with a text, which no parameter name stands for."""
        request = self.request
        bare = bool(request.type_name) and not (request.children or request.attributes)
        return self.style == "document" and bare and not request.is_open


def make_shape(name: str, kind: Name, content: Content) -> Shape:
    """Make the shape of an element from its type's content."""
    return Shape(
        name=name,
        type_name=kind[1],
        type_space=kind[0],
        array_of=content.array_of,
        binary="" if content.children else content.binary,
        children=tuple(content.children),
        ordered=content.ordered,
        is_open=content.is_open,
        attributes=tuple(content.attributes),
    )
