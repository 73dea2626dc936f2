"""Working days: the State Council's yearly arrangement as data, with an honest edge.

Three files of `mappings/calendar/`, each with only the days that differ from Monday to Friday (days
off that fall on a weekday: `off`; weekend days that are worked: `work`). A local day wins over an
official one, an official one over a projected one:

    working_days.csv    official    the arrangement of each year, once its notice is out
    projected_days.csv  projected   statutory festivals of years without a notice
    local_days.csv      local       what this city alone does, with the number of its notice

A deadline that rests on a projected or an uncovered year is provisional and may move; about half of
all 20-day deadlines would be wrong without the files. `revision` names the content, `alarm` says
in time that the next notice is missing. Nothing here reads a clock.

Source: the yearly notices of the General Office of the State Council on holiday arrangements
(国务院办公厅关于部分节假日安排的通知), 2018 to 2026; 全国年节及纪念日放假办法 for projections.
"""

from __future__ import annotations

import csv
import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

from tongban.kernel.errors import ConfigInvalid, Fatal

OFFICIAL, PROJECTED, LOCAL, ASSUMED = "official", "projected", "local", "assumed"
FILES = {
    PROJECTED: "projected_days.csv",
    OFFICIAL: "working_days.csv",
    LOCAL: "local_days.csv",
}
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2060, 12, 31)  # days that have an ordinal
ALARM_DAYS = 45  # a 20-day clock that starts in early December already ends next year

_FRIDAY = 4
_DEC = (12, 31)


class CalendarEnded(Fatal):
    """A deadline lies beyond the last day that the calendar numbers."""

    code = "fatal.calendar_ended"


@dataclass(frozen=True)
class Deadline:
    """A day that was counted, and whether it rests on an official arrangement."""

    day: date
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class CalendarAlarm:
    """The official calendar ends soon (`calendar.ends_soon`) or has ended (`calendar.ended`)."""

    name: Literal["calendar.ends_soon", "calendar.ended"]
    official_until: date
    days_left: int

    def __str__(self) -> str:
        ends = f"ends on {self.official_until}, in {self.days_left} days"
        when = ends if self.days_left >= 0 else f"ended on {self.official_until}"
        return (
            f"{self.name}: the official working-day calendar {when}; add the State Council's days "
            f"of {self.official_until.year + 1} to mappings/calendar/{FILES[OFFICIAL]}, deadlines "
            "beyond are provisional until then"
        )


