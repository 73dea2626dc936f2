"""Bindings: what a WSDL's binding says about an operation, and how its nodes are read.

Style, SOAPAction, encoding and which parts of a message travel in the Body: those that the binding
names, or all that travel in no header and are no attachment. Plain reading of pinned files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from connectors.protocols.shapes import Name

Node = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

XSD = "http://www.w3.org/2001/XMLSchema"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP_BINDINGS = (
    "http://schemas.xmlsoap.org/wsdl/soap/",
    "http://schemas.xmlsoap.org/wsdl/soap12/",
)
_MIME = "http://schemas.xmlsoap.org/wsdl/mime/"


@dataclass(frozen=True, slots=True)
class Bound:
    """How one operation is bound to SOAP."""

    style: str
    action: str
    is_encoded: bool
    namespace: str
    sides: dict[str, Node]

    def parts(self, message: Node, side: str) -> list[Node]:
        """Give the parts of a message that travel in the Body."""
        parts = list(message.iterchildren(f"{{{WSDL}}}part"))
        bound = self.sides.get(side)
        if bound is None:
            return parts
        body = soap_below(bound, "body")
        if body is not None and body.get("parts") is not None:
            wanted = body.get("parts", "").split()
            return [part for part in parts if part.get("name") in wanted]
        name = message.get("name")
        elsewhere = {node.get("part") for node in bound.iter(f"{{{_MIME}}}content")}
        for header in bound.iter(*(f"{{{space}}}header" for space in SOAP_BINDINGS)):
            if header.get("message", "").rpartition(":")[2] == name:
                elsewhere.add(header.get("part"))
        return [part for part in parts if part.get("name") not in elsewhere]


def read_binding(binding: Node, operation: Node) -> Bound:
    """Read what a binding and one of its operations say."""
    style, action = "document", ""
    for owner, kind in ((binding, "binding"), (operation, "operation")):
        found = soap_child(owner, kind)
        style = (found.get("style") if found is not None else None) or style
        action = (found.get("soapAction") if found is not None else None) or action
    sides = {local(side): side for side in operation if local(side) in {"input", "output"}}
    bodies = [body for body in (soap_below(s, "body") for s in sides.values()) if body is not None]
    is_encoded = any(body.get("use") == "encoded" for body in bodies)
    namespace = next((b.get("namespace") for b in bodies if b.get("namespace")), "") or ""
    return Bound(style, action, is_encoded, namespace, sides)


def local(node: Any) -> str:
    """Give the name without its namespace; empty for comments."""
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def qname(node: Node, text: str, target: str) -> Name:
    """Resolve a prefixed name by the namespaces in force at a node."""
    prefix, _, local = text.strip().rpartition(":")
    return (node.nsmap.get(prefix or None) or ("" if prefix else target), local)


def soap_child(node: Node, name: str) -> Node | None:
    """Find a SOAP element among the children."""
    tags = {f"{{{namespace}}}{name}" for namespace in SOAP_BINDINGS}
    return next((child for child in node if child.tag in tags), None)


def soap_below(node: Node, name: str) -> Node | None:
    """Find a SOAP element also where MIME parts stand around it."""
    tags = [f"{{{namespace}}}{name}" for namespace in SOAP_BINDINGS]
    return next(node.iter(*tags), None)


def soap_namespace(binding: Node) -> str | None:
    """Give the SOAP namespace of a binding."""
    found = soap_child(binding, "binding")
    return None if found is None else etree.QName(found).namespace


def is_qualified(node: Node, schema: Node) -> bool:
    """Tell whether an element travels in its schema's namespace."""
    form = node.get("form") or schema.get("elementFormDefault", "unqualified")
    return node.getparent() is schema or form == "qualified"


def repeats(node: Node) -> bool:
    """Tell whether an element or a group may stand several times."""
    most = node.get("maxOccurs", "1")
    return most == "unbounded" or (most.isdigit() and int(most) > 1)


def label(node: Node) -> str:
    """Give the first line of the documentation."""
    text = node.findtext(f"{{{XSD}}}annotation/{{{XSD}}}documentation") or ""
    return text.strip().partition("\n")[0].strip()
