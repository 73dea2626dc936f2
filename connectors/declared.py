"""Declared: what a system's YAML says must be possible, checked before the first call.

A misspelt placeholder, a page number that no request carries, a push without its records: each
would ask the department the wrong thing, so each stops the connector from being opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.templates import names_in
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.interfaces import Call, Cursor, KeySet, Offset, PageNumber, Signed
from tongban.kernel.systems import System
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
        used = _check(system, f"datasets.{name}.call", _parts(pulled.call), _PULL)
        needed = _needed(pulled.paging)
        if needed and needed not in used:
            kind = pulled.paging.kind
            text = f"{kind} paging needs {{{needed}}} in the call, or every page is the first"
            raise _invalid(system, f"datasets.{name}.call", text)
    for name, accepted in system.accepts.items():
        known = _PUSH | _RECORD | {"record"} if accepted.batch == 1 else _PUSH
        used = _check(system, f"accepts.{name}.call", _parts(accepted.call), known)
        if not used & {"records", "record"}:
            raise _invalid(system, f"accepts.{name}.call", "the call nowhere has {records}")
        if accepted.delete is not None:
            _check(system, f"accepts.{name}.delete", _parts(accepted.delete), known)
        _check(system, f"accepts.{name}.record", accepted.record, _RECORD)


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
