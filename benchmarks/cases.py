"""Benchmark of cases: deadlines of a million clocks in SQL, a new calendar, look-up by any number.

A server of its own with its default durability, filled by SQL with synthetic cases of which a fifth
stood still for some days. A sample of the deadlines is held against the calendar's own arithmetic;
a wrong one stops the benchmark. `TONGBAN_BENCH_CASES` says how many (1,000,000).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg
from sqlalchemy import Connection, Engine, text

from benchmarks.figures import Row, figure
from tongban.cases.aliases import cases_of
from tongban.cases.calendar_table import DEADLINES, sync_calendar
from tongban.cases.clock import ClockEvent, ClockPolicy, run_clocks
from tongban.kernel.calendar import WorkingDays, load_calendar
from tongban.kernel.records import BEIJING
from tongban.kernel.settings import load_settings
from tongban.local import databases, placement, ports, postgres
from tongban.store.engine import open_engine
from tongban.store.migrate import migrate

CASES_VARIABLE = "TONGBAN_BENCH_CASES"
CASES = 1_000_000
OPEN = 100_000  # of which a new notice moves the last days
LOOKUPS = 2000
FOLDS = 5000
LIMIT_DAYS = 20
FIRST_DAY = date(2024, 1, 1)
_ROLE_PASSWORD = "only-for-benchmarks"  # noqa: S105 - of a server that lives for minutes

_NUMBER = "(body || lpad((98 - (body * 100) % 97)::text, 2, '0'))"
_FILL = f"""
CREATE TEMP TABLE made AS
SELECT n, {_NUMBER} AS accept_no, date '{FIRST_DAY}' + (n % 700)::int AS day
  FROM (SELECT n, 6208240101000000 + (n / 900000) * 1000000 + n % 900000 + 1 AS body
          FROM generate_series(0::bigint, CAST(:count AS bigint) - 1) AS n) AS bodies;
INSERT INTO cases.gov_case (accept_no, application_no, application_id, item_code, item_name, state,
                            applied_at, accepted_at, promised_on, promise_days, changed_at, is_told)
SELECT accept_no, 'SQ' || n, gen_random_uuid(), 'x', 'x', 'ACCEPTED', day, day, day, 20, now(), true
  FROM made;
INSERT INTO cases.alias (alias, system, kind, accept_no)
SELECT 'SQ' || n, 'substation', 'application_no', accept_no FROM made
UNION ALL SELECT 'HT' || n, 'housing', 'contract_no', accept_no FROM made
UNION ALL SELECT 'SP' || n, 'tax', 'ticket_no', accept_no FROM made WHERE n % 2 = 0;
INSERT INTO cases.clock (accept_no, clock, epoch, state, limit_days, used_days, since_on, due_on,
                         is_provisional, is_overdue)
SELECT accept_no, 'promise', 1, 'runs', {LIMIT_DAYS}, 0,
       CASE WHEN n % 5 = 0 THEN day + 9 ELSE day END, NULL, false, false FROM made;
INSERT INTO cases.clock_interval (accept_no, clock, seq, epoch, counts, began_on, ended_on, rule)
SELECT accept_no, 'promise', 1, 1, true, day, day + 4, 'promised' FROM made WHERE n % 5 = 0
UNION ALL
SELECT accept_no, 'promise', 2, 1, false, day + 4, day + 9, 'special' FROM made WHERE n % 5 = 0;
"""
_SAMPLE = """
SELECT c.since_on, c.due_on, coalesce(i.began_on, c.since_on), coalesce(i.ended_on, c.since_on)
  FROM cases.clock AS c
  LEFT JOIN cases.clock_interval AS i ON i.accept_no = c.accept_no AND i.counts
 WHERE c.state = 'runs' ORDER BY c.accept_no DESC LIMIT 500
