"""Stored clocks are what the fold says, in SQL as in Python, also after a new notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from tongban.cases.calendar_table import revision_in_force, sync_calendar
from tongban.cases.catalogue import CaseCatalogue
from tongban.cases.clock import ClockEvent, Clocks
from tongban.cases.clock_store import clocks_of, record_event, store_clocks, with_steps
from tongban.cases.number import accept_no
from tongban.kernel.calendar import WorkingDays, load_calendar
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.store.engine import open_engine

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]
CALENDAR = load_calendar(ROOT / "mappings" / "calendar")
CATALOGUE = CaseCatalogue(ROOT)
FLOW = CATALOGUE.flows["house_sale"]
NUMBER = accept_no(date(2026, 11, 24), 1)
CASE = """
INSERT INTO cases.gov_case (accept_no, application_no, application_id, item_code, item_name, state,
                            applied_at, accepted_at, promised_on, promise_days, changed_at, is_told)
VALUES (:no, :no, gen_random_uuid(), :item, 'x', 'ACCEPTED', :at, :at, :due, :days, now(), true)
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database."""
    found = open_engine(database_url)
    yield found
    found.dispose()


def at(day: date, event: str, **more: object) -> ClockEvent:
    """An event at ten in the morning."""
    moment = datetime(day.year, day.month, day.day, 10, tzinfo=BEIJING)
    return ClockEvent(event, moment, **more)  # type: ignore[arg-type]


def open_case(conn: Connection, number: str, day: date, *, promise: int = 5) -> None:
    """A house sale that was accepted on a day."""
    moment = datetime(day.year, day.month, day.day, 10, tzinfo=BEIJING)
    values = {"no": number, "item": FLOW.item, "at": moment, "days": promise}
    conn.execute(text(CASE), {**values, "due": CALENDAR.due(day, promise).day})
    record_event(conn, number, at(day, "ACCEPTED"), source="test")


def keep(conn: Connection, today: date, calendar: WorkingDays = CALENDAR) -> Clocks:
    """Fold the case and keep its clocks."""
    found = clocks_of(conn, [NUMBER], CATALOGUE, calendar, today=today)
    store_clocks(conn, found)
    return found[NUMBER]


def kept(conn: Connection, clock: str = "promise") -> dict[str, object]:
    """A stored clock."""
    sql = text("SELECT * FROM cases.clock WHERE accept_no = :no AND clock = :clock")
    return dict(conn.execute(sql, {"no": NUMBER, "clock": clock}).mappings().one())


def test_the_calendar_is_brought_once_and_numbers_every_day(engine: Engine):
    """A second call finds it done."""
    with engine.begin() as conn:
        assert () == sync_calendar(conn, CALENDAR) == sync_calendar(conn, CALENDAR)
        assert CALENDAR.revision == revision_in_force(conn)
        assert 1 == conn.exec_driver_sql("SELECT count(*) FROM cases.calendar_revision").scalar()
        sql = text("SELECT is_working, ordinal, source FROM cases.calendar_day WHERE day = :day")
        for day in (date(2018, 9, 29), date(2026, 10, 1), date(2027, 2, 8), date(2040, 1, 1)):
            row = conn.execute(sql, {"day": day}).one()
            assert (CALENDAR.is_working(day), CALENDAR.ordinal(day), CALENDAR.source(day)) == row


def test_events_are_appended_once_and_never_changed(engine: Engine):
    """Duplicates do nothing; another content under one key is refused."""
    day = date(2026, 3, 2)
    asked = at(day, "CORRECTION_ASKED", key="B1", notice_no="B1")
    with engine.begin() as conn:
        open_case(conn, NUMBER, day)

        assert record_event(conn, NUMBER, asked, source="window")
        assert not record_event(conn, NUMBER, asked, source="window")
        assert record_event(conn, NUMBER, replace(asked, key="B2"), source="window")
        with pytest.raises(ConfigInvalid, match="never changed"):
            record_event(conn, NUMBER, replace(asked, notice_no="B9"), source="window")
        with pytest.raises(ConfigInvalid, match="no clock knows"):
            record_event(conn, NUMBER, at(day, "NOSUCH"), source="window")
        with pytest.raises(ConfigInvalid, match="no case has"):
            record_event(conn, accept_no(day, 9), at(day, "DECIDED"), source="window")


def test_the_restart_of_the_notice_is_kept_with_its_rule(engine: Engine):
    """Vector: corrections complete on 9 October 2018, five working days end on the 16th."""
    with engine.begin() as conn:
        open_case(conn, NUMBER, date(2018, 10, 8))
        for event in (
            at(date(2018, 10, 8), "CORRECTION_ASKED", key="B1", notice_no="B1"),
            at(date(2018, 10, 9), "CORRECTION_DONE", key="B1"),
        ):
            record_event(conn, NUMBER, event, source="window")

        keep(conn, date(2018, 10, 10))

        assert (date(2018, 10, 16), 2, 0) == tuple(
            kept(conn)[name] for name in ("due_on", "epoch", "used_days")
        )
        rules = conn.exec_driver_sql(
            "SELECT rule FROM cases.clock_interval WHERE clock = 'promise' ORDER BY seq"
        ).scalars()
        assert ["promised", "correction_wait", "correction_restart"] == list(rules)


def test_a_new_notice_moves_open_clocks_and_leaves_ended_ones(engine: Engine):
    """The case's promise follows, and is told again; the second run moves nothing."""
    day, other = date(2026, 12, 28), accept_no(date(2026, 12, 28), 2)
    news = WorkingDays(
        [*CALENDAR._off, date(2027, 1, 1), date(2027, 1, 4)], CALENDAR._worked, projected=()
    )
    with engine.begin() as conn:
        sync_calendar(conn, CALENDAR)
        open_case(conn, NUMBER, day)
        open_case(conn, other, day)
        record_event(conn, other, at(day, "DECIDED"), source="test")
        for number in (NUMBER, other):
            found = clocks_of(conn, [number], CATALOGUE, CALENDAR, today=day)
            store_clocks(conn, found)

        moved = sync_calendar(conn, news)

        promise = next(item for item in moved if item.clock == "promise")
        assert {NUMBER} == {item.accept_no for item in moved if item.clock == "promise"}
        assert (date(2027, 1, 5), date(2027, 1, 6)) == (promise.old_due, promise.new_due)
        told = "SELECT promised_on, is_told FROM cases.gov_case WHERE accept_no = %s"
        assert (date(2027, 1, 6), False) == tuple(conn.exec_driver_sql(told, (NUMBER,)).one())
        assert (date(2027, 1, 5), True) == tuple(conn.exec_driver_sql(told, (other,)).one())
        assert not kept(conn)["is_provisional"]
        assert () == sync_calendar(conn, news)


