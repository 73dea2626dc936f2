"""Ledger in PostgreSQL: one row per system, locked for the moment of one transition.

All workers of all hosts share it, so rate, concurrency, breaker and the rows of the night hold for
the installation and not for a process. It runs on the database's clock: hosts may disagree about
the time. A lost row costs at most one pause; nothing else depends on it, so its commits do not
wait for the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from psycopg import sql
from sqlalchemy import Connection, Engine, text

from tongban.kernel.ledger import Entry, LedgerState, Limits, Verdict
from tongban.store.engine import driver_of, transaction

T = TypeVar("T")

_MAKE = text("""
    INSERT INTO hub.budget_ledger (system, state) VALUES (:system, '{}') ON CONFLICT DO NOTHING
""")
# The clock is read after the lock was given: an older moment would undo another worker's turn.
_LOCK = sql.SQL("""
    SET LOCAL synchronous_commit = off;
    WITH locked AS MATERIALIZED (
        SELECT state FROM hub.budget_ledger WHERE system = {} FOR UPDATE)
    SELECT state, extract(epoch FROM clock_timestamp())::float8 FROM locked
""")
_KEEP = sql.SQL("""
    UPDATE hub.budget_ledger SET state = {}::jsonb, updated_at = now() WHERE system = {};
    COMMIT
""")
_READ = text("""
    SELECT state, extract(epoch FROM clock_timestamp())::float8 AS now
      FROM hub.budget_ledger WHERE system = :system
""")


class PostgresLedger:
    """The ledger that all workers share.

    Args:
        engine: From `open_engine`; a short transaction for each transition.
        now: Another clock than the database's, for tests.

    Raises:
        DatabaseUnavailable: From every method; then nothing may be called.
    """

    def __init__(self, engine: Engine, now: Callable[[], float] | None = None) -> None:
        self._engine = engine
        self._now = now

    def enter(self, system: str, limits: Limits) -> Entry:
        """Take a slot and a turn."""
        return self._change(system, lambda state, now: state.enter(now, limits))

    def refused(self, system: str) -> float:
        """Seconds for which the breaker stays open."""
        with transaction(self._engine) as conn:
            row = conn.execute(_READ, {"system": system}).first()
        if row is None:
            return 0.0
        return LedgerState(**row.state).refused(self._now() if self._now else row.now)

    def leave(self, system: str, token: str, verdict: Verdict, limits: Limits) -> None:
        """Give the slot back."""
        self._change(system, lambda state, now: state.leave(token, verdict, now, limits))

    def count_rows(self, system: str, night: str, rows: int, most: int) -> bool:
        """Count rows of a night."""
        return self._change(system, lambda state, _now: state.count_rows(night, rows, most))

    def _change(self, system: str, work: Callable[[LedgerState, float], T]) -> T:
        """Lock, change and keep one system's state, in two round trips: it is once per call."""
        with transaction(self._engine) as conn:
            state, now = _locked(conn, system)
            result = work(state, self._now() if self._now else now)
            text = json.dumps(asdict(state))
            _execute(conn, _KEEP.format(sql.Literal(text), sql.Literal(system)))
        return result


def _locked(conn: Connection, system: str) -> tuple[LedgerState, float]:
    row = _execute(conn, _LOCK.format(sql.Literal(system)))
    if row is None:
        conn.execute(_MAKE, {"system": system})
        row = _execute(conn, _LOCK.format(sql.Literal(system)))
    assert row is not None  # noqa: S101 - it was made just now
    return LedgerState(**row[0]), row[1]


def _execute(conn: Connection, statements: sql.Composed) -> tuple[Any, ...] | None:
    """Run several statements in one round trip; the first row of the last one, if it has rows."""
    with driver_of(conn).cursor() as cursor:
        cursor.execute(statements)
        while cursor.nextset():
            pass
        return cursor.fetchone() if cursor.description else None
