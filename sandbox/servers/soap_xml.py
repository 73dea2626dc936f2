"""Hardened XML reading for the SOAP departments: parse, check, take apart.

No DTD, no entities, no network. A fault names the place and the rule, never a value.
Envelopes, WSDLs and answers are in `soap`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from lxml import etree

_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type


class SoapFault(Exception):
    """A call ends in a SOAP fault.

    `code` is `Client` or `Server` (spelled Sender and Receiver in 1.2), or a complete QName text
    of the department's own; `subcode` is a local name in the department's namespace (1.2 only).
    """

    def __init__(
        self, code: str, text: str, *, subcode: str | None = None, status: int = 500
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.subcode = subcode
        self.status = status


def check_schema(schema: etree.XMLSchema, element: Element) -> None:
    """Check an element against a schema.

    Raises:
        SoapFault: It does not obey; the text holds path and rule, not the value.
    """
    if not schema.validate(element):
        error = next(iter(cast("Iterable[Any]", schema.error_log)), None)
        where = re.sub(r"\*|/\{[^}]*\}", "", error.path or "") if error else ""
        rule = error.type_name if error else "unknown"
        raise SoapFault("Client", f"the request breaks the interface at {where or '/'}: {rule}")


def parse_xml(text: str, what: str = "the request") -> Element:
    """Parse XML text from outside.

    Raises:
        SoapFault: Not well-formed, or with a DTD.
    """
    if "<!DOCTYPE" in text:
        raise SoapFault("Client", f"{what} has a DTD, which is refused")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(_DECLARATION.sub("", text).encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise SoapFault("Client", f"{what} is not well-formed XML") from exc


def text_of(element: Element, name: str) -> str:
    """Return the text of a direct child, stripped; empty when absent."""
    return (element.findtext(f"{{*}}{name}") or "").strip()


def doc_of(element: Element) -> dict[str, object]:
    """Turn a row element into a document: text per field, a list for a field with children."""
    doc: dict[str, object] = {}
    for child in element:
        name = etree.QName(child).localname
        doc[name] = [doc_of(item) for item in child] if len(child) else (child.text or "").strip()
    return doc
