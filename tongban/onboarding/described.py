"""Described: an interface as its own description tells it, whatever language that is written in.

WSDL, OpenAPI and sample answers all become these trees; drafting knows nothing else. Names, labels
and types are the department's; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

NodeType = Literal["string", "integer", "decimal", "date", "datetime", "boolean", "object"]
MOST_FIELDS = 400  # of one record; what has more is no record that anybody wants whole


@dataclass(frozen=True, slots=True)
class Node:
    """One element or property.

    Attributes:
        label: What the description says it means; "" when it says nothing.
        repeated: It may stand there more than once.
        values: The only values that are allowed, where they are listed.
        samples: Values that the description shows.
        is_open: It has no declared content: anything may be inside.
        is_choice: It is one alternative of several.
        namespace: Of an XML element; "" for none.
    """

    name: str
    type: NodeType = "string"
    label: str = ""
    required: bool = False
    repeated: bool = False
    max_length: int | None = None
    pattern: str | None = None
    scale: int | None = None
    values: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()
    is_open: bool = False
    is_choice: bool = False
    namespace: str = ""

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Values below this node with their dotted paths; lists inside are not entered."""
        for child in self.children:
            path = f"{prefix}{child.name}"
            if child.type == "object":
                if not child.repeated:
                    yield from child.leaves(f"{path}.")
            elif not child.repeated:
                yield path, child

    def lists(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Repeated objects below this node, outermost first; those inside others are not given."""
        for child in self.children:
            path = f"{prefix}{child.name}"
            if child.repeated and child.type == "object":
                yield path, child
            elif child.type == "object":
                yield from child.lists(f"{path}.")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call that the interface offers.

    Attributes:
        inputs: Parameters, or the parts of the message.
        output: Root of the answer that record paths are relative to; None when undescribed.
        method: HTTP method; POST for SOAP.
        path: Path of the call; "" for SOAP.
        place: Where inputs travel: query, body, form or message.
        headers: Headers that a call may carry, beside those of HTTP and of identity.
        answer_headers: Headers that the answer is said to have, in small letters.
        element: Name of the element that a SOAP request begins with.
    """

    name: str
    label: str = ""
    inputs: tuple[Node, ...] = ()
    output: Node | None = None
    method: str = "POST"
    path: str = ""
    place: Literal["query", "body", "form", "message"] = "message"
    element: str = ""
    headers: tuple[Node, ...] = ()
    answer_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """A whole interface.

    Attributes:
        path: Path below the base URL.
        base_url: Where the description says that the service is; only shown, never used.
        auth: Declared identity in the words of a system's YAML, and where it came from.
        files: Files to pin: name → bytes; the first is the main one.
        locations: Where an import leads (a whole address, or a path beside the main file) → the
            name of the file that is pinned for it, where they differ.
        notes: What a person must know or do.
    """

    protocol: Literal["soap", "rest"]
    title: str
    operations: tuple[Operation, ...]
    files: dict[str, bytes] = field(repr=False)
    path: str = ""
    base_url: str = ""
    soap_version: str = "1.1"
    service: str | None = None
    port: str | None = None
    auth: tuple[dict[str, Any], ...] = ()
    locations: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
