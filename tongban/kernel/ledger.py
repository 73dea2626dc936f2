"""Ledger: what all workers of an installation must know together about one system's budget.

Turns, slots, failures in a row and the rows of the night, as one small state with pure
transitions. `MemoryLedger` keeps it inside a process; `tongban.store.ledger` keeps it in PostgreSQL
for all workers. Nothing here waits, opens a socket or knows the hours.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from uuid import uuid4

Verdict = Literal["answered", "failed", "silent"]
"""What a call says about its system: it answered, it did not, or neither (we gave up before)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a ledger holds a system to.

    Attributes:
        gap_s: Least time between two calls.
        slots: Calls at the same time.
        failures: Failures in a row that open the breaker.
        open_s: How long it stays open.
        hold_s: After so long a slot is free again, whatever became of its holder.
    """

    gap_s: float
    slots: int
    failures: int
    open_s: float
    hold_s: float


@dataclass(frozen=True, slots=True)
class Entry:
    """The answer to "may I call?".

    Attributes:
        token: The slot that was taken; None when all are taken or the breaker is open.
        wait_s: Seconds until our turn.
        refused_s: Seconds for which the breaker stays open.
        is_probe: The breaker's pause is over and this call finds out whether the system is back.
    """

    token: str | None = None
    wait_s: float = 0.0
    refused_s: float = 0.0
    is_probe: bool = False


@dataclass(slots=True)
class LedgerState:
    """The state of one system; moments are seconds of the ledger's own clock."""

    next_at: float = 0.0
    failures: int = 0
    open_until: float = 0.0
    slots: dict[str, float] = field(default_factory=dict)
    night: str = ""
    rows: int = 0

    def enter(self, now: float, limits: Limits) -> Entry:
        """Take a slot and a turn, unless the breaker is open or all slots are taken.

        After the breaker's pause one caller may try; the others wait for what it finds out.
        """
        if (refused := self.refused(now)) > 0:
            return Entry(refused_s=refused)
        held = {t: end for t, end in self.slots.items() if end > now and not is_gone(t)}
        self.slots = held
        if len(held) >= limits.slots:
            return Entry()
        is_probe = self.failures >= limits.failures
        if is_probe:
            self.open_until = now + limits.open_s
        turn = max(self.next_at, now)
        self.next_at = turn + limits.gap_s
        token = f"{_OWNER}/{uuid4().hex}"
        held[token] = turn + limits.hold_s
        return Entry(token=token, wait_s=turn - now, is_probe=is_probe)

    def refused(self, now: float) -> float:
        """Seconds for which the breaker stays open; 0 when it is closed."""
        return max(0.0, self.open_until - now)

    def leave(self, token: str, verdict: Verdict, now: float, limits: Limits) -> None:
        """Give the slot back and note what the call showed."""
        self.slots.pop(token, None)
        if verdict == "answered":
            self.failures, self.open_until = 0, 0.0
        elif verdict == "failed":
            self.failures += 1
            if self.failures >= limits.failures:
                self.open_until = now + limits.open_s

    def count_rows(self, night: str, rows: int, most: int) -> bool:
        """Add rows to a night's count, or take some back; False when the night is used up."""
        if night != self.night:
            self.night, self.rows = night, 0
        if rows > 0 and self.rows >= most:
            return False
        self.rows = max(0, self.rows + rows)
        return True


class Ledger(Protocol):
    """Where the state of every system is kept."""

    def enter(self, system: str, limits: Limits) -> Entry:
        """See `LedgerState.enter`."""
        ...

    def refused(self, system: str) -> float:
        """See `LedgerState.refused`."""
        ...

    def leave(self, system: str, token: str, verdict: Verdict, limits: Limits) -> None:
        """See `LedgerState.leave`."""
        ...

    def count_rows(self, system: str, night: str, rows: int, most: int) -> bool:
        """See `LedgerState.count_rows`."""
        ...


class MemoryLedger:
    """A ledger of this process alone: for tools without a database, and for tests.

    Args:
        now: Seconds that never run backwards.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._states: dict[str, LedgerState] = {}

    def _state(self, system: str) -> LedgerState:
        return self._states.setdefault(system, LedgerState())

    def enter(self, system: str, limits: Limits) -> Entry:
        """Take a slot and a turn."""
        with self._lock:
            return self._state(system).enter(self._now(), limits)

    def refused(self, system: str) -> float:
        """Seconds for which the breaker stays open."""
        with self._lock:
            return self._state(system).refused(self._now())

    def leave(self, system: str, token: str, verdict: Verdict, limits: Limits) -> None:
        """Give the slot back."""
        with self._lock:
            self._state(system).leave(token, verdict, self._now(), limits)

    def count_rows(self, system: str, night: str, rows: int, most: int) -> bool:
        """Count rows of a night."""
        with self._lock:
            return self._state(system).count_rows(night, rows, most)


def _started(pid: int) -> str:
    """When a process started, as the kernel writes it; "" where nobody knows."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def is_gone(token: str) -> bool:
    """Tell whether the holder of a slot was a process of this machine that has died."""
    owner = token.partition("/")[0]
    if owner == _OWNER:
        return False
    host, _, rest = owner.partition("|")
    pid, _, started = rest.partition("|")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return bool(started) and _started(int(pid)) not in {started, ""}


def _owner() -> str:
    """Name this process so that another one can see whether it still lives."""
    return f"{socket.gethostname()}|{os.getpid()}|{_started(os.getpid())}"


_OWNER = _owner()


def _renamed() -> None:
    """After a fork the child is a process of its own."""
    global _OWNER  # noqa: PLW0603 - the name of the process is a fact of the process
    _OWNER = _owner()


os.register_at_fork(after_in_child=_renamed)
