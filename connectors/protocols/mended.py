"""Mended: what descriptions in the wild get wrong, put right while they are read.

The pinned file stays as the department gave it; its digest is of those bytes. Only what has one
possible meaning is put right: text in front of the XML declaration, the drafts of XML Schema from
1999 and 2000 that old tool kits still write, and unbounded repeats as they wrote them. Whatever
else is wrong is left for whoever reads the file to say.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from connectors.protocols.xmldoc import COMMENT

XSD: Final = "http://www.w3.org/2001/XMLSchema"
_OLD = re.compile(rb"http://www\.w3\.org/(?:1999|2000/(?:10|08))/XMLSchema\b")
_BEFORE = re.compile(rb"\A(?:\s|" + COMMENT + rb")+(?=<\?xml\s)")
_BUILT_IN: Final = {  # names of the drafts → names of the recommendation
    "binary": "base64Binary",
    "CDATA": "normalizedString",
    "century": "gYear",
    "recurringDate": "gMonthDay",
    "recurringDay": "gDay",
    "timeDuration": "duration",
    "timeInstant": "dateTime",
    "timePeriod": "dateTime",
    "uriReference": "anyURI",
    "ur-type": "anyType",
    "year": "gYear",
}
_MANY = {"*": "unbounded", "Unbounded": "unbounded"}
_VARIETIES: Final = frozenset({"restriction", "list", "union"})


def mended(body: bytes) -> bytes:
    """Put right what has one possible meaning; other bytes come back as they are."""
    found = _BEFORE.match(body)
    if found is not None:
        body = body[found.end() :]
    if not _OLD.search(body):
        return body
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(_OLD.sub(XSD.encode(), body), parser)
    except etree.XMLSyntaxError:
        return body  # whoever parses it will say so
    for element in root.iter(f"{{{XSD}}}*"):
        _modern(element)
    return etree.tostring(root)


def _modern(element: Any) -> None:
    """Write one element of a draft as the recommendation has it."""
    for name in ("minOccurs", "maxOccurs"):
        written = element.get(name)
        if written in _MANY:
            element.set(name, _MANY[written])
    for name in ("type", "base"):
        prefix, _, local = (element.get(name) or "").rpartition(":")
        if local in _BUILT_IN and element.nsmap.get(prefix or None) == XSD:
            element.set(name, f"{prefix}:{_BUILT_IN[local]}" if prefix else _BUILT_IN[local])
    kind = etree.QName(element).localname
    base = element.attrib.pop("base", None) if kind in {"simpleType", "complexType"} else None
    derived = element.attrib.pop("derivedBy", "extension") if kind == "complexType" else ""
    if kind == "simpleType" and not any(_name(child) in _VARIETIES for child in element):
        _wrap(element, ["restriction"], base or _built_in(element, "string"))
    elif kind == "complexType" and base is not None:
        space = element.nsmap.get(base.rpartition(":")[0] or None)
        _wrap(element, ["simpleContent" if space == XSD else "complexContent", derived], base)


def _wrap(element: Any, names: list[str], base: str) -> None:
    """Put the content of a type inside what the recommendation wants around it."""
    inside = [child for child in element if _name(child) != "annotation"]
    here = element
    for name in names:
        here = etree.SubElement(here, f"{{{XSD}}}{name}")
    here.set("base", base)
    here.extend(inside)


def _built_in(element: Any, name: str) -> str:
    prefix = next((p for p, uri in element.nsmap.items() if uri == XSD), None)
    return f"{prefix}:{name}" if prefix else name


def _name(element: Any) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
