"""Working days: the State Council's yearly arrangement as data, with an honest edge.

`mappings/calendar/working_days.csv` lists only the days that differ from Monday to Friday: days
off that fall on a weekday (`off`) and weekend days that are worked (`work`). Years that the file
does not cover are counted Monday to Friday and said to be provisional; about half of all
20-day deadlines would be wrong without the file.

Source: the yearly notices of the General Office of the State Council on holiday arrangements
(国务院办公厅关于部分节假日安排的通知), 2018 to 2026.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tongban.kernel.errors import ConfigInvalid

_FRIDAY = 4


@dataclass(frozen=True)
class Deadline:
    """A day that was counted, and whether it rests on an official arrangement."""

    day: date
    is_provisional: bool


class WorkingDays:
    """The calendar of one city."""

    def __init__(self, off: Iterable[date], worked: Iterable[date]) -> None:
        self._off = frozenset(off)
        self._worked = frozenset(worked)
        years = {day.year for day in self._off | self._worked}
        self.first_year = min(years, default=0)
        self.last_year = max(years, default=0)

    def is_working(self, day: date) -> bool:
        """Whether offices are open on that day."""
        if day in self._worked:
            return True
        return day.weekday() <= _FRIDAY and day not in self._off

    def is_official(self, day: date) -> bool:
        """Whether an official arrangement covers that day's year."""
        return self.first_year <= day.year <= self.last_year

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


def load_working_days(path: Path) -> WorkingDays:
    """Read the calendar file.

    Raises:
        ConfigInvalid: A bad date or kind, or a day that stands twice; with file:line.
    """
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
    return WorkingDays(
        off=(day for day, kind in days.items() if kind == "off"),
        worked=(day for day, kind in days.items() if kind == "work"),
    )
