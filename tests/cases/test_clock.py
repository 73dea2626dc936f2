"""Clocks count what the law counts, whatever the order in which events arrive."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.cases.clock import ClockEvent, ClockPolicy, Clocks, run_clocks
from tongban.kernel.calendar import load_calendar
from tongban.kernel.records import BEIJING

CALENDAR = load_calendar(Path(__file__).parents[2] / "mappings" / "calendar")
LATE = date(2028, 1, 31)
days = st.dates(date(2018, 10, 8), date(2026, 6, 30))


def at(day: date, event: str, **more: object) -> ClockEvent:
    """An event at ten in the morning."""
    moment = datetime(day.year, day.month, day.day, 10, tzinfo=BEIJING)
    return ClockEvent(event, moment, **more)  # type: ignore[arg-type]


def clocks(
    *events: ClockEvent,
    promise: int = 5,
    legal: int | None = 20,
    today: date = LATE,
    **policy: object,
) -> Clocks:
    """Run them with the shipped calendar."""
    rules = ClockPolicy(promise, legal, **policy)  # type: ignore[arg-type]
    steps = {"contract": 2, "tax": 3}
    return run_clocks(events, rules, CALENDAR, today=today, step_days=steps)


def rules_of(found: Clocks, clock: str) -> list[tuple[str, bool, int]]:
    """(rule, counts, days) of a clock's intervals."""
    return [(i.rule.code, i.counts, i.days) for i in found.intervals if i.clock == clock]


@pytest.mark.parametrize(
    ("accepted", "promise", "due"),
    [
        (date(2018, 9, 28), 5, date(2018, 10, 10)),
        (date(2018, 10, 8), 10, date(2018, 10, 22)),
        (date(2026, 9, 30), 5, date(2026, 10, 13)),
    ],
)
def test_the_promise_follows_the_measured_vectors(accepted: date, promise: int, due: date):
    """Worked weekends before and after National Day count, the holiday does not."""
    found = clocks(at(accepted, "ACCEPTED"), promise=promise, today=accepted)

    assert due == found["promise"].due_on
    assert not found["promise"].is_provisional


def test_corrections_restart_the_promise_on_the_day_they_are_complete():
    """Accepted on 8 October 2018, corrections complete on the 9th: 5 days end on the 16th."""
    found = clocks(
        at(date(2018, 10, 8), "ACCEPTED"),
        at(date(2018, 10, 8), "CORRECTION_ASKED", notice_no="B1"),
        at(date(2018, 10, 9), "CORRECTION_DONE"),
        today=date(2018, 10, 10),
    )

    assert date(2018, 10, 16) == found["promise"].due_on
    assert (2, 1) == (found["promise"].epoch, found["promise"].used)
    assert [
        ("promised", True, 0),
        ("correction_wait", False, 0),
        ("correction_restart", True, 1),
    ] == rules_of(found, "promise")
    assert "平政办发〔2018〕179号 §6.2(4)" == found.intervals[1].rule.law


def test_the_legal_limit_stops_for_corrections_and_keeps_what_was_used():
    """The promise is the city's to restart, the law's limit is not."""
    found = clocks(
        at(date(2018, 10, 8), "ACCEPTED"),
        at(date(2018, 10, 10), "CORRECTION_ASKED", notice_no="B1"),
        at(date(2018, 10, 15), "CORRECTION_DONE"),
        today=date(2018, 10, 15),
    )

    assert (1, 2) == (found["legal"].epoch, found["legal"].used)
    assert CALENDAR.add(date(2018, 10, 15), 18).day == found["legal"].due_on


def test_while_papers_are_missing_nothing_is_due():
    """A clock that stands has no last day."""
    found = clocks(
        at(date(2026, 3, 2), "ACCEPTED"),
        at(date(2026, 3, 4), "CORRECTION_ASKED", notice_no="B1"),
        today=date(2026, 5, 30),
    )

    assert ("stands", None, 2) == (
        found["promise"].state,
        found["promise"].due_on,
        found["promise"].used,
    )
    assert not found["promise"].is_overdue


