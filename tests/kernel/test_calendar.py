"""Working days follow the official arrangement, and say where it ends."""

from __future__ import annotations

import shutil
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel.calendar import CalendarEnded, WorkingDays, load_calendar, load_working_days
from tongban.kernel.errors import ConfigInvalid

FILE = Path(__file__).parents[2] / "mappings" / "calendar" / "working_days.csv"


@pytest.fixture(scope="module")
def calendar() -> WorkingDays:
    """The calendar that the hub ships."""
    return load_working_days(FILE)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        (date(2018, 9, 28), 5, date(2018, 10, 10)),
        (date(2018, 10, 9), 5, date(2018, 10, 16)),
        (date(2018, 10, 8), 10, date(2018, 10, 22)),
        (date(2026, 9, 30), 5, date(2026, 10, 13)),
    ],
)
def test_deadlines_agree_with_the_measured_vectors(
    calendar: WorkingDays, start: date, days: int, due: date
):
    """National Day, its worked weekends and plain weeks are counted as the offices do."""
    assert due == calendar.add(start, days).day


def test_a_saturday_start_equals_a_friday_start(calendar: WorkingDays):
    """Day 0 is not counted, so both begin to count on Monday."""
    friday, saturday = date(2026, 11, 20), date(2026, 11, 21)

    assert calendar.add(friday, 3).day == calendar.add(saturday, 3).day


def test_a_deadline_beyond_the_last_notice_is_provisional(calendar: WorkingDays):
    """A clock started in mid-December already leaves the official calendar."""
    assert not calendar.add(date(2026, 11, 24), 5).is_provisional
    assert calendar.add(date(2026, 12, 20), 20).is_provisional


def test_zero_days_end_on_the_day_itself(calendar: WorkingDays):
    """An immediate item is due at once."""
    assert date(2026, 10, 1) == calendar.add(date(2026, 10, 1), 0).day


def test_weekend_days_that_are_worked_count(calendar: WorkingDays):
    """10 October 2026 is a Saturday on which offices are open."""
    assert calendar.is_working(date(2026, 10, 10))
    assert not calendar.is_working(date(2026, 10, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,kind,source\n2026-13-01,off,official\n", "days.csv:2: not a date"),
        ("day,kind,source\n2026-10-01,holiday,official\n", 'days.csv:2: kind is "off" or "work"'),
        ("day,kind,source\n2026-10-01,off,x\n2026-10-01,off,x\n", "days.csv:3: the day stands"),
    ],
)
def test_a_broken_calendar_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str):
    """The person who edits the calendar sees where the mistake is."""
    path = tmp_path / "days.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigInvalid, match=message):
        load_working_days(path)


SHIPPED = FILE.parent


@given(st.dates(date(2018, 1, 1), date(2027, 12, 31)), st.integers(1, 120))
def test_looking_a_deadline_up_gives_what_counting_days_gives(day: date, working_days: int):
    """Ordinals are another way to say the same."""
    calendar = load_calendar_once()

    found = calendar.due(day, working_days)

    assert calendar.add(day, working_days).day == found.day
    assert working_days == calendar.between(day, found.day)
    assert calendar.is_working(found.day)


@cache
def load_calendar_once() -> WorkingDays:
    """The calendar that ships, with its projections."""
    return load_calendar(SHIPPED)


def test_a_year_without_a_notice_is_projected_and_says_so():
    """Spring Festival is known, the weekends that will be worked are not."""
    calendar = load_calendar_once()
    eve = date(2027, 2, 5)

    assert (False, "projected", False) == (
        calendar.is_working(eve),
        calendar.source(eve),
        calendar.is_official(eve),
    )
    assert ("official", "assumed") == (
        calendar.source(date(2026, 10, 1)),
        calendar.source(date(2031, 10, 1)),
    )
    assert calendar.add(date(2027, 2, 1), 5).is_provisional


def test_local_days_win_and_an_official_year_ends_its_projection(tmp_path: Path):
    """Local over official over projected."""
    head = "day,kind,source\n"
    (tmp_path / "working_days.csv").write_text(f"{head}2027-01-01,off,official\n", "utf-8")
    (tmp_path / "projected_days.csv").write_text(f"{head}2027-06-09,off,projected\n", "utf-8")
    (tmp_path / "local_days.csv").write_text(
        f"{head}2027-01-01,work,平凉\n2027-06-10,off,平凉\n", "utf-8"
    )

    calendar = load_calendar(tmp_path)

    assert calendar.is_working(date(2027, 1, 1))
    assert calendar.is_working(date(2027, 6, 9))
    assert not calendar.is_working(date(2027, 6, 10))
    assert "local" == calendar.source(date(2027, 6, 10))


def test_a_projected_weekend_that_is_worked_is_refused(tmp_path: Path):
    """Nobody can know it before the notice."""
    shutil.copytree(SHIPPED, tmp_path / "calendar")
    with (tmp_path / "calendar" / "projected_days.csv").open("a", encoding="utf-8") as stream:
        stream.write("2027-02-14,work,guess\n")

    with pytest.raises(ConfigInvalid, match="only a notice makes a weekend"):
        load_calendar(tmp_path / "calendar")


@pytest.mark.parametrize(
    ("today", "name"),
    [
        (date(2026, 11, 15), None),
        (date(2026, 11, 16), "calendar.ends_soon"),
        (date(2026, 12, 31), "calendar.ends_soon"),
        (date(2027, 1, 1), "calendar.ended"),
    ],
)
def test_the_alarm_comes_before_the_official_calendar_ends(today: date, name: str | None):
    """Forty-five days before, and it does not go away by itself."""
    alarm = load_calendar_once().alarm(today)

    assert name == (alarm.name if alarm else None)
    assert alarm is None or "2027" in str(alarm)


def test_a_calendar_without_any_year_is_an_alarm_of_its_own():
    """An empty file is noticed on the first day."""
    alarm = WorkingDays((), ()).alarm(date(2026, 6, 1))

    assert alarm is not None
    assert "calendar.ended" == alarm.name


def test_a_revision_names_the_content():
    """Equal calendars have equal names, a changed day changes it."""
    off = [date(2026, 10, 1)]

    assert WorkingDays(off, ()).revision == WorkingDays(list(off), []).revision
    assert WorkingDays(off, ()).revision != WorkingDays(off, [date(2026, 10, 10)]).revision
    assert 12 == len(load_calendar_once().revision)


@pytest.mark.parametrize(("day", "more"), [(date(1999, 12, 31), 1), (date(2060, 12, 1), 60)])
def test_days_outside_the_numbered_ones_are_refused_by_name(day: date, more: int):
    """A deadline is never guessed."""
    with pytest.raises(CalendarEnded, match="numbers 2000-01-01 to 2060-12-31"):
        load_calendar_once().due(day, more)


@pytest.mark.parametrize(
    ("day", "due"),
    [(date(2026, 11, 21), date(2026, 11, 23)), (date(2026, 11, 20), date(2026, 11, 20))],
)
def test_nothing_left_on_a_day_off_means_the_next_open_day(day: date, due: date):
    """A last day is always a working day."""
    assert due == load_calendar_once().due(day, 0).day
