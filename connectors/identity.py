"""Identity: what every way to say who we are can do to a request.

Before the body is serialized it may write form fields, message parts and SOAP headers; after it,
signatures over the body's bytes. The kinds are in `auth` and `tokens`.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any, Protocol

from connectors.clock import Clock
from connectors.drafts import Answer, Draft
from connectors.templates import format_moment
from tongban.kernel.connections import Connection
from tongban.kernel.interfaces import (
    Interface,
)


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

    def check(self, answer: Answer, interface: Interface, where: str) -> None:
        """Refuse an answer that does not prove who wrote it."""
        ...


def identity_values(connection: Connection, clock: Clock) -> dict[str, Any]:
    """What templates of our identity may name; a secret is read only where one is named."""
    now = clock.now()
    return {
        "login": lambda: connection.secret("login"),
        "secret": connection.secret,
        "timestamp": format_moment(now, "iso"),
        "nonce": secrets.token_hex(16),
        "now": lambda pattern="iso": format_moment(now, pattern),
    }


class Silent:
    """Does nothing; the others override what they need."""

    def before(self, draft: Draft) -> None:
        """Leave the draft alone."""

    def after(self, draft: Draft) -> None:
        """Leave the draft alone."""

    def renew(self) -> bool:
        """Nothing can die."""
        return False

    def check(self, answer: Answer, interface: Interface, where: str) -> None:
        """Believe the answer."""


def basic_header(login: str, password: str) -> str:
    """Write HTTP Basic credentials (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()
