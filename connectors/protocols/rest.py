"""REST: requests with query, form or JSON body; answers in JSON or XML.

What is asked and where success, rows and pages stand in the answer is declared in the system's
YAML. Nothing here retries, pages or knows a department.
"""

from __future__ import annotations

import codecs
from typing import Any
from urllib.parse import urlencode

import msgspec

from connectors.answers import check_rest
from connectors.documents import Document
from connectors.drafts import Answer, Draft
from connectors.protocols.jsondoc import parse_json
from connectors.protocols.xmldoc import parse_xml, to_utf8
from connectors.templates import fill, fill_text, json_text
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.interfaces import Call, Interface

_FORM = "application/x-www-form-urlencoded"


class RestProtocol:
    """Speaks HTTP with documents."""

    def __init__(self, system: str, base_url: str) -> None:
        self._system = system
        self._base_url = base_url

    def draft(
        self, call: Call, interface: Interface, values: dict[str, Any], *, writes: bool
    ) -> Draft:
        """Fill a call's templates."""
        path = fill_text(interface.path + call.path, values)
        draft = Draft(
            what=f"{call.method} {interface.path}{call.path}",
            method=call.method,
            url=self._base_url + path,
            query=[(k, _text(v)) for k, v in fill(call.query, values).items()],
            headers=dict(interface.headers),
            writes=writes,
        )
        draft.headers.setdefault("Accept", "application/json")
        if call.form:
            draft.form = {k: _text(v) for k, v in fill(call.form, values).items()}
        if call.body is not None:
            draft.message = fill(call.body, values)
        return draft

    def serialize(self, draft: Draft, interface: Interface) -> None:
        """Write the body's bytes in the interface's charset."""
        if draft.form is None and draft.message is None:
            return
        kind = "application/json" if draft.form is None else _FORM
        draft.headers.setdefault("Content-Type", f"{kind}; charset={interface.charset}")
        try:
            if draft.form is not None:
                draft.body = urlencode(draft.form, encoding=interface.charset).encode()
            else:
                draft.body = _json_bytes(draft.message, interface.charset)
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
        return parse_body(answer.body, interface, where)


def _json_bytes(message: Any, charset: str) -> bytes:
    """Compact JSON; UTF-8 is written directly, which is several times as fast."""
    if codecs.lookup(charset).name == "utf-8":
        return msgspec.json.encode(message)
    return json_text(message).encode(charset)


def parse_body(body: bytes, interface: Interface, where: str) -> Document:
    """Read a body as JSON or, where it starts with an angle bracket, as XML."""
    utf8 = to_utf8(body, interface.charset, where)
    if utf8.lstrip()[:1] == b"<":
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
    return value if isinstance(value, str) else "" if value is None else str(value)
