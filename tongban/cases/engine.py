"""The case engine: open new cases, move open ones, tell what changed (thin; house sales only).

`advance` does its work in one transaction under one advisory lock, so that two runs at the same
time cannot give two numbers to one application. What changed is told afterwards as the three
datasets that go to the substation; a crash between the two only means that it is told again,
and equal content writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine, text

from tongban.cases.house_sale import ADVISORY_LOCK, move_cases
from tongban.cases.intake import accept_applications
from tongban.cases.tables import ensure_tables
from tongban.kernel.calendar import WorkingDays
from tongban.kernel.contracts import Contract
from tongban.store.engine import transaction

TELL_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one run did: cases opened, and cases moved by each event."""

    opened: int
    moved: dict[str, int]


def advance(engine: Engine, contracts: dict[str, Contract], calendar: WorkingDays) -> Advanced:
    """Open and move cases as far as the stored records carry them."""
    with transaction(engine) as conn:
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        ensure_tables(conn)
        opened = accept_applications(conn, contracts, calendar)
        moved = move_cases(conn, contracts)
    return Advanced(opened=opened, moved=moved)


@dataclass(frozen=True, slots=True)
class Telling:
    """Cases whose change is not yet told, and their rows in the three datasets.

    Attributes:
        marks: (accept_no, changed_at) of each, for `mark_told`.
        applications: record ids of the online applications, in the order of `cases`.
        cases: One row per case with the columns of cases.gov_case.
    """

    marks: list[tuple[str, datetime]]
    cases: pl.DataFrame


def untold(engine: Engine, *, limit: int = TELL_AT_ONCE) -> Iterator[Telling]:
    """Cases that changed since they were last told, in batches; call `mark_told` for each."""
    sql = text(
        "SELECT accept_no, application_no, application_id::text AS application_id, item_code,"
        " item_name, unit_no, state, applied_at, accepted_at, promised_on, contract_no,"
        " contract_at, ticket_no, paid_at, business_no, certificate_no, registered_at, changed_at"
        " FROM cases.gov_case WHERE NOT is_told ORDER BY accept_no LIMIT :limit"
    )
    while True:
        with transaction(engine) as conn:
            rows = [dict(row) for row in conn.execute(sql, {"limit": limit}).mappings()]
        if not rows:
            return
        marks = [(row["accept_no"], row["changed_at"]) for row in rows]
        yield Telling(marks=marks, cases=pl.DataFrame(rows, infer_schema_length=None))


def mark_told(engine: Engine, marks: list[tuple[str, datetime]]) -> None:
    """Note that these states were told; a case that changed meanwhile stays untold."""
    statement = text(
        "UPDATE cases.gov_case SET is_told = true WHERE accept_no = :no AND changed_at = :at"
    )
    with transaction(engine) as conn:
        conn.execute(statement, [{"no": no, "at": at} for no, at in marks])


def case_row(engine: Engine, accept_no: str) -> dict[str, Any] | None:
    """One case by its number, or None."""
    with transaction(engine) as conn:
        row = (
            conn.execute(
                text("SELECT * FROM cases.gov_case WHERE accept_no = :no"), {"no": accept_no}
            )
            .mappings()
            .first()
        )
    return dict(row) if row else None
