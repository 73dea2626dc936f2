"""Timeline: dates of the city, all counted back from one anchor day.

Base records changed between 400 and 2 days before the anchor, so that a first full pull and later
windows both find work. Moments are naive Beijing time inside office hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

OLDEST_CHANGE_DAYS = 400
NEWEST_CHANGE_DAYS = 2
FIRST_CERTIFICATE = date(2016, 3, 1)  # unified certificates replaced the older ones in 2015-2016


@dataclass(frozen=True, slots=True)
class Timeline:
    """Random moments relative to the anchor day `today`."""

    today: date

    def days_ago(self, random: Random, oldest: int, newest: int) -> datetime:
        """Pick a working moment between `oldest` and `newest` days before the anchor."""
        day = self.today - timedelta(days=random.randint(newest, oldest))
        return at_work(random, day)

    def change(self, random: Random, event: datetime | date) -> datetime:
        """Pick a change time in the base window that is not before `event`.

        An event inside the window is its own change, up to ten minutes later; an older record was
        touched some time inside the window.
        """
        moment = event if isinstance(event, datetime) else datetime.combine(event, time(12))
        oldest = datetime.combine(self.today - timedelta(days=OLDEST_CHANGE_DAYS), time())
        if moment >= oldest:
            return moment + timedelta(seconds=random.randint(0, 600))
        return self.days_ago(random, OLDEST_CHANGE_DAYS - 1, NEWEST_CHANGE_DAYS + 1)

    def day_between(self, random: Random, first: date, last: date) -> date:
        """Pick a day in [first, last]; `first` when the span is empty."""
        return first + timedelta(days=random.randint(0, max(0, (last - first).days)))

    def months_back(self, count: int) -> list[str]:
        """List the last `count` book months (yyyyMM) that are surely closed, oldest first."""
        months = []
        year, month = self.today.year, self.today.month
        for back in range(count + 1, 1, -1):
            index = year * 12 + month - 1 - back
            months.append(f"{index // 12}{index % 12 + 1:02d}")
        return months


def at_work(random: Random, day: date) -> datetime:
    """Pick a second between 08:30 and 17:30 of `day`."""
    return datetime.combine(day, time(8, 30)) + timedelta(seconds=random.randint(0, 9 * 3600))


def add_years(day: date, years: int) -> date:
    """Move a day by whole years; 29 February becomes 28 February where needed."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
