"""Auth: put our identity into requests, by the closed vocabulary of `tongban.kernel.interfaces`.

Each kind may write before the body is serialized (form fields, message parts, SOAP headers) and
after it (signatures over the body's bytes). Secrets come from the connection, stay in memory and
enter neither messages nor logs. OAuth2 tokens are fetched through the same budget as any call.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from datetime import UTC
from typing import Any, Protocol
from urllib.parse import urlencode

from lxml import etree

from connectors.answers import broken_server, check_status
from connectors.clock import Clock
from connectors.drafts import Answer, Draft, canonical_query
from connectors.protocols.jsondoc import parse_json
from connectors.signatures import key_material, needs_key, sign, sm3
from connectors.templates import fill_text, format_moment
from tongban.kernel.connections import Connection
from tongban.kernel.errors import AuthenticationRefused
from tongban.kernel.interfaces import (
    ApiKey,
    Auth,
    Basic,
    Interface,
    OAuth2ClientCredentials,
    Signed,
    WsSecurityUsername,
)

Send = Callable[[Draft], Answer]

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
_MESSAGES = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"


class Identity(Protocol):
    """One way to say who we are."""

    def before(self, draft: Draft) -> None:
        """Write what must be there before the body is serialized."""
        ...

    def after(self, draft: Draft) -> None:
        """Write what depends on the serialized body."""
        ...

    def renew(self) -> bool:
        """Forget what may have died; tells whether another try can help."""
        ...


class _Silent:
    """Does nothing; the others override what they need."""

    def before(self, draft: Draft) -> None:
        """Leave the draft alone."""

    def after(self, draft: Draft) -> None:
        """Leave the draft alone."""

    def renew(self) -> bool:
        """Nothing can die."""
        return False


class BasicIdentity(_Silent):
    """HTTP Basic."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def after(self, draft: Draft) -> None:
        """Set the Authorization header."""
        login, password = self._connection.secret("login"), self._connection.secret("password")
        draft.headers["Authorization"] = basic_header(login, password)