def test_special_procedures_stop_both_clocks():
    """Three working days of appraisal move both last days by three working days."""
    start, stop, go = date(2026, 3, 2), date(2026, 3, 4), date(2026, 3, 9)
    special = (
        at(stop, "SPECIAL_STARTED", key="T1", notice_no="T1"),
        at(go, "SPECIAL_ENDED", key="T1"),
    )

    plain = clocks(at(start, "ACCEPTED"), today=go)
    found = clocks(at(start, "ACCEPTED"), *special, today=go)

    for clock in ("promise", "legal"):
        assert CALENDAR.due(plain[clock].due_on, 3).day == found[clock].due_on
    assert ("special", False, 0) == rules_of(found, "legal")[1]


def test_a_special_procedure_that_outlasts_a_correction_keeps_the_clock_standing():
    """It starts again from zero only when both are over."""
    found = clocks(
        at(date(2026, 3, 2), "ACCEPTED"),
        at(date(2026, 3, 3), "SPECIAL_STARTED", notice_no="T1"),
        at(date(2026, 3, 4), "CORRECTION_ASKED", notice_no="B1"),
        at(date(2026, 3, 5), "CORRECTION_DONE"),
        at(date(2026, 3, 10), "SPECIAL_ENDED"),
        today=date(2026, 3, 10),
    )

    assert CALENDAR.add(date(2026, 3, 10), 5).day == found["promise"].due_on
    assert (2, 0) == (found["promise"].epoch, found["promise"].used)


def test_the_case_stands_only_when_every_open_step_stands():
    """One of two parallel steps paused stops its own clock alone."""
    events = [
        at(date(2026, 3, 2), "ACCEPTED"),
        at(date(2026, 3, 2), "STEP_STARTED", step="contract"),
        at(date(2026, 3, 2), "STEP_STARTED", step="tax"),
        at(date(2026, 3, 3), "SPECIAL_STARTED", step="tax", notice_no="T1"),
    ]

    one = clocks(*events, today=date(2026, 3, 3))
    both = clocks(*events, at(date(2026, 3, 3), "STEP_PASSED", step="contract"), today=LATE)

    assert ("runs", "stands") == (one["promise"].state, one["step:tax"].state)
    assert "stands" == both["promise"].state


def test_a_step_is_overdue_although_the_case_is_not():
    """Step clocks are their own."""
    found = clocks(
        at(date(2026, 3, 2), "ACCEPTED"),
        at(date(2026, 3, 2), "STEP_STARTED", step="contract"),
        today=date(2026, 3, 5),
    )

    assert found["step:contract"].is_overdue
    assert not found["promise"].is_overdue


@given(days, st.integers(1, 10))
def test_an_extension_moves_the_last_day_by_exactly_its_working_days(day: date, more: int):
    """For the promise and for the legal limit."""
    plain = clocks(at(day, "ACCEPTED"), today=day)
    found = clocks(at(day, "ACCEPTED"), at(day, "EXTENDED", days=more), today=day)

    for clock in ("promise", "legal"):
        assert CALENDAR.due(plain[clock].due_on, more).day == found[clock].due_on


@pytest.mark.parametrize(
    ("events", "code", "due"),
    [
        ([("EXTENDED", 3, 30)], "extension_too_long", 30),
        ([("EXTENDED", 3, 4), ("EXTENDED", 4, 4)], "extended_twice", 24),
        ([("EXTENDED", 3, None)], "extension_without_ground", 20),
        ([("EXTENDED", 40, 5)], "extended_too_late", 20),
    ],
)
def test_an_extension_that_the_law_does_not_give_is_named(
    events: list[tuple[str, int, int | None]], code: str, due: int
):
    """Once, at most ten days, before the limit has passed."""
    day = date(2026, 3, 2)
    more = [at(day + timedelta(days=after), name, days=n) for name, after, n in events]

    found = clocks(at(day, "ACCEPTED"), *more)

    assert code in {remark.code for remark in found.remarks}
    assert CALENDAR.add(day, due).day == found["legal"].due_on


