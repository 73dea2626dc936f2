"""Answers: the document that a declared answer consists of, and its bytes in the right format.

The reverse of `connectors.answers`: success layers are built from the outside in with the codes
that mean success, records and page words stand where the declaration looks for them. XML follows
the order and the namespaces of the WSDL's types where they are known.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from connectors.templates import json_text
from tongban.kernel.interfaces import (
    Interface,
)
from tongban.onboarding.described import Node

ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
MEANT_WELL = "ok"
Document = dict[str, Any]


def put(document: Document, path: str, value: Any) -> None:
    """Set a value at a dotted path."""
    *heads, last = path.split(".")
    for head in heads:
        document = document.setdefault(head, {})
    document[last] = value


def layered(interface: Interface, content: Mapping[str, Any], root: str = "ANSWER") -> Document:
    """A successful answer whose innermost layer holds `content` (path → value).

    Args:
        interface: Its success layers.
        content: What stands in the opened document.
        root: Name of the root element of XML inside a text.
    """
    outer: Document = {}
    opened: list[tuple[Document, Any, Document]] = []
    current = outer
    for layer in interface.success:
        if layer.open is not None:
            inner: Document = {}
            opened.append((current, layer, inner))
            current = inner
        if layer.check is not None:
            put(current, layer.check, _word(layer.equals[0] if layer.equals else "0"))
        if layer.message is not None:
            put(current, layer.message, MEANT_WELL)
    for path, value in content.items():
        put(current, path, value)
    for parent, layer, inner in reversed(opened):
        if layer.read_as == "document":
            held = _at(parent, layer.open)
            put(parent, layer.open, {**held, **inner} if isinstance(held, dict) else inner)
        else:
            text = json_text(inner) if layer.read_as == "json" else xml_text(root, inner)
            put(parent, layer.open, text)
    return outer


def refused(interface: Interface, meaning: str) -> Document | None:
    """An answer with the first declared code of that meaning, or None when none is declared."""
    for layer in interface.success:
        code = next((c for c, m in layer.codes.items() if m == meaning), None)
        if layer.open is not None and layer.read_as != "document":
            return None  # an inner text is only there when the outer layers went well
        if layer.check is not None and code is not None:
            document: Document = {}
            put(document, layer.check, code)
            if layer.message is not None:
                put(document, layer.message, meaning)
            return document
    return None


def _at(document: Document, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(part, {})
    return document


def _word(word: str) -> Any:
    """Truth is no text in JSON."""
    return {"true": True, "false": False}.get(word, word)


def body_of(
    interface: Interface,
    document: Document,
    records: Sequence[Document],
    columns: Sequence[str] = (),
) -> bytes:
    """A REST answer in the declared format and charset.

    Args:
        interface: Its format and charset.
        document: The whole answer, where the format has one.
        records: The rows, for formats of lines.
        columns: Names of a table's columns, so that one without rows has its header, too.
    """
    if interface.answers == "ndjson":
        text = "".join(f"{json_text(record)}\n" for record in records)
    elif interface.answers == "csv":
        text = csv_text(records, interface.csv.delimiter, interface.csv.header, columns)
    elif interface.answers == "xml":
        text = xml_text("answer", document)
    else:
        text = json.dumps(document, ensure_ascii=False)
    return text.encode(interface.charset, "xmlcharrefreplace")


def csv_text(
    records: Sequence[Document], delimiter: str, header: Sequence[str], columns: Sequence[str]
) -> str:
    """A table; its names come first unless they are declared, also when no row follows."""
    found = (key for record in records for key in record)
    names = list(header) or list(dict.fromkeys([*columns, *found]))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, delimiter=delimiter, extrasaction="ignore")
    if not header:
        writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def envelope(version: str, charset: str, content: str) -> bytes:
    """A SOAP envelope around the text of its Body."""
    text = (
        f'<?xml version="1.0" encoding="{charset}"?>\n'
        f'<soap:Envelope xmlns:soap="{ENVELOPES[version]}"><soap:Body>{content}</soap:Body>'
        "</soap:Envelope>"
    )
    return text.encode(charset, "xmlcharrefreplace")


def fault(version: str, code: str, reason: str) -> str:
    """A fault of the caller's, with the department's own code where it declares one."""
    if version == "1.1":
        return (
            f"<soap:Fault><faultcode>soap:{escape(code)}</faultcode>"
            f"<faultstring>{escape(reason)}</faultstring></soap:Fault>"
        )
    return (
        "<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode>"
        f"<soap:Value>{escape(code)}</soap:Value></soap:Subcode></soap:Code><soap:Reason>"
        f'<soap:Text xml:lang="zh">{escape(reason)}</soap:Text></soap:Reason></soap:Fault>'
    )


def xml_text(name: str, value: Any, node: Node | None = None, space: str | None = None) -> str:
    """A value as an element; children in the order of the type, the unknown ones after them.

    Args:
        name: Local name of the element.
        value: Mapping, list (the element repeats) or single value.
        node: Its declaration, where there is one.
        space: Namespace in which we are; None where namespaces do not matter.
    """
    if isinstance(value, list):
        return "".join(xml_text(name, item, node, space) for item in value)
    own = space if node is None else node.namespace
    declared = "" if own is None or own == space else f" xmlns={quoteattr(own)}"
    if not isinstance(value, dict):
        return f"<{name}{declared}>{escape(_text(value))}</{name}>"
    attributes = "".join(
        f" {key[1:]}={quoteattr(_text(item))}" for key, item in value.items() if key[:1] == "@"
    )
    known = {child.name: child for child in node.children} if node is not None else {}
    names = [*(n for n in known if n in value), *(n for n in value if n not in known)]
    inside = "".join(
        xml_text(key, value[key], known.get(key), own) for key in names if key[:1] != "@"
    )
    return f"<{name}{declared}{attributes}>{inside}</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
