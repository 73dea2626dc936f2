"""Working days follow the official arrangement, and say where it ends."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tongban.kernel.calendar import WorkingDays, load_working_days
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