"""


def run() -> list[Row]:
    """Fill, measure, check."""
    count = int(os.environ.get(CASES_VARIABLE, CASES))
    calendar = load_calendar(load_settings().root / "mappings" / "calendar")
    with _server() as engine:
        with engine.begin() as conn:
            sync_calendar(conn, calendar)
            for statement in filter(str.strip, _FILL.split(";\n")):
                conn.execute(text(statement), {"count": count} if ":count" in statement else {})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))
        with engine.begin() as conn:
            deadlines = _deadlines(conn, calendar)
            lookups = _lookups(conn, count)
        revised = _revision(engine)
    return [
        figure("cases.deadlines", deadlines, "s", at_most=5, note=f"{count:,} clocks in SQL"),
        figure("cases.lookup.p50", lookups[len(lookups) // 2], "ms"),
        figure("cases.lookup.p95", lookups[int(len(lookups) * 0.95)], "ms", at_most=50),
        figure("cases.new-notice", revised, "s", at_most=10, note=f"{min(count, OPEN):,} open"),
        figure("cases.fold", _folds(calendar), "cases/s"),
    ]


def _deadlines(conn: Connection, calendar: WorkingDays) -> float:
    """Seconds to find the last day of every running clock; the better of two."""
    until = {"official_until": calendar.official_until}
    best = float("inf")
    for _ in range(2):
        began = time.monotonic()
        conn.execute(text(DEADLINES), until).one()
        best = min(best, time.monotonic() - began)
    return best


def _lookups(conn: Connection, count: int) -> list[float]:
    """Milliseconds of each look-up by a random number, sorted."""
    random = Random(6208)
    times = []
    for _ in range(LOOKUPS):
        number = f"{random.choice(('SQ', 'HT'))}{random.randrange(count)}"
        began = time.monotonic()
        if not cases_of(conn, number):
            raise AssertionError("a case was not found by its number")
        times.append((time.monotonic() - began) * 1000)
    return sorted(times)


def _revision(engine: Engine) -> float:
    """Seconds to bring all open clocks to a new calendar."""
    news = WorkingDays([FIRST_DAY], [], projected=())
    with engine.begin() as conn:
        conn.execute(
            text(
                "UPDATE cases.clock SET state = 'ended' WHERE accept_no NOT IN"
                " (SELECT accept_no FROM cases.clock ORDER BY accept_no DESC LIMIT :open)"
            ),
            {"open": OPEN},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE cases.clock"))
    with engine.begin() as conn:
        began = time.monotonic()
        sync_calendar(conn, news)
        seconds = time.monotonic() - began
        for since, due, start, stop in conn.execute(text(_SAMPLE)):
            left = LIMIT_DAYS - news.between(start, stop)
            if due != news.due(since, left).day:
                raise AssertionError("a deadline of SQL differs from the calendar's")
    return seconds


def _folds(calendar: WorkingDays) -> float:
    """Cases a second that one process folds: accepted, corrected, decided."""
    morning = datetime(2026, 3, 2, 9, tzinfo=BEIJING)
    events = [
        ClockEvent("ACCEPTED", morning),
        ClockEvent("CORRECTION_ASKED", morning + timedelta(days=1), notice_no="B1"),
        ClockEvent("CORRECTION_DONE", morning + timedelta(days=3)),
        ClockEvent("DECIDED", morning + timedelta(days=7)),
    ]
    policy, today = ClockPolicy(5, 20), date(2026, 4, 1)
    began = time.monotonic()
    for _ in range(FOLDS):
        run_clocks(events, policy, calendar, today=today)
    return FOLDS / (time.monotonic() - began)


@contextmanager
def _server() -> Generator[Engine]:
    """A migrated database on a server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tongban-bench-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # the server drops root's rights and must reach its data folder
    try:
        url = postgres.start(folder / "pg", ports.free_port(), {})
        with psycopg.connect(url, autocommit=True) as connection:
            databases.ensure_role(connection, databases.HUB, _ROLE_PASSWORD, creates_roles=True)
            databases.ensure_database(connection, "bench", owner=databases.HUB)
        place = url.partition("@")[2].partition("/")[0]
        engine = open_engine(
            f"postgresql://{databases.HUB}:{_ROLE_PASSWORD}@{place}/bench", statement_timeout_s=600
        )
        migrate(engine)
        yield engine
        engine.dispose()
    finally:
        postgres.stop(folder / "pg")
        moved = placement.data_folder(folder / "pg")
        shutil.rmtree(moved.parent if moved != folder / "pg" else moved, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