def test_silence_in_the_pre_check_means_accepted_as_of_receipt():
    """Law of licensing, art. 32(4)."""
    day = date(2026, 3, 2)
    due = CALENDAR.add(day, 5).day

    waiting = clocks(at(day, "RECEIVED"), today=due)
    silent = clocks(at(day, "RECEIVED"), today=due + timedelta(days=1))

    assert ["pre_check"] == [state.clock for state in waiting.states]
    assert ("silence", True) == rules_of(silent, "promise")[0][:2]
    assert CALENDAR.add(day, 5).day == silent["promise"].due_on
    assert "SILENCE" == silent.intervals[0].ended_by


def test_an_acceptance_that_comes_after_the_silence_changes_nothing():
    """The clock has been running since the day of receipt."""
    day = date(2026, 3, 2)

    found = clocks(at(day, "RECEIVED"), at(date(2026, 3, 20), "ACCEPTED"), today=LATE)

    assert day == next(i for i in found.intervals if i.clock == "promise").began_on
    assert ["accepted_again"] == [remark.code for remark in found.remarks]


def test_an_answer_on_the_last_day_of_the_pre_check_is_in_time():
    """The window asks for papers on day five; when they are there, it has five days again."""
    day, asked, done = date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 12)

    found = clocks(
        at(day, "RECEIVED"),
        at(asked, "CORRECTION_ASKED", notice_no="B1"),
        at(done, "CORRECTION_DONE"),
        today=done,
    )

    assert (2, CALENDAR.add(done, 5).day) == (
        found["pre_check"].epoch,
        found["pre_check"].due_on,
    )
    assert [] == [state for state in found.states if state.clock == "promise"]


def test_a_decision_ends_the_clocks_and_starts_delivery():
    """Within ten working days (art. 44); in time means on the last day at the latest."""
    day = date(2026, 3, 2)
    last = CALENDAR.add(day, 5).day

    in_time = clocks(at(day, "ACCEPTED"), at(last, "DECIDED"), at(last, "DELIVERED"))
    late = clocks(at(day, "ACCEPTED"), at(last + timedelta(days=1), "DECIDED"), today=LATE)

    assert ("ended", last, False) == (
        in_time["promise"].state,
        in_time["promise"].due_on,
        in_time["promise"].is_overdue,
    )
    assert "ended" == in_time["delivery"].state
    assert (last, True) == (late["promise"].due_on, late["promise"].is_overdue)
    assert late["delivery"].is_overdue


def test_an_overdue_promise_is_not_healed_by_a_special_procedure():
    """A last day that has passed stays the last day."""
    day = date(2026, 3, 2)
    last = CALENDAR.add(day, 5).day

    found = clocks(
        at(day, "ACCEPTED"),
        at(last + timedelta(days=3), "SPECIAL_STARTED", notice_no="T1"),
        at(last + timedelta(days=30), "SPECIAL_ENDED"),
    )

    assert (last, True) == (found["promise"].due_on, found["promise"].is_overdue)


def test_what_the_law_wants_in_writing_is_missed_when_it_is_not():
    """Corrections and special procedures without a notice, and events out of place, are named."""
    day = date(2026, 3, 2)

    found = clocks(
        at(day, "ACCEPTED"),
        at(day, "CORRECTION_ASKED"),
        at(day + timedelta(days=1), "CORRECTION_ASKED", key="2"),
        at(day + timedelta(days=2), "CORRECTION_DONE"),
        at(day + timedelta(days=3), "CORRECTION_DONE", key="2"),
        at(day + timedelta(days=3), "SPECIAL_STARTED"),
        at(day + timedelta(days=4), "SPECIAL_ENDED", key="other"),
        at(day + timedelta(days=4), "STEP_PASSED", step="tax"),
        at(day + timedelta(days=4), "STEP_STARTED", step="nosuch"),
        at(day + timedelta(days=5), "WITHDRAWN"),
        at(day + timedelta(days=6), "DECIDED"),
        at(day + timedelta(days=6), "DELIVERED"),
        at(day + timedelta(days=7), "OF_ANOTHER_KIND"),
    )

    assert [
        "correction_without_notice",
        "correction_asked_twice",
        "correction_not_asked",
        "special_without_notice",
        "step_unknown",
        "special_not_started",
        "step_not_started",
        "after_the_end",
        "delivered_before_decided",
    ] == [remark.code for remark in found.remarks]


