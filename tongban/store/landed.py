"""Landed: which landings there are to be read again, asked in a transaction that cannot write."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, text

_FACTS = """
    SELECT p.transfer_id, p.system, p.dataset, p.landed_at
      FROM hub.transfer t
      JOIN hub.transfer p ON p.transfer_id = coalesce(t.parent_id, t.transfer_id)
     WHERE p.direction = 'pull' AND p.landed_at IS NOT NULL
"""
_ONE = text(f"{_FACTS} AND t.transfer_id = :transfer_id")
_LAST = text(
    f"{_FACTS} AND t.system = :system AND t.dataset = :dataset"
    " ORDER BY p.landed_at DESC, p.transfer_id LIMIT :last"
)


@dataclass(frozen=True, slots=True)
class LandedTransfer:
    """One landing: its id, and the system and main dataset that it lies under."""

    landing_id: str
    system: str
    dataset: str


@contextmanager
def read_only(engine: Engine) -> Generator[Connection]:
    """A connection whose transaction the server lets write nothing."""
    with engine.connect() as fresh:
        conn = fresh.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with conn.begin():
            yield conn


def landing_of(conn: Connection, transfer_id: UUID) -> LandedTransfer | None:
    """The landing that a transfer was loaded from, or None."""
    found = _read(conn, _ONE, transfer_id=transfer_id)
    return found[0] if found else None


def last_landings(
    conn: Connection, system: str, dataset: str, last: int
) -> tuple[LandedTransfer, ...]:
    """The newest landings that hold a dataset's pages, newest first."""
    return _read(conn, _LAST, system=system, dataset=dataset, last=last)


def _read(conn: Connection, statement: object, **values: object) -> tuple[LandedTransfer, ...]:
    return tuple(
        LandedTransfer(str(row.transfer_id), row.system, row.dataset)
        for row in conn.execute(statement, values)  # type: ignore[call-overload]
    )
