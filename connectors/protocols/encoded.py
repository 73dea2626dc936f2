"""Encoded: mark a request as SOAP encoding wants it (rpc/encoded).

zeep writes the right elements but none of the marks that old servers read: the encoding style,
the type of every value, and type and length of arrays. They are added here from the schema.

Source:
    SOAP 1.1, section 5; SOAP 1.2 part 2, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from connectors.protocols.bindings import XSD
from connectors.protocols.samples import XSI
from connectors.protocols.shapes import Name, Shape

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

_ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"
ENCODING_11 = "http://schemas.xmlsoap.org/soap/encoding/"
ENCODING_12 = "http://www.w3.org/2003/05/soap-encoding"


def encode(envelope: Element, parts: tuple[Shape, ...]) -> Element:
    """Mark an envelope.

    Args:
        envelope: As zeep wrote it.
        parts: Shapes of the operation's parameters.

    Returns:
        The same envelope with the prefixes that the marks need.
    """
    space = etree.QName(envelope).namespace or ""
    encoding = ENCODING_12 if space == _ENVELOPE_12 else ENCODING_11
    prefixes = {"xsi": XSI, "xsd": XSD, "soapenc": encoding}
    for number, name in enumerate(sorted(set(_spaces(parts)) - {XSD, encoding, ""})):
        prefixes[f"t{number}"] = name
    known: dict[Any, str] = {**envelope.nsmap, **prefixes}
    marked = etree.Element(envelope.tag, nsmap=known)
    for child in envelope:
        marked.append(child)
    body = next(part for part in marked if etree.QName(part).localname == "Body")
    marker = _Marker(encoding, {uri: prefix for prefix, uri in prefixes.items()})
    for wrapper in body:
        wrapper.set(f"{{{space}}}encodingStyle", encoding)
        marker.children(wrapper, parts)
    return marked


def _spaces(shapes: tuple[Shape, ...]) -> Iterator[str]:
    for shape in shapes:
        yield shape.type_space
        if shape.array_of is not None:
            yield shape.array_of[0]
        yield from _spaces(shape.children)


class _Marker:
    """Sets types on elements, walking them beside their shapes."""

    def __init__(self, encoding: str, prefixes: dict[str, str]) -> None:
        self._encoding = encoding
        self._prefixes = prefixes

    def children(self, owner: Element, shapes: tuple[Shape, ...]) -> None:
        """Mark the children of an element."""
        known = {shape.name: shape for shape in shapes}
        for child in owner:
            shape = known.get(etree.QName(child).localname)
            if shape is not None:
                self._mark(child, shape)

    def _mark(self, element: Element, shape: Shape) -> None:
        if shape.array_of is not None:
            self._mark_array(element, shape, shape.array_of)
            return
        if shape.type_name and not element.get(f"{{{XSI}}}type"):
            element.set(f"{{{XSI}}}type", self._written((shape.type_space, shape.type_name)))
        self.children(element, shape.children)

    def _mark_array(self, element: Element, shape: Shape, item: Name) -> None:
        kind = self._written(item)
        if self._encoding == ENCODING_11:
            element.set(f"{{{XSI}}}type", self._written((ENCODING_11, "Array")))
            element.set(f"{{{ENCODING_11}}}arrayType", f"{kind}[{len(element)}]")
        else:
            element.set(f"{{{ENCODING_12}}}itemType", kind)
            element.set(f"{{{ENCODING_12}}}arraySize", str(len(element)))
        for each in element:
            if not each.get(f"{{{XSI}}}type") and not each.get(f"{{{XSI}}}nil"):
                each.set(f"{{{XSI}}}type", kind)
            self.children(each, shape.children[0].children if shape.children else ())

    def _written(self, name: Name) -> str:
        prefix = self._prefixes.get(name[0])
        return f"{prefix}:{name[1]}" if prefix else name[1]
