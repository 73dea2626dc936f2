"""Connections: host and secrets of one department system, found in one of three places.

In this order: a resolver that the caller registered (Airflow's connections, inside tasks), the
environment (`TONGBAN_CONN_<NAME>` or `AIRFLOW_CONN_<NAME>`, JSON), a file `<name>.json` in the
connections folder. A connection is never logged and its repr shows no secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tongban.kernel.errors import CredentialsMissing

Resolver = Callable[[str], "Connection | None"]


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a system is and who we are there.

    Attributes:
        name: Name that the system's YAML refers to.
        base_url: Scheme, host and port, without a trailing slash.
        login: User, application id or client id.
        password: Password or shared secret; never shown.
        extra: Further secrets by name (key files, tokens, field keys); never shown.
    """

    name: str
    base_url: str
    login: str = ""
    password: str = field(default="", repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def secret(self, name: str) -> str:
        """Give one extra secret, or say which is missing."""
        if name == "password" and self.password:
            return self.password
        if name == "login" and self.login:
            return self.login
        value = self.extra.get(name)
        if not value:
            raise CredentialsMissing(
                f"connection {self.name}: the field {name!r} is missing or empty; "
                "add it to the connection's extra",
                connection=self.name,
            )
        return str(value)


def from_document(name: str, document: dict[str, Any]) -> Connection:
    """Make a connection from our JSON shape or from Airflow's (host, port, schema, extra)."""
    extra = document.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    base_url = document.get("base_url") or extra.get("base_url")
    if not base_url and document.get("host"):
        host = str(document["host"])
        scheme = "" if "://" in host else f"{document.get('schema') or 'http'}://"
        port = f":{document['port']}" if document.get("port") else ""
        base_url = f"{scheme}{host}{port}"
    if not base_url:
        raise CredentialsMissing(
            f"connection {name}: neither base_url nor host is set; add one", connection=name
        )
    return Connection(
        name=name,
        base_url=str(base_url).rstrip("/"),
        login=str(document.get("login") or ""),
        password=str(document.get("password") or ""),
        extra=dict(extra),
    )


class Connections:
    """Finds connections by name: resolver, environment, files."""

    def __init__(self, folder: Path, resolver: Resolver | None = None) -> None:
        self._folder = folder
        self._resolver = resolver

    def get(self, name: str) -> Connection:
        """Give the connection of that name.

        Raises:
            CredentialsMissing: It is in none of the three places.
        """
        if self._resolver is not None and (found := self._resolver(name)) is not None:
            return found
        variable = name.upper()
        for prefix in ("TONGBAN_CONN_", "AIRFLOW_CONN_"):
            if text := os.environ.get(prefix + variable):
                return from_document(name, json.loads(text))
        path = self._folder / f"{name}.json"
        if path.is_file():
            return from_document(name, json.loads(path.read_text(encoding="utf-8")))
        raise CredentialsMissing(
            f"connection {name!r} was not found: looked for AIRFLOW_CONN_{variable}, "
            f"TONGBAN_CONN_{variable} and {path.name} in the connections folder; create one",
            connection=name,
        )
