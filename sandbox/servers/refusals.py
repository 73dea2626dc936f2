"""Refusal: why a department says no to a whole call, before its protocol dresses it up.

Handlers raise it; each department turns it into its own fault or error envelope. The code table
is shared so that a reader of six protocols learns one list. A message names fields, never values.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What was wrong with a call as a whole."""

    AUTH = "auth"
    MALFORMED = "malformed"
    UNKNOWN_SERVICE = "unknown_service"
    PAGE_SIZE = "page_size"
    WINDOW = "window"
    CURSOR = "cursor"
    TOO_MANY_ROWS = "too_many_rows"
    BUSY = "busy"


class Refusal(Exception):
    """One call is refused as a whole; nothing was written."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def check_page(value: int, largest: int, name: str) -> int:
    """Return a page size inside 1..largest.

    Raises:
        Refusal: Outside; real departments truncate silently, this one says so.
    """
    if not 1 <= value <= largest:
        raise Refusal(Reason.PAGE_SIZE, f"{name} must lie in 1..{largest}")
    return value


def check_window(since: str, until: str) -> tuple[str, str]:
    """Return a half-open window in state times.

    Raises:
        Refusal: The end lies before the start.
    """
    if since > until:
        raise Refusal(Reason.WINDOW, "the window ends before it starts")
    return since, until


def check_batch(count: int, largest: int) -> None:
    """Let through a batch of 1..largest rows.

    Raises:
        Refusal: Empty or too big.
    """
    if not 1 <= count <= largest:
        raise Refusal(Reason.TOO_MANY_ROWS, f"a batch holds 1..{largest} rows, this one {count}")
