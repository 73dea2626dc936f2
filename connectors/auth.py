"""Auth: put our identity into requests, by the closed vocabulary of `tongban.kernel.interfaces`.

Each kind may write before the body is serialized (form fields, message parts, SOAP headers) and
after it (signatures over the body's bytes). Secrets come from the connection, stay in memory and
enter neither messages nor logs. OAuth2 is in `tokens`, WS-Security in `wssecurity`.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from connectors.clock import Clock
from connectors.drafts import Draft, canonical_query
from connectors.identity import Identity, Silent, basic_header, identity_values
from connectors.signatures import key_material, needs_key, sign, sm3
from connectors.templates import fill, fill_text, format_moment
from connectors.tokens import BearerToken, Send
from connectors.wssecurity import SoapHeaders, UsernameToken, X509Signature
from tongban.kernel.connections import Connection
from tongban.kernel.interfaces import (
    ApiKey,
    Auth,
    Basic,
    FieldsAuth,
    Interface,
    NoAuth,
    OAuth2ClientCredentials,
    Signed,
    WsSecurityUsername,
    WsSecurityX509,
)


class BasicIdentity(Silent):
    """HTTP Basic."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def after(self, draft: Draft) -> None:
        """Set the Authorization header."""
        login, password = self._connection.secret("login"), self._connection.secret("password")
        draft.headers["Authorization"] = basic_header(login, password)


class KeyIdentity(Silent):
    """A constant key in a header or in the query."""

    def __init__(self, spec: ApiKey, connection: Connection) -> None:
        self._spec = spec
        self._connection = connection

    def before(self, draft: Draft) -> None:
        """Add the key."""
        value = self._spec.prefix + self._connection.secret(self._spec.secret)
        if self._spec.place == "headers":
            draft.headers[self._spec.name] = value
        else:
            _place(draft, "query", {self._spec.name: value})


class FieldsIdentity(Silent):
    """Account and password as plain fields beside what a call asks."""

    def __init__(self, spec: FieldsAuth, connection: Connection, clock: Clock) -> None:
        self._spec = spec
        self._connection = connection
        self._clock = clock

    def before(self, draft: Draft) -> None:
        """Add the fields; what the call itself says wins."""
        values = identity_values(self._connection, self._clock)
        _place(draft, self._spec.place, fill(self._spec.values, values))


class Signature(Silent):
    """A hash or signature over a canonical text, put where the system wants it."""

    def __init__(self, spec: Signed, connection: Connection, clock: Clock) -> None:
        self._spec = spec
        self._connection = connection
        self._clock = clock

    def renew(self) -> bool:
        """A fresh nonce and time may be believed where the last ones were not."""
        return True

    def before(self, draft: Draft) -> None:
        """Sign what travels in form, query or message, before that is serialized."""
        if self._spec.send.place != "headers":
            self._write(draft)

    def after(self, draft: Draft) -> None:
        """Sign what travels in headers, over the final body."""
        if self._spec.send.place == "headers":
            self._write(draft)

    def _write(self, draft: Draft) -> None:
        spec = self._spec
        values = self._identity()
        unsigned = {
            name: fill_text(template, values)
            for name, template in spec.send.values.items()
            if "{signature}" not in template
        }
        _place(draft, spec.send.place, unsigned)
        text = fill_text(spec.text, values | _facts(draft, spec))
        key = self._key() if needs_key(spec.algorithm) else None
        signature = sign(spec.algorithm, text, key=key, encoding=spec.encoding)
        signed = {
            name: fill_text(template, values | {"signature": signature})
            for name, template in spec.send.values.items()
            if name not in unsigned
        }
        _place(draft, spec.send.place, signed)

    def _identity(self) -> dict[str, Any]:
        return {
            "login": self._connection.login,
            "secret": self._secret,
            "timestamp": format_moment(self._clock.now(), self._spec.timestamp),
            "nonce": secrets.token_hex(self._spec.nonce_length // 2),
        }

    def _secret(self, name: str = "password") -> str:
        return self._connection.secret(name)

    def _key(self) -> bytes:
        secret = self._connection.secret(self._spec.key or "password")
        return key_material(secret) if self._spec.algorithm.startswith("rsa") else secret.encode()


def _place(draft: Draft, place: str, values: dict[str, Any]) -> None:
    if place == "headers":
        draft.headers.update(values)
    elif place == "query":
        others = [pair for pair in draft.query if pair[0] not in values]  # a link may repeat them
        draft.query = [*others, *values.items()]
    elif place == "form":
        draft.form = {**(draft.form or {}), **values}
    else:
        draft.message = _beside(values, draft.message or {})


def _beside(ours: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Both trees as one; where both say something, what is asked stays."""
    both = {**ours, **asked}
    for name in ours.keys() & asked.keys():
        if isinstance(ours[name], dict) and isinstance(asked[name], dict):
            both[name] = _beside(ours[name], asked[name])
    return both


def _facts(draft: Draft, spec: Signed) -> dict[str, Any]:
    """Give what a canonical text may speak about."""
    form = draft.form or {}
    fields = sorted((k, v) for k, v in form.items() if k not in spec.unsigned)
    return {
        "method": draft.method,
        "path": draft.path,
        "query": canonical_query(draft.query),
        "body": draft.body.decode,
        "body_sha256": lambda: hashlib.sha256(draft.body).hexdigest(),
        "body_sm3": lambda: sm3(draft.body).hex(),
        "form": "&".join(f"{name}={value}" for name, value in fields),
    }


def identities(
    interface: Interface, connection: Connection, clock: Clock, send: Send
) -> list[Identity]:
    """Give the identities of an interface, in the order declared."""
    found = [_identity(spec, connection, clock, send) for spec in interface.auth]
    if interface.soap is not None and interface.soap.headers:
        found.insert(0, SoapHeaders(interface.soap.headers, connection, clock))
    return found


def _identity(spec: Auth, connection: Connection, clock: Clock, send: Send) -> Identity:
    found: Identity
    match spec:
        case Basic():
            found = BasicIdentity(connection)
        case ApiKey():
            found = KeyIdentity(spec, connection)
        case FieldsAuth():
            found = FieldsIdentity(spec, connection, clock)
        case WsSecurityUsername():
            found = UsernameToken(spec, connection, clock)
        case WsSecurityX509():
            found = X509Signature(spec, connection, clock)
        case Signed():
            found = Signature(spec, connection, clock)
        case OAuth2ClientCredentials():
            found = BearerToken(spec, connection, clock, send)
        case NoAuth():
            found = Silent()
    return found