def basic_header(login: str, password: str) -> str:
    """Write HTTP Basic credentials (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


class KeyIdentity(_Silent):
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
            draft.query.append((self._spec.name, value))


class UsernameToken(_Silent):
    """WS-Security UsernameToken 1.0, digest or text."""

    def __init__(self, spec: WsSecurityUsername, connection: Connection, clock: Clock) -> None:
        self._spec = spec
        self._connection = connection
        self._clock = clock

    def renew(self) -> bool:
        """A fresh nonce and time may be believed where the last ones were not."""
        return True

    def before(self, draft: Draft) -> None:
        """Add the Security header with a fresh nonce and creation time."""
        created = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        draft.soap_headers.append(
            security_header(
                self._connection.secret("login"),
                self._connection.secret("password"),
                nonce=secrets.token_bytes(16),
                created=created[:-3] + "Z",
                as_digest=self._spec.password == "digest",  # noqa: S105 - a password type
            )
        )


def security_header(
    login: str, password: str, *, nonce: bytes, created: str, as_digest: bool
) -> etree._Element:
    """Build the wsse:Security element: digest = base64(SHA-1(nonce + created + password)).

    Source:
        OASIS Web Services Security UsernameToken Profile 1.0, section 3.1.
    """
    security = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
    token = etree.SubElement(security, f"{{{WSSE}}}UsernameToken")
    etree.SubElement(token, f"{{{WSSE}}}Username").text = login
    secret = etree.SubElement(token, f"{{{WSSE}}}Password")
    if as_digest:
        digest = hashlib.sha1(
            nonce + created.encode() + password.encode(), usedforsecurity=False
        ).digest()
        secret.set("Type", f"{_PROFILE}#PasswordDigest")
        secret.text = base64.b64encode(digest).decode()
    else:
        secret.set("Type", f"{_PROFILE}#PasswordText")
        secret.text = password
    coded = etree.SubElement(token, f"{{{WSSE}}}Nonce", EncodingType=f"{_MESSAGES}#Base64Binary")
    coded.text = base64.b64encode(nonce).decode()
    etree.SubElement(token, f"{{{WSU}}}Created").text = created
    return security


class Signature(_Silent):
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


def _place(draft: Draft, place: str, values: dict[str, str]) -> None:
    if place == "headers":
        draft.headers.update(values)
    elif place == "query":
        draft.query.extend(values.items())
    elif place == "form":
        draft.form = {**(draft.form or {}), **values}
    else:
        draft.message = {**values, **(draft.message or {})}


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


class BearerToken(_Silent):
    """OAuth2 client credentials: one token for all calls, renewed before it ends."""

    def __init__(
        self, spec: OAuth2ClientCredentials, connection: Connection, clock: Clock, send: Send
    ) -> None:
        self._spec = spec
        self._connection = connection
        self._clock = clock
        self._send = send
        self._lock = threading.Lock()
        self._token: str | None = None
        self._good_until = 0.0

    def before(self, draft: Draft) -> None:
        """Add the Authorization header, fetching a token where there is no good one."""
        with self._lock:
            if self._token is None or self._clock.monotonic() >= self._good_until:
                self._fetch()
            draft.headers["Authorization"] = f"Bearer {self._token}"

    def renew(self) -> bool:
        """Forget the token: the system refused it."""
        with self._lock:
            self._token = None
        return True

    def _fetch(self) -> None:
        """Ask for a token (RFC 6749, section 4.4).

        Raises:
            AuthenticationRefused: The system gives us none.
        """
        login, password = self._connection.secret("login"), self._connection.secret("password")
        fields = {"grant_type": "client_credentials"}
        if self._spec.scope:
            fields["scope"] = self._spec.scope
        draft = Draft("token", "POST", self._connection.base_url + self._spec.token_path)
        if self._spec.client_in == "basic":
            draft.headers["Authorization"] = basic_header(login, password)
        else:
            fields |= {"client_id": login, "client_secret": password}
        draft.headers["Content-Type"] = "application/x-www-form-urlencoded"
        draft.headers["Accept"] = "application/json"
        draft.body = urlencode(fields).encode()
        asked_at = self._clock.monotonic()
        where = f"{self._connection.name}: token"
        answer = self._send(draft)
        check_status(answer, Interface(), draft, where)
        if answer.status >= 500:  # noqa: PLR2004 - HTTP
            raise broken_server(f"{where}: HTTP {answer.status}", writes=False)
        token = None
        if answer.status == 200:  # noqa: PLR2004 - HTTP
            document = parse_json(answer.body, where)
            token, life = document.text("access_token"), document.text("expires_in")
            seconds = float(life) if life and life.isascii() and life.isdigit() else 300.0
            margin = min(self._spec.refresh_before_s, seconds / 2)
            self._good_until = asked_at + seconds - margin
        if not token:
            raise AuthenticationRefused(
                f"{where}: HTTP {answer.status} and no token; check client id and secret of the "
                "connection",
                status=answer.status,
            )
        self._token = token


def identities(
    interface: Interface, connection: Connection, clock: Clock, send: Send
) -> list[Identity]:
    """Give the identities of an interface, in the order declared."""
    return [_identity(spec, connection, clock, send) for spec in interface.auth]


def _identity(spec: Auth, connection: Connection, clock: Clock, send: Send) -> Identity:
    if isinstance(spec, Basic):
        return BasicIdentity(connection)
    if isinstance(spec, ApiKey):
        return KeyIdentity(spec, connection)
    if isinstance(spec, WsSecurityUsername):
        return UsernameToken(spec, connection, clock)
    if isinstance(spec, Signed):
        return Signature(spec, connection, clock)
    if isinstance(spec, OAuth2ClientCredentials):
        return BearerToken(spec, connection, clock, send)
    return _Silent()
