"""The calendar as a table: deadlines by look-up for a million cases, and what a new notice moves.

`cases.calendar_day` numbers every day, so that a deadline is the working day whose ordinal is the
start's ordinal plus the days left: one join, no loop. When the files of the calendar change, the
table is replaced and every running clock is computed again; what had ended stays as it was.

Source: docs/decisions/0015-case-clocks.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from tongban.kernel.calendar import WorkingDays

_FILL = """
INSERT INTO cases.calendar_day (day, is_working, ordinal, source)
SELECT * FROM unnest(CAST(:days AS date[]), CAST(:working AS boolean[]),
                     CAST(:ordinals AS integer[]), CAST(:sources AS text[]))
"""
# Nothing left on a day off still means the next open day, never the one before.
_FRESH = """
WITH spent AS (
    SELECT i.accept_no, i.clock, i.epoch, sum(e.ordinal - b.ordinal)::int AS used
      FROM cases.clock_interval AS i
      JOIN cases.calendar_day AS b ON b.day = i.began_on
      JOIN cases.calendar_day AS e ON e.day = i.ended_on
     WHERE i.counts
     GROUP BY i.accept_no, i.clock, i.epoch),
running AS (
    SELECT c.accept_no, c.clock, c.due_on AS old_due, coalesce(s.used, 0) AS used,
           c.limit_days - coalesce(s.used, 0) AS days_left, b.ordinal, b.is_working
      FROM cases.clock AS c
      LEFT JOIN spent AS s USING (accept_no, clock, epoch)
      JOIN cases.calendar_day AS b ON b.day = c.since_on
     WHERE c.state = 'runs' AND NOT c.is_overdue),
fresh AS (
    SELECT r.accept_no, r.clock, r.old_due, r.used, d.day AS new_due,
           d.day > :official_until AS is_provisional
      FROM running AS r
      JOIN cases.calendar_day AS d
        ON d.is_working
       AND d.ordinal = r.ordinal + greatest(r.days_left, 0)
                       + CASE WHEN r.days_left <= 0 AND NOT r.is_working THEN 1 ELSE 0 END)
"""
DEADLINES = _FRESH + "SELECT count(*), max(new_due) FROM fresh"  # noqa: S608 - only constants
_RECOMPUTE = (
    _FRESH
    + """
UPDATE cases.clock AS c
   SET due_on = f.new_due, used_days = f.used, is_provisional = f.is_provisional
  FROM fresh AS f
 WHERE c.accept_no = f.accept_no AND c.clock = f.clock
   AND (c.due_on, c.used_days, c.is_provisional)
       IS DISTINCT FROM (f.new_due, f.used, f.is_provisional)
RETURNING f.accept_no, f.clock, f.old_due, f.new_due
"""
)
_PROMISES = """
UPDATE cases.gov_case AS g
   SET promised_on = c.due_on, changed_at = greatest(now(), g.changed_at), is_told = false
  FROM cases.clock AS c
 WHERE c.accept_no = g.accept_no AND c.clock = 'promise' AND c.state = 'runs'
   AND c.due_on <> g.promised_on
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A clock whose last day a new calendar moved."""

    accept_no: str
    clock: str
    old_due: date
    new_due: date


def revision_in_force(conn: Connection) -> str | None:
    """Revision of the calendar that the table holds, or None before the first."""
    sql = "SELECT revision FROM cases.calendar_revision ORDER BY seq DESC LIMIT 1"
    found: str | None = conn.execute(text(sql)).scalar()
    return found


def sync_calendar(conn: Connection, calendar: WorkingDays) -> tuple[Moved, ...]:
    """Bring the table to this calendar, and every running clock with it; idempotent.

    Args:
        conn: In a transaction that holds the cases' advisory lock.
        calendar: The calendar of the files.

    Returns:
        The clocks whose last day moved; none where the table had this calendar already.
    """
    if revision_in_force(conn) == calendar.revision:
        return ()
    conn.execute(text("DELETE FROM cases.calendar_day"))
    days, working, ordinals, sources = (
        list(column) for column in zip(*calendar.days(), strict=True)
    )
    values = {"days": days, "working": working, "ordinals": ordinals, "sources": sources}
    conn.execute(text(_FILL), values)
    conn.execute(text("ANALYZE cases.calendar_day"))
    until = calendar.official_until
    rows = conn.execute(text(_RECOMPUTE), {"official_until": until or date.min}).mappings()
    moved = tuple(Moved(**row) for row in rows if row["old_due"] != row["new_due"])
    conn.execute(text(_PROMISES))
    conn.execute(
        text(
            "INSERT INTO cases.calendar_revision (revision, official_until, moved)"
            " VALUES (:revision, :until, :moved)"
        ),
        {"revision": calendar.revision, "until": until, "moved": len(moved)},
    )
    return moved