history = st.lists(
    st.tuples(
        st.sampled_from(
            ["CORRECTION_ASKED", "CORRECTION_DONE", "SPECIAL_STARTED", "SPECIAL_ENDED"]
        ),
        st.integers(0, 20),
    ),
    max_size=7,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dates(date(2018, 10, 8), date(2026, 6, 30)), history, st.integers(0, 6))
def test_sql_and_python_agree_on_every_deadline(
    engine: Engine, day: date, found: list, promise: int
):
    """A calendar's change, computed set-based, gives what folding anew gives."""
    closed = {day + timedelta(days=n): False for n in (1, 4, 9, 16)}
    news = WorkingDays(CALENDAR._off, CALENDAR._worked, projected=CALENDAR._projected, local=closed)
    with engine.connect() as conn, conn.begin() as trial:
        conn.exec_driver_sql("DELETE FROM cases.calendar_day")
        open_case(conn, NUMBER, day, promise=promise)
        for n, (name, after) in enumerate(found):
            event = at(day + timedelta(days=after), name, key=name[:7] + str(n), notice_no="N")
            record_event(conn, NUMBER, event, source="test")
        last = day + timedelta(days=20)
        states = keep(conn, last).states
        sync_calendar(conn, news)
        fresh = clocks_of(conn, [NUMBER], CATALOGUE, news, today=last)[NUMBER]
        for before, state in zip(states, fresh.states, strict=True):
            if state.state == "runs" and state.due_on and not state.clock.startswith("step"):
                stood = [i for i in fresh.intervals if i.clock == state.clock and i.ended_on]
                fixed = before.is_overdue and bool(stood)
                assert fixed or state.due_on == kept(conn, state.clock)["due_on"]
        trial.rollback()


def test_steps_follow_from_what_the_departments_recorded():
    """A record that is older than the application ends its step when the step begins."""
    events = [
        at(date(2026, 3, 4), "ACCEPTED"),
        at(date(2026, 3, 2), "CONTRACT_RECORDED"),
        at(date(2026, 3, 6), "DEED_TAX_PAID"),
        at(date(2026, 3, 9), "REGISTERED"),
    ]

    made = [(e.event, e.step, e.day.day) for e in with_steps(events, FLOW)[4:]]

    assert [
        ("STEP_STARTED", "contract", 4),
        ("STEP_PASSED", "contract", 4),
        ("STEP_STARTED", "payment", 4),
        ("STEP_PASSED", "payment", 6),
        ("STEP_STARTED", "registration", 6),
        ("STEP_PASSED", "registration", 9),
        ("DECIDED", "", 9),
    ] == made
    assert events[1:] == with_steps(events[1:], FLOW)
