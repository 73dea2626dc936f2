"""Maps: what PHP and Axis write for a dictionary, put back as named elements.

Both write `<item><key>id</key><value>7</value></item>` with the type `Map`, so that a row has no
names that a mapping could use; here it becomes `<id>7</id>`. A key that is no name of an element
stays as it came.

Source:
    Apache SOAP 2.x, `http://xml.apache.org/xml-soap`; PHP manual, `SoapServer`.
"""

from __future__ import annotations

import re

from lxml import etree

from connectors.protocols.samples import XSI

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

SPACE = "http://xml.apache.org/xml-soap"
_TYPE = f"{{{XSI}}}type"
_NAME = re.compile(r"^[^\W\d][\w.-]*$")
_PAIR = 2


def has_maps(text: str | bytes) -> bool:
    """Tell quickly whether an answer may hold dictionaries."""
    return SPACE in text if isinstance(text, str) else SPACE.encode() in text


def open_maps(root: Element) -> None:
    """Name the values of all dictionaries below an element."""
    for element in [e for e in root.iter() if _is_map(e)]:
        for item in list(element):
            _open(item)


def _is_map(element: Element) -> bool:
    prefix, _, kind = (element.get(_TYPE) or "").rpartition(":")
    return kind == "Map" and element.nsmap.get(prefix or None) == SPACE


def _open(item: Element) -> None:
    if len(item) != _PAIR:
        return
    key, value = item
    name = (key.text or "").strip()
    if etree.QName(key).localname == "key" and _NAME.match(name):
        value.tag = name
        value.tail = item.tail
        parent = item.getparent()
        if parent is not None:
            parent.replace(item, value)
