"""Schema: what a WSDL's XSD says about an answer — names, order, repeats, nil, attributes, binary.

Reads the pinned files only, without zeep, so that decoding costs no import of it. What XSD leaves
open (`any`, unknown types) is open here too: a shape guides the reader and judges drift, it never
decides whether a value is read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urljoin

from lxml import etree

from connectors.protocols.bindings import (
    SOAP_BINDINGS,
    WSDL,
    XSD,
    Node,
    is_qualified,
    label,
    local,
    qname,
    read_binding,
    repeats,
    soap_child,
    soap_namespace,
)
from connectors.protocols.pinned import Library, safe_parser
from connectors.protocols.shapes import Content, Name, Shape, Spoken, make_shape
from tongban.kernel.errors import InterfaceChanged
from tongban.kernel.interfaces import (
    Soap,
)

_ARRAYS = {
    ("http://schemas.xmlsoap.org/soap/encoding/", "Array"),
    ("http://www.w3.org/2003/05/soap-encoding", "Array"),
}
_BINARY = {"base64Binary": "base64", "base64": "base64", "hexBinary": "hex"}
_KINDS = ("element", "complexType", "simpleType", "group", "attributeGroup", "attribute")
MOST_STEPS = 20_000  # of one description; schemas in the wild refer in circles and squares
DEEPEST = 24  # of nested types; recursive ones are cut here


class Schemas:
    """All schemas and messages of one pinned WSDL."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._known: dict[tuple[str, Name], tuple[Node, Node]] = {}  # node and its schema
        self._instead: dict[Name, list[Name]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._types: dict[Name, Content] = {}
        self._inside: list[Name] = []
        self._cuts = self._steps = 0
        self._lock = threading.Lock()
        self._spoken_of: dict[tuple[str | None, ...], Spoken | None] = {}
        self._messages: dict[Name, Node] = {}
        self._port_types: dict[Name, Node] = {}
        self._bindings: dict[Name, tuple[Node, str]] = {}
        self._ports: list[tuple[str, str, Name]] = []
        self._read_wsdl(library.start)

    def _parsed(self, url: str) -> Node:
        try:
            return etree.fromstring(self._library.read(url), safe_parser())
        except etree.XMLSyntaxError:
            raise InterfaceChanged(
                f"connectors/wsdl/: {url.rpartition('/')[2]!r} is no well-formed XML and cannot be "
                "understood; pin a valid file"
            ) from None

    def _read_wsdl(self, url: str) -> None:
        if ("wsdl", url) in self._seen:
            return
        self._seen.add(("wsdl", url))
        root = self._parsed(url)
        target = root.get("targetNamespace", "")
        if local(root) == "schema":  # some import it as if it were a WSDL
            self._read_schema(root, url, target)
            return
        for node in root:
            kind = local(node)
            if kind == "import":
                self._read_wsdl(urljoin(url, node.get("location", "")))
            elif kind == "types":
                for schema in node.iter(f"{{{XSD}}}schema"):
                    self._read_schema(schema, url, schema.get("targetNamespace", ""))
            else:
                self._keep(kind, node, target)

    def _keep(self, kind: str, node: Node, target: str) -> None:
        """Keep a message, port type, SOAP binding or the ports of a service."""
        name = (target, node.get("name", ""))
        if kind == "message":
            self._messages[name] = node
        elif kind == "portType":
            self._port_types[name] = node
        elif kind == "binding" and soap_child(node, "binding") is not None:
            self._bindings[name] = (node, target)
        elif kind == "service":
            for port in node.iter(f"{{{WSDL}}}port"):
                binding = qname(port, port.get("binding", ""), target)
                self._ports.append((name[1], port.get("name", ""), binding))

    def _read_schema(self, schema: Node, url: str, target: str) -> None:
        for node in schema:
            kind = local(node)
            location = node.get("schemaLocation")
            if kind in {"import", "include", "redefine"} and location:
                self._read_file(urljoin(url, location), None if kind == "import" else target)
            if kind in {"redefine", "override"}:
                self._register(node, schema, target)
        self._register(schema, schema, target)

    def _register(self, parent: Node, schema: Node, target: str) -> None:
        for node in parent:
            kind = local(node)
            if kind in _KINDS and node.get("name"):
                name = (target, node.get("name", ""))
                self._known.setdefault((kind, name), (node, schema))
                if node.get("substitutionGroup"):
                    head = qname(node, node.get("substitutionGroup", ""), target)
                    self._instead.setdefault(head, []).append(name)

    def _read_file(self, url: str, chameleon: str | None) -> None:
        """Read a schema file once per namespace that it is included into."""
        key = (url, chameleon or "")
        if key in self._seen:
            return
        self._seen.add(key)
        root = self._parsed(url)
        if chameleon and not root.get("targetNamespace"):
            root.set("targetNamespace", chameleon)  # an include takes its includer's namespace
        if local(root) == "schema":
            self._read_schema(root, url, root.get("targetNamespace") or chameleon or "")

    def operation(self, name: str, soap: Soap) -> Spoken | None:
        """Describe an operation of the binding that the system's YAML names, if it is there."""
        key = (name, soap.service, soap.port, soap.version)
        with self._lock:  # pages are decoded in several threads
            if key not in self._spoken_of:
                self._spoken_of[key] = self._operation(name, soap)
            return self._spoken_of[key]

    def _operation(self, name: str, soap: Soap) -> Spoken | None:
        for service, port, binding in self._ports:
            found = self._binding(binding)
            wrong = (soap.service or service, soap.port or port) != (service, port)
            if wrong or found is None:
                continue
            node, target = found
            version = "1.2" if soap_namespace(node) == SOAP_BINDINGS[1] else "1.1"
            if soap.port is None and version != soap.version:
                continue
            for operation in node.iterchildren(f"{{{WSDL}}}operation"):
                if operation.get("name") == name:
                    self._steps = 0
                    return self._spoken(node, operation, target)
        return None

    def _binding(self, name: Name) -> tuple[Node, str] | None:
        """Give a binding; by its plain name where the port names another namespace."""
        alike = [known for known in self._bindings if known[1] == name[1]]
        return self._bindings.get(alike[0] if len(alike) == 1 else name)

    def _spoken(self, binding: Node, operation: Node, target: str) -> Spoken:
        bound = read_binding(binding, operation)
        port_type = self._port_types.get(qname(binding, binding.get("type", ""), target))
        name = operation.get("name", "")
        sides = {}
        for side in ("input", "output"):
            message = self._message(port_type, name, side, target)
            parts = bound.parts(message, side) if message is not None else []
            sides[side] = (self._side(parts, name, side, bound.style), parts)
        (request, asked), (answer, told) = sides["input"], sides["output"]
        if bound.style == "rpc":
            request = replace(request, space=bound.namespace)
        names = [tuple(part.get("name", "") for part in parts) for parts in (asked, told)]
        return Spoken(
            answer=answer,
            request=request,
            style=bound.style,
            encoded=bound.is_encoded,
            namespace=bound.namespace,
            action=bound.action,
            parts=(names[0], names[1]),
        )

    def _side(self, parts: list[Node], name: str, side: str, style: str) -> Shape:
        """Describe the first element of a message's Body."""
        if style == "document":
            return self._part(parts[0]) if parts else Shape("", is_open=True)
        wrapper = name if side == "input" else f"{name}Response"
        return Shape(wrapper, children=tuple(map(self._part, parts)), is_open=not parts)

    def _message(self, port_type: Node | None, name: str, side: str, target: str) -> Node | None:
        for operation in port_type if port_type is not None else ():
            if local(operation) == "operation" and operation.get("name") == name:
                found = next((n for n in operation if local(n) == side), None)
                if found is not None:
                    return self._messages.get(qname(found, found.get("message", ""), target))
        return None

    def _part(self, part: Node) -> Shape:
        if part.get("element"):
            return self._global(qname(part, part.get("element", ""), ""), part, 0)
        name = qname(part, part.get("type", ""), "")
        content = self._type(name, 0)
        return make_shape(part.get("name", ""), name, content)

    def _global(self, name: Name, where: Node, depth: int) -> Shape:
        found = self._known.get(("element", name))
        if found is None:
            return Shape(name[1], is_open=True)
        return self._element(found[0], found[1], depth, times=where)

    def _element(self, node: Node, schema: Node, depth: int, *, times: Node) -> Shape:
        """Describe an element; `times` is the node that says how often."""
        target = schema.get("targetNamespace", "")
        if node.get("ref"):
            return self._global(qname(node, node.get("ref", ""), target), node, depth)
        name = node.get("name", "")
        if depth > DEEPEST:
            content, type_name = Content(is_open=True), ("", "")
        elif node.get("type"):
            full = qname(node, node.get("type", ""), target)
            content, type_name = self._type(full, depth), full
        else:
            inner = next((n for n in node if local(n) in {"complexType", "simpleType"}), None)
            content, type_name = Content(is_open=inner is None), ("", "")
            if inner is not None:
                self._collect(inner, schema, content, depth)
        shape = make_shape(name, type_name, content)
        return replace(
            shape,
            repeats=repeats(times),
            nillable=node.get("nillable") in {"true", "1"},
            space=target if is_qualified(node, schema) else "",
            alternatives=tuple(self._substitutes((target, name))),
            label=label(node),
        )

    def _substitutes(self, head: Name) -> Iterator[str]:
        waiting, seen = [head], {head}
        while waiting:
            for name in self._instead.get(waiting.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
                    yield name[1]

    def _type(self, name: Name, depth: int) -> Content:
        if name[0] == XSD or name[1] in _BINARY:
            return Content(binary=_BINARY.get(name[1], ""), is_open=name[1] == "anyType")
        if name in self._inside or self._steps > MOST_STEPS:
            self._cuts += 1
            return Content(is_open=True)  # recursive: what is deeper is read without guidance
        known = self._types.get(name)
        if known is None:
            known = Content()
            found = self._known.get(("complexType", name)) or self._known.get(("simpleType", name))
            if found is None:
                known.is_open = True
            else:
                cuts = self._cuts
                self._inside.append(name)
                self._collect(found[0], found[1], known, depth)
                self._inside.pop()
                if cuts == self._cuts:
                    self._types[name] = known
        return known

    def _collect(self, node: Node, schema: Node, content: Content, depth: int) -> None:
        """Walk a type's particles; choices and groups are flattened."""
        target = schema.get("targetNamespace", "")
        self._steps += 1
        for part in node:
            kind = local(part)
            if kind == "element":
                content.add(self._element(part, schema, depth + 1, times=part))
            elif kind in {"sequence", "choice", "all", "complexContent", "simpleContent"}:
                self._particle(part, schema, content, depth)
            elif kind in {"extension", "restriction"}:
                self._derive(part, schema, content, depth, kind)
            elif kind in {"group", "attributeGroup"} and part.get("ref"):
                found = self._known.get((kind, qname(part, part.get("ref", ""), target)))
                if found is not None and depth <= DEEPEST:
                    self._collect(found[0], found[1], content, depth + 1)
            elif kind == "attribute":
                name = part.get("name") or qname(part, part.get("ref", ""), target)[1]
                content.attributes.append(name)
            elif kind == "any":
                content.is_open = True

    def _particle(self, part: Node, schema: Node, content: Content, depth: int) -> None:
        before = len(content.children)
        self._collect(part, schema, content, depth)
        if local(part) == "all" or repeats(part):
            content.ordered = False
        if repeats(part):
            content.children[before:] = [
                replace(c, repeats=True) for c in content.children[before:]
            ]

    def _derive(self, part: Node, schema: Node, content: Content, depth: int, kind: str) -> None:
        """Add what a derived type inherits; a restriction of SOAP's Array gets its item."""
        name = qname(part, part.get("base", ""), schema.get("targetNamespace", ""))
        if name in _ARRAYS:
            self._array(part, content, depth)
            return
        inherited = self._type(name, depth + 1) if depth <= DEEPEST else Content(is_open=True)
        content.binary = content.binary or inherited.binary
        content.attributes += inherited.attributes
        if kind == "extension":
            content.children += inherited.children
            content.ordered = content.ordered and inherited.ordered
            content.is_open = content.is_open or inherited.is_open
        self._collect(part, schema, content, depth)

    def _array(self, part: Node, content: Content, depth: int) -> None:
        for attribute in part.iter(f"{{{XSD}}}attribute"):
            written = attribute.get(f"{{{WSDL}}}arrayType", "")
            if written:
                name = qname(attribute, written.partition("[")[0], "")
                item = make_shape("item", name, self._type(name, depth + 1))
                content.array_of = name
                content.children.append(replace(item, repeats=True, nillable=True))
                content.is_open = True  # items may have any name
                return
        self._collect(part, part, content, depth)


@lru_cache(maxsize=32)
def _read(folder: Path, key: str, stamp: tuple[int, ...]) -> Schemas:  # noqa: ARG001 - part of the key
    return Schemas(Library(folder, Soap.model_validate_json(key)))


def schemas_of(folder: Path, soap: Soap) -> Schemas:
    """Read the pinned files of a WSDL, once as long as they do not change.

    Raises:
        InterfaceChanged: One is missing, not pinned or no XML.
    """
    try:
        stamp = tuple((folder / n).stat().st_mtime_ns for n in (soap.wsdl, *soap.imports))
    except OSError:
        raise InterfaceChanged(
            f"connectors/wsdl/{soap.wsdl} or one of its imports cannot be read; restore it"
        ) from None
    return _read(folder, soap.model_dump_json(), stamp)
