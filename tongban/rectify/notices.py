"""Notices: ask a department for corrections, under a number of its own and until a working day.

Numbers count up per department and year without gaps: the counter's row is locked until the notice
itself is committed, so of two issuers one waits, and a number that is rolled back is given again.
Every open row stands in at most one notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Engine, RowMapping, text

from tongban.evidence.log import append_fact
from tongban.kernel.calendar import WorkingDays
from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.rectify.waivers import reopen_expired
from tongban.store.engine import transaction

KIND = "notice"

_WAITING = text("""
    SELECT DISTINCT q.dataset FROM hub.quarantine q
     WHERE q.system = :department AND q.state = 'open'
       AND (CAST(:dataset AS text) IS NULL OR q.dataset = :dataset)
       AND NOT EXISTS (SELECT FROM hub.notice_row n WHERE n.quarantine_id = q.quarantine_id)
     ORDER BY q.dataset
""")
_NEXT = text("""
    INSERT INTO hub.notice_counter (department, year, last) VALUES (:department, :year, 1)
    ON CONFLICT (department, year) DO UPDATE SET last = notice_counter.last + 1
    RETURNING last
""")
_PUT = text("""
    INSERT INTO hub.notice (notice_no, department, year, number, dataset, rows, issued_by, due_on,
                            is_provisional, rules)
    VALUES (:notice_no, :department, :year, :number, :dataset, 0, :issued_by, :due_on,
            :is_provisional, '{}')
""")
# The counter is locked, so nobody else is taking rows of this department.
_TAKE = text("""
    INSERT INTO hub.notice_row (quarantine_id, notice_no)
    SELECT q.quarantine_id, :notice_no FROM hub.quarantine q
     WHERE q.system = :department AND q.dataset = :dataset AND q.state = 'open'
       AND NOT EXISTS (SELECT FROM hub.notice_row n WHERE n.quarantine_id = q.quarantine_id)
""")
_SUMMED = text("""
    UPDATE hub.notice SET rows = :rows, rules = (
        SELECT coalesce(jsonb_object_agg(rule, rows), '{}') FROM (
            SELECT f->>'rule' AS rule, count(*) AS rows
              FROM hub.notice_row n JOIN hub.quarantine q USING (quarantine_id),
                   jsonb_array_elements(q.findings) f
             WHERE n.notice_no = :notice_no GROUP BY 1) r)
     WHERE notice_no = :notice_no RETURNING rules
""")
_LISTED = text("""
    SELECT n.notice_no, n.department, n.dataset, n.rows, n.issued_at, n.issued_by, n.due_on,
           n.is_provisional, n.rules,
           (SELECT count(*) FROM hub.notice_row r JOIN hub.quarantine q USING (quarantine_id)
             WHERE r.notice_no = n.notice_no AND q.state = 'open') AS open_rows
      FROM hub.notice n
     WHERE CAST(:department AS text) IS NULL OR n.department = :department
     ORDER BY n.issued_at DESC, n.notice_no DESC
""")


@dataclass(frozen=True, slots=True)
class Notice:
    """One correction notice.

    Attributes:
        notice_no: `<department>-<year>-<number>`.
        due_on: Last working day; provisional where no official calendar covers it.
        rules: Rule → rows.
    """

    notice_no: str
    department: str
    dataset: str
    rows: int
    due_on: date
    is_provisional: bool
    rules: Mapping[str, int] = field(default_factory=dict)


def issue_notices(
    engine: Engine,
    catalog: Catalog,
    calendar: WorkingDays,
    department: str,
    *,
    by: str,
    dataset: str | None = None,
    today: date | None = None,
) -> list[Notice]:
    """Issue one notice per dataset that has open rows which no notice asks for yet.

    Args:
        engine: The hub's database.
        catalog: Contracts say how many working days a correction may take.
        calendar: Working days.
        department: System whose rows they are.
        by: Who issues it.
        dataset: Only this one.
        today: Day of issue; today in Beijing when not given.

    Raises:
        ConfigInvalid: Unknown department, or nobody is named as issuing it.
    """
    if not by.strip():
        raise ConfigInvalid("notice: nobody is named as issuing it; give a user name")
    catalog.system(department)
    day = today or datetime.now(BEIJING).date()
    with transaction(engine) as conn:
        reopen_expired(conn, day)
        facts = {"department": department, "dataset": dataset}
        names = list(conn.execute(_WAITING, facts).scalars())
    found = []
    for name in names:
        deadline = calendar.add(day, catalog.contract(name).rectification_days)
        head = {"department": department, "dataset": name, "year": day.year, "issued_by": by}
        head |= {"due_on": deadline.day, "is_provisional": deadline.is_provisional}
        with transaction(engine) as conn:
            notice = _issue(conn, head)
        if notice is not None:
            found.append(notice)
    return found


def listed_notices(conn: Connection, department: str | None = None) -> list[RowMapping]:
    """All notices, newest first, with how many of their rows are still open."""
    return list(conn.execute(_LISTED, {"department": department}).mappings())


def _issue(conn: Connection, head: dict[str, object]) -> Notice | None:
    """One notice with its rows; None when another issuer has taken them meanwhile."""
    with conn.begin_nested() as savepoint:
        number = conn.execute(_NEXT, head).scalar_one()
        notice_no = f"{head['department']}-{head['year']}-{number:04d}"
        conn.execute(_PUT, {**head, "number": number, "notice_no": notice_no})
        rows = conn.execute(_TAKE, {**head, "notice_no": notice_no}).rowcount
        if rows == 0:
            savepoint.rollback()  # the number is given to the next one
            return None
    rules = conn.execute(_SUMMED, {"notice_no": notice_no, "rows": rows}).scalar_one()
    notice = Notice(
        notice_no=notice_no,
        department=str(head["department"]),
        dataset=str(head["dataset"]),
        rows=rows,
        due_on=head["due_on"],  # type: ignore[arg-type]
        is_provisional=bool(head["is_provisional"]),
        rules=rules,
    )
    subject = {
        "notice": notice_no,
        "dataset": notice.dataset,
        "rows": rows,
        "due_on": notice.due_on.isoformat(),
        "by": str(head["issued_by"]),
    }
    append_fact(conn, KIND, subject)
    return notice
