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
from sqlalchemy import Connection, Engine, text

from tongban.cases.aliases import collect_aliases
from tongban.cases.calendar_table import sync_calendar
from tongban.cases.catalogue import CaseCatalogue
from tongban.cases.clock_store import clocks_of, store_clocks
from tongban.cases.house_sale import ADVISORY_LOCK, move_cases
from tongban.cases.intake import accept_applications
from tongban.cases.tables import ensure_tables
from tongban.kernel.calendar import WorkingDays
from tongban.kernel.contracts import Contract
from tongban.kernel.records import BEIJING
from tongban.store.engine import transaction

TELL_AT_ONCE = 5000
CLOCKS_AT_ONCE = 5000

_UNTOLD = """
SELECT c.*, a.applicant_name, a.applicant_id_type, a.applicant_id_no, a.channel,
       i.organ_credit_code, i.organ_name
  FROM cases.gov_case AS c
  JOIN data.{online_application} AS a ON a.record_id = c.application_id
  LEFT JOIN LATERAL (
      SELECT organ_credit_code, organ_name FROM data.{service_item} AS s
       WHERE s.item_code = c.item_code ORDER BY item_version DESC LIMIT 1) AS i ON true
 WHERE NOT c.is_told
 ORDER BY c.accept_no
 LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one run did: cases opened, moved by each event, clocks moved by a new calendar."""

    opened: int
    moved: dict[str, int]
    redated: int = 0


def advance(
    engine: Engine,
    contracts: dict[str, Contract],
    calendar: WorkingDays,
    catalogue: CaseCatalogue,
) -> Advanced:
    """Open and move cases as far as the stored records carry them, and their clocks with them."""
    with transaction(engine) as conn:
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        ensure_tables(conn)
        redated = sync_calendar(conn, calendar)
        opened = accept_applications(conn, contracts, calendar)
        moved = move_cases(conn, contracts)
        collect_aliases(conn)
        _wind_clocks(conn, calendar, catalogue)
    return Advanced(opened=opened, moved=moved, redated=len(redated))


def _wind_clocks(conn: Connection, calendar: WorkingDays, catalogue: CaseCatalogue) -> None:
    """Fold the clocks of every case that changed since it was last told."""
    today = datetime.now(BEIJING).date()
    sql = text("SELECT accept_no FROM cases.gov_case WHERE NOT is_told ORDER BY accept_no")
    numbers = list(conn.execute(sql).scalars())
    for at in range(0, len(numbers), CLOCKS_AT_ONCE):
        part = numbers[at : at + CLOCKS_AT_ONCE]
        store_clocks(conn, clocks_of(conn, part, catalogue, calendar, today=today))


@dataclass(frozen=True, slots=True)
class Telling:
    """Cases whose change is not yet told, and their rows in the three datasets.

    Attributes:
        marks: (accept_no, changed_at) of each, for `mark_told`.
        cases: One row per case: the columns of cases.gov_case, the applicant as sealed in
            online_application, and the organ of the service item.
    """

    marks: list[tuple[str, datetime]]
    cases: pl.DataFrame


def untold(
    engine: Engine, contracts: dict[str, Contract], *, limit: int = TELL_AT_ONCE
) -> Iterator[Telling]:
    """Cases that changed since they were last told, in batches; call `mark_told` for each."""
    sql = text(
        _UNTOLD.format(
            online_application=contracts["online_application"].table,
            service_item=contracts["service_item"].table,
        )
    )
    while True:
        with transaction(engine) as conn:
            rows = [dict(row) for row in conn.execute(sql, {"limit": limit}).mappings()]
        if not rows:
            return
        marks = [(row["accept_no"], row["changed_at"]) for row in rows]
        for row in rows:
            row["application_id"] = row["application_id"].bytes
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
