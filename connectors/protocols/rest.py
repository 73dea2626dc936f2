"""REST: requests and answers in JSON, XML, NDJSON, CSV, and forms.

What is asked and where success, rows and pages stand in the answer is declared in the system's
YAML. Nothing here retries, pages or knows a department.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from connectors.answers import check_rest
from connectors.documents import Document
from connectors.drafts import Answer, Draft
from connectors.protocols.jsondoc import JsonDocument, parse_json
from connectors.protocols.lines import parse_lines, parse_table
from connectors.protocols.xmldoc import parse_xml, to_utf8
from connectors.templates import fill, fill_path, fill_text, json_text, xml_text
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.interfaces import (
    Call,
    Interface,
)

_FORM = "application/x-www-form-urlencoded"
_KINDS = {
    "json": "application/json",
    "xml": "application/xml",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
}
_ACCEPT = {**_KINDS, "auto": "application/json"}


class RestProtocol:
    """Speaks HTTP with documents."""

    def __init__(self, system: str, base_url: str) -> None:
        self._system = system
        self._base_url = base_url

    def draft(
        self, call: Call, interface: Interface, values: dict[str, Any], *, writes: bool
    ) -> Draft:
        """Fill a call's templates."""
        path, _, inline = fill_path(interface.path + call.path, values).partition("?")
        draft = Draft(
            what=f"{call.method} {interface.path}{call.path}",
            method=call.method,
            url=self._base_url + path,
            query=[*parse_qsl(inline, keep_blank_values=True), *_pairs(call.query, values)],
            headers=dict(interface.headers),
            writes=writes,
        )
        draft.headers |= {k: fill_text(v, values) for k, v in call.headers.items()}
        draft.headers.setdefault("Accept", _ACCEPT[interface.answers])
        draft.written_as = call.send_as
        if call.form:
            draft.form = {k: _text(v) for k, v in fill(call.form, values).items()}
        if call.body is not None:
            draft.message = fill(call.body, values)
        return draft

    def serialize(self, draft: Draft, interface: Interface) -> None:
        """Write the body's bytes in the interface's charset."""
        if draft.form is None and draft.message is None:
            return
        kind = _KINDS[draft.written_as] if draft.form is None else _FORM
        draft.headers.setdefault("Content-Type", f"{kind}; charset={interface.charset}")
        try:
            if draft.form is not None:
                draft.body = urlencode(draft.form, encoding=interface.charset).encode()
            else:
                draft.body = _written(draft, interface)
        except (UnicodeEncodeError, TypeError):
            raise ConfigInvalid(
                f"{self._system}: {draft.what} holds a value that {interface.charset} or JSON "
                "cannot write; correct the push mapping or the charset",
                system=self._system,
            ) from None  # foreign texts quote the value

    def read(self, answer: Answer, draft: Draft, interface: Interface, where: str) -> Document:
        """Give the answer's document; an error status whose body explains itself is read too.

        Raises:
            TongbanError: By status, or because the body is no document.
        """
        if not _explains_itself(answer, interface):
            check_rest(answer, draft, where)
        document = parse_body(answer.body, interface, where)
        if isinstance(document, JsonDocument):
            document.check_names()
        return document


def _pairs(query: dict[str, Any], values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the query's pairs in order; a list repeats its name."""
    for name, value in fill(query, values).items():
        for item in value if isinstance(value, list) else [value]:
            yield name, _text(item)


def _written(draft: Draft, interface: Interface) -> bytes:
    """Write a message as its call declares."""
    if draft.written_as == "json":
        return _json_bytes(draft.message, interface.charset)
    if draft.written_as == "xml":
        declaration = f'<?xml version="1.0" encoding="{interface.charset}"?>\n'
        return (declaration + xml_text(draft.message)).encode(interface.charset)
    records = next(iter((draft.message or {}).values()), None)
    if not isinstance(records, list):
        raise ConfigInvalid(f"{draft.what}: a body sent as {draft.written_as} needs one list")
    if draft.written_as == "ndjson":
        return b"".join(_json_bytes(record, interface.charset) + b"\n" for record in records)
    return _table(records, interface).encode(interface.charset)


def _table(records: list[dict[str, Any]], interface: Interface) -> str:
    """Write flat records as CSV; a field that a record lacks is an empty cell."""
    names = interface.csv.header or tuple(dict.fromkeys(k for r in records for k in r))
    made = io.StringIO(newline="")
    writer = csv.DictWriter(made, names, delimiter=interface.csv.delimiter, lineterminator="\r\n")
    if not interface.csv.header:
        writer.writeheader()
    writer.writerows({name: _text(record.get(name)) for name in names} for record in records)
    return made.getvalue()


def _json_bytes(message: Any, charset: str) -> bytes:
    """Compact JSON; UTF-8 is written directly, which is several times as fast."""
    if codecs.lookup(charset).name == "utf-8":
        return msgspec.json.encode(message)
    return json_text(message).encode(charset)


def parse_body(body: bytes, interface: Interface, where: str) -> Document:
    """Read a body in the declared format; `auto` is XML where it starts with an angle bracket.

    Raises:
        AnswerUnreadable: It is not in that format or charset.
    """
    utf8 = to_utf8(body, interface.charset, where)
    start = utf8.lstrip()[:1]
    kind = interface.answers
    if kind == "ndjson":
        return parse_lines(utf8, where)
    if kind == "csv" and start != b"{":  # an error of the gateway may come as JSON
        return parse_table(utf8, interface.csv, where)
    if kind == "xml" or (kind == "auto" and start == b"<"):
        return parse_xml(utf8.lstrip(), where)
    return parse_json(utf8, where)


def _explains_itself(answer: Answer, interface: Interface) -> bool:
    """Tell whether an error status carries the interface's own code in a JSON body."""
    if answer.status < 400:  # noqa: PLR2004 - HTTP
        return False
    kind = answer.headers.get("content-type", "")
    layer = next(iter(interface.success), None)
    return "json" in kind and layer is not None and layer.check is not None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json_text(value)
    return value if isinstance(value, str) else "" if value is None else str(value)
