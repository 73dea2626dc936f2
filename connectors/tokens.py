"""Tokens: OAuth2 client credentials, one token for all calls of a connector.

The token is fetched through the same budget as any call, renewed before its end and once after the
system refused it. It stays in memory and enters neither messages nor logs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlencode

from connectors.answers import broken_server, check_status
from connectors.clock import Clock
from connectors.drafts import Answer, Draft
from connectors.identity import Silent, basic_header
from connectors.protocols.jsondoc import parse_json
from tongban.kernel.connections import Connection
from tongban.kernel.errors import AuthenticationRefused
from tongban.kernel.interfaces import (
    Interface,
    OAuth2ClientCredentials,
)

Send = Callable[[Draft], Answer]


class BearerToken(Silent):
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
