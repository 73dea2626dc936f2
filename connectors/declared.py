"""Declared: what a system's YAML says must be possible, checked before the first call.

A misspelt placeholder, a page number that no request carries, a push without its records: each
would ask the department the wrong thing, so each stops the connector from being opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from connectors.protocols.schema import schemas_of
from connectors.templates import names_in
from tongban.kernel.compares import CALL_NAMES, QUESTION_NAMES, Compare
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.interfaces import (
    Call,
    Signed,
)
from tongban.kernel.pagings import (
    Cursor,
    KeySet,
    Offset,
    PageNumber,
)
from tongban.kernel.systems import AcceptedDataset, System
from tongban.kernel.yamlfile import suggestion

_PULL = frozenset({"since", "until", "page", "row", "cursor", "after", "size", "now"})
_PUSH = frozenset({"records", "batch_id", "now"})
_RECORD = frozenset({"guid", "op", "version", "version_time", "digest", "data", "now"})
_IDENTITY = frozenset({"login", "secret", "timestamp", "nonce"})
_SIGNED_TEXT = _IDENTITY | {"method", "path", "query", "body", "body_sha256", "body_sm3", "form"}


def check_declared(system: System) -> None:
    """Check every template of a system.

    Raises:
        ConfigInvalid: The first one that cannot work: file, place, what to write instead.
    """
    for name, interface in system.interfaces.items():
        for auth in interface.auth:
            if isinstance(auth, Signed):
                where = f"interfaces.{name}.auth"
                _check(system, f"{where}.text", auth.text, _SIGNED_TEXT)
                values = auth.send.values
                _check(system, f"{where}.send", values, _IDENTITY | {"signature"})
    for name, pulled in system.datasets.items():
        if pulled.call is None:
            continue
        _check_mtom(system, f"datasets.{name}.call", pulled.call)
        used = _check(system, f"datasets.{name}.call", _parts(pulled.call), _PULL)
        needed = _needed(pulled.paging)
        if needed and needed not in used:
            kind = pulled.paging.kind
            text = f"{kind} paging needs {{{needed}}} in the call, or every page is the first"
            raise _invalid(system, f"datasets.{name}.call", text)
    for name, accepted in system.accepts.items():
        _check_mtom(system, f"accepts.{name}.call", accepted.call)
        _check_accepted(system, f"accepts.{name}", accepted)
    for name, compared in system.compares.items():
        _check_compare(system, f"compares.{name}", compared)


def _check_accepted(system: System, where: str, accepted: AcceptedDataset) -> None:
    """Refuse a push without its records, and unknown words in it."""
    known = _PUSH | _RECORD | {"record"} if accepted.batch == 1 else _PUSH
    used = _check(system, f"{where}.call", _parts(accepted.call), known)
    if not used & {"records", "record"}:
        raise _invalid(system, f"{where}.call", "the call nowhere has {records}")
    if accepted.delete is not None:
        _check(system, f"{where}.delete", _parts(accepted.delete), known)
    _check(system, f"{where}.record", accepted.record, _RECORD)


def _check_compare(system: System, where: str, compared: Compare) -> None:
    """Every field of a question is sent, and none of them in an address, which proxies log."""
    call, asked = compared.call, set(compared.asks)
    lone = QUESTION_NAMES | asked if compared.batch == 1 else frozenset()
    used = _check(system, f"{where}.call", _parts(call), CALL_NAMES | lone)
    written = _check(
        system,
        f"{where}.question",
        compared.template,
        {"number", "case_no", "now", "purpose", "purpose_label", "asker", "unit", *asked},
    )
    open_to_all = names_in([call.path, call.query, call.headers])
    told = sorted(open_to_all & {"questions", "question", *asked})
    if told:
        text = f"{{{told[0]}}} is personal data and may only travel in `body` or `form`"
        raise _invalid(system, f"{where}.call", text)
    sent = (written if used & {"questions", "question"} else set()) | (used & asked)
    if asked - sent:
        text = f"the call nowhere has {{{min(asked - sent)}}}; questions stand for {{questions}}"
        raise _invalid(system, f"{where}.call", text)
    if compared.batch > 1 and "number" not in written:
        raise _invalid(system, f"{where}.question", "answers are told apart by {number}; add it")


def check_operations(system: System, root: Path) -> None:
    """Check the SOAP calls of a system against its pinned WSDLs.

    Raises:
        ConfigInvalid: One sends or reads several parts in its Body, which no call can say.
        InterfaceChanged: A pinned file cannot be understood.
    """
    for where, call in _calls(system):
        soap = system.interface_of(call).soap
        if soap is None or not call.operation:
            continue
        spoken = schemas_of(root / "connectors" / "wsdl", soap).operation(call.operation, soap)
        for side, parts in zip(("request", "answer"), spoken.parts if spoken else (), strict=False):
            if spoken is not None and spoken.style == "document" and len(parts) > 1:
                text = (
                    f"the {side} of {call.operation} has several parts in its Body "
                    f"({', '.join(parts)}); document style with more than one is not spoken, ask "
                    "for another port"
                )
                raise _invalid(system, where, text)


def _calls(system: System) -> Iterator[tuple[str, Call]]:
    for name, pulled in system.datasets.items():
        if pulled.call is not None:
            yield f"datasets.{name}.call", pulled.call
    for name, accepted in system.accepts.items():
        yield f"accepts.{name}.call", accepted.call
        if accepted.delete is not None:
            yield f"accepts.{name}.delete", accepted.delete
        if accepted.statement is not None:
            yield f"accepts.{name}.statement.call", accepted.statement.call
        if accepted.counted is not None:
            yield f"accepts.{name}.counted.call", accepted.counted.call


def _check_mtom(system: System, where: str, call: Call) -> None:
    """Refuse a package where none can be: outside SOAP, and under a signature over the envelope."""
    if call.send_as != "mtom":
        return
    interface = system.interface_of(call)
    if interface.soap is None:
        raise _invalid(system, where, "send_as: mtom is for SOAP only")
    if any(auth.kind == "ws_security_x509" for auth in interface.auth):
        raise _invalid(system, where, "send_as: mtom cannot be signed with X.509; send it inline")


def _needed(paging: Any) -> str | None:
    """Name the placeholder without which this paging cannot move."""
    kinds = ((PageNumber, "page"), (Offset, "row"), (Cursor, "cursor"), (KeySet, "after"))
    return next((name for kind, name in kinds if isinstance(paging, kind)), None)


def _parts(call: Call) -> list[Any]:
    return [call.path, call.query, call.form, call.body, call.headers]


def _check(system: System, where: str, template: Any, known: Iterable[str]) -> set[str]:
    """Refuse unknown placeholders; give the known ones that are used."""
    known = frozenset(known)
    used = names_in(template)
    for name in sorted(used - known):
        hint = suggestion(name, known)
        raise _invalid(system, where, f"unknown placeholder {{{name}}}{hint}")
    return used


def _invalid(system: System, where: str, text: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"connectors/systems/{system.system}.yaml: {where}: {text}", system=system.system
    )
