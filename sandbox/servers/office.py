"""Office: what every department's server stands on.

One state file, one account of the hub, one records reader, one inbox, one nonce memory. A
department module adds its protocol. Everything runs in the event loop's thread, so that the state
file has one writer and pushes are judged one after the other.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox.credentials import load_credentials
from sandbox.intake import remember_nonce
from sandbox.servers.inbox import Inbox
from sandbox.servers.records import Records
from sandbox.servers.refusals import Reason, Refusal
from sandbox.state import open_state

LONGEST_NUMBER = 9  # digits; page numbers and sizes fit, SQLite's integers are never exceeded


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the department gave the hub; the same shape as the hub's connections."""

    login: str
    password: str
    extra: dict[str, Any] = field(default_factory=dict)


class Department(Protocol):
    """What `application` needs of a department module."""

    def routes(self) -> list[BaseRoute]:
        """Return the department's own addresses."""
        ...

    def busy(self, request: Request) -> Response:
        """Answer "busy" in the protocol's own error envelope, with HTTP 200."""
        ...

    def unauthorised(self, request: Request) -> Response:
        """Answer as though the caller's credentials had died."""
        ...


class Office:
    """The desk, the files and the doorkeeper of one department."""

    def __init__(self, system: str, state_dir: Path) -> None:
        self.system = system
        self.state_dir = state_dir
        self.connection: sqlite3.Connection = open_state(state_dir, system)
        # Every signed call forgets old nonces first; without an index that would walk them all.
        self.connection.execute("CREATE INDEX IF NOT EXISTS nonce_expires ON nonce(expires)")
        self.account = _account(state_dir, system)
        self.records = Records(self.connection)
        self.inbox = Inbox(self.connection, system)

    def admit_once(self, nonce: str, moment: float, now: float, skew_s: float) -> None:
        """Let a signed call through the door once, inside the clock skew.

        Args:
            nonce: The caller's one-time value.
            moment: The caller's clock, epoch seconds.
            now: Our clock, epoch seconds.
            skew_s: Largest difference; a nonce is remembered for twice as long.

        Raises:
            Refusal: Clocks too far apart, an empty nonce, or a nonce seen before.
        """
        check_skew(moment, now, skew_s)
        if not nonce:
            raise Refusal(Reason.AUTH, "the nonce is missing")
        if not remember_nonce(self.connection, nonce, now=now, lifetime_s=2 * skew_s):
            raise Refusal(Reason.AUTH, "the nonce was used before")

    def close(self) -> None:
        """Close the state file."""
        self.connection.close()


def check_skew(moment: float, now: float, skew_s: float) -> None:
    """Compare two clocks.

    Raises:
        Refusal: They differ by more than `skew_s` seconds.
    """
    if not abs(now - moment) <= skew_s:  # also refuses NaN
        raise Refusal(Reason.AUTH, f"the timestamp differs by more than {skew_s:.0f} s")


def read_number(text: str, name: str) -> float:
    """Read a decimal timestamp.

    Raises:
        Refusal: Not a plain number.
    """
    if not text.isascii() or not text.isdigit():
        raise Refusal(Reason.AUTH, f"{name} is missing or not a number")
    return float(text)


def read_int(text: str | None, name: str) -> int:
    """Read a whole number parameter.

    Raises:
        Refusal: Absent or not a number.
    """
    if text is None or not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise Refusal(Reason.MALFORMED, f"{name} is missing or not a whole number")
    return int(text)


def _account(state_dir: Path, system: str) -> Account:
    entry = load_credentials(state_dir)[system]
    return Account(
        login=str(entry.get("login") or ""),
        password=str(entry.get("password") or ""),
        extra=dict(entry.get("extra") or {}),
    )
