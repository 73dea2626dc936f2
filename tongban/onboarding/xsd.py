"""XSD: the elements of schemas as trees of names, labels, types and limits.

Reads the parts that describe data: elements, references, groups, extensions, choices, attributes,
facets, SOAP arrays. Whatever it cannot follow becomes an open node, never an error: a draft from
an odd schema is better than none. Types that contain themselves end at their second appearance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from lxml import etree

from tongban.onboarding.described import Node, NodeType

XS: Final = "http://www.w3.org/2001/XMLSchema"
_XS = f"{{{XS}}}"
_ARRAY_TYPE = "{http://schemas.xmlsoap.org/wsdl/}arrayType"
MOST_DEPTH = 14
MOST_NODES = 4000  # of one message; what has more is no record that anybody wants whole
ALL_NODES = 150_000  # of all messages; past them each still gets the first few
FEW_NODES = 300
_INTEGERS = (
    "integer int long short byte nonNegativeInteger positiveInteger nonPositiveInteger "
    "negativeInteger unsignedInt unsignedLong unsignedShort unsignedByte"
)
BUILT_IN: Final[dict[str, NodeType]] = {
    **dict.fromkeys(_INTEGERS.split(), "integer"),
    **dict.fromkeys(("decimal", "double", "float"), "decimal"),
    "boolean": "boolean",
    "date": "date",
    "dateTime": "datetime",
}
# .NET writes a DataSet as its schema, which says nothing, and a diffgram: a set of tables of rows.
_ROW: Final = Node("*", type="object", repeated=True, is_open=True)
_DATA_SET: Final = Node(
    "diffgram", type="object", children=(Node("*", type="object", children=(_ROW,)),)
)
Element = Any  # lxml elements are untyped
Facts = dict[str, Any]


class Schemas:
    """All schemas of one description; finds what they declare by qualified name."""

    def __init__(self, roots: Iterable[Element]) -> None:
        self._found: dict[tuple[str, str], Element] = {}
        self._left, self._all = MOST_NODES, ALL_NODES
        for root in roots:
            space = root.get("targetNamespace") or ""
            for child in root:
                if isinstance(child.tag, str) and child.get("name"):
                    kind = etree.QName(child).localname
                    key = "type" if kind in {"complexType", "simpleType"} else kind
                    self._found.setdefault((key, f"{{{space}}}{child.get('name')}"), child)

    def element(self, name: str) -> Node | None:
        """A global element by its qualified name."""
        found = self._found.get(("element", name))
        self._begin()
        return None if found is None else self.node(found, frozenset(), 0)

    def of_type(self, name: str, type_name: str) -> Node:
        """A node of that name and type, as parts of rpc messages are declared."""
        self._begin()
        return self._typed(Node(name=name, required=True), type_name, frozenset(), 0)

    def _begin(self) -> None:
        """Allow a message its share of nodes: types that nest in squares grow beyond measure."""
        self._left = MOST_NODES if self._all > 0 else FEW_NODES

    def node(self, element: Element, seen: frozenset[str], depth: int) -> Node:
        """One element declaration as a tree."""
        self._left -= 1
        self._all -= 1
        most = element.get("maxOccurs", "1")
        facts: Facts = {
            "name": element.get("name") or "",
            "label": label_of(element),
            "required": element.get("minOccurs", "1") != "0" and element.get("nillable") != "true",
            "repeated": most == "unbounded" or (most.isdigit() and int(most) > 1),
            "namespace": namespace_of(element),
        }
        if element.get("ref"):
            target = qualified(element, element.get("ref"))
            found = self._found.get(("element", target))
            base = Node(target.rpartition("}")[2], is_open=True)
            if found is not None and target not in seen and self._left >= 0:
                base = self.node(found, seen | {target}, depth + 1)
            return _with(
                base, **{**facts, "name": base.name, "label": facts["label"] or base.label}
            )
        node = Node(**facts)
        if element.get("type"):
            return self._typed(node, qualified(element, element.get("type")), seen, depth)
        inline = element.find(f"{_XS}complexType")
        if inline is not None and self._left >= 0:
            return self._complex(node, inline, seen, depth)
        simple = element.find(f"{_XS}simpleType")
        return node if simple is None else self._simple(node, simple, seen)

    def _typed(self, node: Node, name: str, seen: frozenset[str], depth: int) -> Node:
        space, _, local = name[1:].rpartition("}")
        if space == XS or ("soap" in space and ("type", name) not in self._found):
            return _with(node, type=BUILT_IN.get(local, "string"), is_open=local == "anyType")
        found = self._found.get(("type", name))
        if found is None or name in seen or depth > MOST_DEPTH or self._left < 0:
            return _with(node, type="object", is_open=True)
        if etree.QName(found).localname == "simpleType":
            return self._simple(node, found, seen | {name})
        return self._complex(node, found, seen | {name}, depth)

    def _complex(self, node: Node, declared: Element, seen: frozenset[str], depth: int) -> Node:
        simple = declared.find(f"{_XS}simpleContent/*")
        if simple is not None and simple.get("base"):
            return self._typed(node, qualified(simple, simple.get("base")), seen, depth)
        children = tuple(self._content(declared, seen, depth, is_choice=False))
        label = node.label or label_of(declared)
        is_open = not children or declared.find(f".//{_XS}any") is not None
        return _with(node, type="object", label=label, children=children, is_open=is_open)

    def _content(
        self, part: Element, seen: frozenset[str], depth: int, *, is_choice: bool
    ) -> Iterator[Node]:
        """The children that a complex type, group or extension declares, in order."""
        for child in part:
            if not isinstance(child.tag, str):
                continue
            kind = etree.QName(child).localname
            if kind == "element" and qualified(child, child.get("ref", "")) == f"{_XS}schema":
                yield _DATA_SET
            elif kind == "element":
                node = self.node(child, seen, depth + 1)
                yield _with(node, required=False, is_choice=True) if is_choice else node
            elif kind == "attribute":
                yield from self._attribute(child, seen)
            elif kind in {"group", "attributeGroup"} and child.get("ref"):
                found = self._found.get((kind, qualified(child, child.get("ref"))))
                if found is not None:
                    yield from self._content(found, seen, depth + 1, is_choice=is_choice)
            elif kind in {"extension", "restriction"}:
                yield from self._derived(child, seen, depth)
            elif kind in {"sequence", "all", "choice", "complexContent"}:
                inside = is_choice or kind == "choice"
                nodes = self._content(child, seen, depth, is_choice=inside)
                many = child.get("maxOccurs", "1") not in {"0", "1"}
                yield from (_with(n, repeated=True) for n in nodes) if many else nodes

    def _derived(self, child: Element, seen: frozenset[str], depth: int) -> Iterator[Node]:
        """What an extension inherits and adds; a restriction of a SOAP array is its item."""
        for attribute in child.iter(f"{_XS}attribute"):
            if attribute.get(_ARRAY_TYPE):
                item = attribute.get(_ARRAY_TYPE).partition("[")[0]
                node = Node(name="*", repeated=True)  # the items may have any name
                yield self._typed(node, qualified(attribute, item), seen, depth + 1)
                return
        base = qualified(child, child.get("base", ""))
        found = self._found.get(("type", base))
        is_extension = etree.QName(child).localname == "extension"
        if is_extension and found is not None and base not in seen:
            yield from self._content(found, seen | {base}, depth + 1, is_choice=False)
        yield from self._content(child, seen, depth, is_choice=False)

    def _attribute(self, declared: Element, seen: frozenset[str]) -> Iterator[Node]:
        if not declared.get("name"):
            return
        node = Node(
            name=f"@{declared.get('name')}",
            label=label_of(declared),
            required=declared.get("use") == "required",
        )
        kind = declared.get("type")
        yield self._typed(node, qualified(declared, kind), seen, MOST_DEPTH) if kind else node

    def _simple(self, node: Node, declared: Element, seen: frozenset[str]) -> Node:
        """A simple type's facets on top of its base."""
        restriction = declared.find(f"{_XS}restriction")
        if restriction is None:
            return node
        if restriction.get("base"):
            node = self._typed(node, qualified(restriction, restriction.get("base")), seen, 0)
        facets = {etree.QName(f).localname: f.get("value") for f in restriction if _is_tag(f)}
        values = tuple(f.get("value") for f in restriction.iter(f"{_XS}enumeration"))
        length = facets.get("maxLength") or facets.get("length")
        scale = facets.get("fractionDigits")
        return _with(
            node,
            label=node.label or label_of(declared),
            max_length=int(length) if length and length.isdigit() else node.max_length,
            scale=int(scale) if scale and scale.isdigit() else node.scale,
            pattern=facets.get("pattern") or node.pattern,
            values=values or node.values,
        )


def qualified(element: Element, name: str) -> str:
    """`{namespace}local` of a prefixed name where it stands."""
    prefix, _, local = name.rpartition(":")
    space = element.nsmap.get(prefix or None, "")
    if not space and not prefix:
        schema = next(element.iterancestors(f"{_XS}schema"), None)
        space = "" if schema is None else schema.get("targetNamespace") or ""
    return f"{{{space}}}{local}"


def namespace_of(element: Element) -> str:
    """Namespace that an element declared here travels in."""
    schema = next(element.iterancestors(f"{_XS}schema"), None)
    if schema is None:
        return ""
    form = element.get("form") or schema.get("elementFormDefault", "unqualified")
    is_global = element.getparent() is schema
    return (schema.get("targetNamespace") or "") if is_global or form == "qualified" else ""


def label_of(element: Element) -> str:
    """The first line of an element's documentation."""
    found = element.find(f"{_XS}annotation/{_XS}documentation")
    text = "" if found is None else " ".join("".join(found.itertext()).split())
    return text[:200]


def _is_tag(element: Element) -> bool:
    return isinstance(element.tag, str)


def _with(node: Node, **changes: Any) -> Node:
    return replace(node, **changes)