def test_a_deadline_that_rests_on_a_projected_year_says_so():
    """A 20-day clock of mid-December leaves the official calendar."""
    found = clocks(at(date(2026, 12, 15), "ACCEPTED"), today=date(2026, 12, 15))

    assert found["legal"].is_provisional
    assert not found["promise"].is_provisional


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["CORRECTION_ASKED", "CORRECTION_DONE", "SPECIAL_STARTED", "SPECIAL_ENDED", "EXTENDED"]
        ),
        st.integers(0, 25),
    ),
    max_size=8,
)


def history(day: date, found: list[tuple[str, int]]) -> list[ClockEvent]:
    """Events after an acceptance."""
    return [
        at(day, "ACCEPTED"),
        *(at(day + timedelta(days=n), name, notice_no="N", days=3) for name, n in found),
    ]


@given(days, steps, st.randoms())
def test_order_and_repetition_of_arrival_do_not_matter(day: date, found: list, random: object):
    """Any permutation with any duplicates folds to the same clocks."""
    events = history(day, found)
    shuffled = [*events, *events[: len(events) // 2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert clocks(*events) == clocks(*shuffled)


@given(days, steps, st.integers(0, 60))
def test_used_and_remaining_make_the_limit_and_due_days_are_worked(
    day: date, found: list, later: int
):
    """Of every clock, on every day."""
    read = clocks(*history(day, found), today=day + timedelta(days=later))

    for state in read.states:
        assert state.limit == state.used + state.remaining
        assert 0 <= state.used
        assert state.due_on is None or CALENDAR.is_working(state.due_on)
        counted = [i for i in read.intervals if (i.clock, i.epoch) == (state.clock, state.epoch)]
        assert state.used == sum(i.days for i in counted)


@given(days, st.integers(0, 20), st.integers(0, 20), st.integers(0, 30))
def test_a_pause_never_shortens_a_deadline_and_one_of_no_time_costs_nothing(
    day: date, promise: int, after: int, length: int
):
    """Stop and resume on one day leaves the last day where it was."""
    stop = day + timedelta(days=after)
    pause = (
        at(stop, "SPECIAL_STARTED", notice_no="T"),
        at(stop + timedelta(days=length), "SPECIAL_ENDED"),
    )

    plain = clocks(at(day, "ACCEPTED"), promise=promise)["promise"].due_on
    paused = clocks(at(day, "ACCEPTED"), *pause, promise=promise)["promise"].due_on

    assert paused >= plain
    assert length or paused == plain


@given(st.integers(0, 20), st.integers(1, 12))
def test_whole_weeks_shift_a_deadline_by_whole_weeks_where_there_is_no_holiday(start: int, wd: int):
    """July and August have none."""
    day = date(2026, 7, 1) + timedelta(days=start)
    week = timedelta(days=7)

    first = clocks(at(day, "ACCEPTED"), promise=wd)["promise"].due_on
    second = clocks(at(day + week, "ACCEPTED"), promise=wd)["promise"].due_on

    assert first + week == second


@given(days, st.integers(0, 60), st.sets(st.integers(1, 120), max_size=10))
def test_more_holidays_never_make_a_deadline_earlier(day: date, wd: int, more: set[int]):
    """Whatever the city closes."""
    from tongban.kernel.calendar import WorkingDays

    plain = WorkingDays((), ())
    closed = WorkingDays((), (), local={day + timedelta(days=n): False for n in more})

    assert closed.due(day, wd).day >= plain.due(day, wd).day