class WorkingDays:
    """The calendar of one city.

    Args:
        off: Official weekdays off; their years are the years that are official.
        worked: Official weekend days that are worked.
        projected: Weekdays off of years without an official arrangement.
        local: Days on which this city differs: day → whether it works.
    """

    def __init__(
        self,
        off: Iterable[date],
        worked: Iterable[date],
        *,
        projected: Iterable[date] = (),
        local: dict[date, bool] | None = None,
    ) -> None:
        self._off = frozenset(off)
        self._worked = frozenset(worked)
        self._local = dict(local or {})
        years = {day.year for day in self._off | self._worked}
        self.first_year = min(years, default=0)
        self.last_year = max(years, default=0)
        self._projected = frozenset(d for d in projected if not self.is_official(d))
        self._projected_years = {day.year for day in self._projected}

    def is_working(self, day: date) -> bool:
        """Whether offices are open on that day."""
        if day in self._local:
            return self._local[day]
        if day in self._worked:
            return True
        return day.weekday() <= _FRIDAY and day not in self._off and day not in self._projected

    def is_official(self, day: date) -> bool:
        """Whether an official arrangement covers that day's year."""
        return self.first_year <= day.year <= self.last_year

    def source(self, day: date) -> str:
        """What that day rests on: `local`, `official`, `projected`, or `assumed` Monday-Friday."""
        if day in self._local:
            return LOCAL
        if self.is_official(day):
            return OFFICIAL
        return PROJECTED if day.year in self._projected_years else ASSUMED

    def add(self, start: date, working_days: int) -> Deadline:
        """The day that lies `working_days` after `start`; day 0 is not counted.

        Source: notice 平政办发〔2018〕179号 §6.2; 行政许可法 art. 82 (periods are working days).
        """
        day, left, official = start, working_days, self.is_official(start)
        while left > 0:
            day += timedelta(days=1)
            official = official and self.is_official(day)
            left -= self.is_working(day)
        return Deadline(day=day, is_provisional=not official)

    def ordinal(self, day: date) -> int:
        """Working days from `FIRST_DAY` up to that day, itself included.

        Raises:
            CalendarEnded: The day lies outside `FIRST_DAY`..`LAST_DAY`.
        """
        if not FIRST_DAY <= day <= LAST_DAY:
            raise CalendarEnded(f"calendar: {_BOUNDS}; the day {day} has no ordinal")
        return self._ordinals[(day - FIRST_DAY).days]

    def between(self, start: date, end: date) -> int:
        """Working days after `start` up to `end`, itself included."""
        return self.ordinal(end) - self.ordinal(start)

    def due(self, since: date, working_days: int) -> Deadline:
        """The last day for what has `working_days` left as of `since`; always a working day.

        As `add`, by two look-ups; with nothing left it is `since` itself or the next open day.

        Raises:
            CalendarEnded: It lies beyond `LAST_DAY`.
        """
        number = self.ordinal(since) + working_days
        if working_days == 0 and not self.is_working(since):
            number += 1
        at = bisect_left(self._ordinals, number)
        if at == len(self._ordinals):
            raise CalendarEnded(f"calendar: {_BOUNDS}; a deadline since {since} lies beyond")
        day = FIRST_DAY + timedelta(days=at)
        return Deadline(day, is_provisional=not (self.is_official(since) and self.is_official(day)))

    def days(self) -> Iterator[tuple[date, bool, int, str]]:
        """Every numbered day: day, whether it is worked, ordinal, source."""
        for at, number in enumerate(self._ordinals):
            day = FIRST_DAY + timedelta(days=at)
            yield day, self.is_working(day), number, self.source(day)

    @cached_property
    def _ordinals(self) -> list[int]:
        numbers, count = [], 0
        for at in range((LAST_DAY - FIRST_DAY).days + 1):
            count += self.is_working(FIRST_DAY + timedelta(days=at))
            numbers.append(count)
        return numbers

    @cached_property
    def revision(self) -> str:
        """A name of the content, 12 hex digits: equal calendars have equal names."""
        parts = [
            *(f"off {day}" for day in sorted(self._off)),
            *(f"work {day}" for day in sorted(self._worked)),
            *(f"projected {day}" for day in sorted(self._projected)),
            *(f"local {day} {works}" for day, works in sorted(self._local.items())),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    @property
    def official_until(self) -> date | None:
        """Last day of the last official year; None without any official day."""
        return date(self.last_year, *_DEC) if self.last_year else None

    def alarm(self, today: date, *, within_days: int = ALARM_DAYS) -> CalendarAlarm | None:
        """The alarm to raise today, or None while the official calendar reaches far enough."""
        until = self.official_until or date(today.year - 1, *_DEC)
        left = (until - today).days
        if left > within_days:
            return None
        return CalendarAlarm("calendar.ends_soon" if left >= 0 else "calendar.ended", until, left)


_BOUNDS = f"it numbers {FIRST_DAY} to {LAST_DAY}"


def load_working_days(path: Path) -> WorkingDays:
    """Read one calendar file as official, without projections and local days.

    Raises:
        ConfigInvalid: A bad date or kind, or a day that stands twice; with file:line.
    """
    off, worked = _split(_read(path))
    return WorkingDays(off, worked)


def load_calendar(folder: Path) -> WorkingDays:
    """Read a folder's official, projected and local days; the latter two files may be absent.

    Raises:
        ConfigInvalid: As `load_working_days`, or a projected weekend day that is worked.
    """
    off, worked = _split(_read(folder / FILES[OFFICIAL]))
    found = {
        name: _read(folder / FILES[name])
        for name in (PROJECTED, LOCAL)
        if (folder / FILES[name]).is_file()
    }
    projected, guessed = _split(found.get(PROJECTED, {}))
    if guessed:
        raise ConfigInvalid(
            f"{FILES[PROJECTED]}: {guessed[0]} is guessed as worked; only a notice makes a weekend "
            "day a working day, take the line out"
        )
    local = {day: kind == "work" for day, kind in found.get(LOCAL, {}).items()}
    return WorkingDays(off, worked, projected=projected, local=local)


def _split(days: dict[date, str]) -> tuple[list[date], list[date]]:
    """Days off, and days that are worked."""
    return (
        [day for day, kind in days.items() if kind == "off"],
        [day for day, kind in days.items() if kind == "work"],
    )


def _read(path: Path) -> dict[date, str]:
    """Read one file: day → `off` or `work`."""
    days: dict[date, str] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            where = f"{path.name}:{reader.line_num}"
            try:
                day = date.fromisoformat(row["day"])
            except ValueError:
                raise ConfigInvalid(f"{where}: not a date, expected yyyy-MM-dd") from None
            if row["kind"] not in {"off", "work"}:
                raise ConfigInvalid(f'{where}: kind is "off" or "work"')
            if day in days:
                raise ConfigInvalid(f"{where}: the day stands twice; keep one line")
            days[day] = row["kind"]
    return days
