"""Clock: fold a case's events into its clocks — intervals, working days used, the day that is due.

Pure: the same events give the same clocks whatever their order of arrival and however often one
arrives, and nothing here reads a table or the time. Day 0 is not counted: an interval from a to b
counts the working days after a up to b.

Source: notice 平政办发〔2018〕179号 §6.2(4); 行政许可法 art. 32, 42-45, 82.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from tongban.cases.clock_fold import Fold
from tongban.cases.clock_rules import ClockPolicy
from tongban.cases.clock_terms import RANK, ClockEvent, Clocks
from tongban.kernel.calendar import WorkingDays

__all__ = ["ClockEvent", "ClockPolicy", "Clocks", "run_clocks"]


def run_clocks(
    events: Iterable[ClockEvent],
    policy: ClockPolicy,
    calendar: WorkingDays,
    *,
    today: date,
    step_days: Mapping[str, int] | None = None,
) -> Clocks:
    """Fold events into clocks as of a day.

    Args:
        events: In any order, with any repetitions; later ones than `today` are passed over.
        policy: Of the item's version under which the case was accepted.
        calendar: The working days.
        today: As of which day the clocks are read.
        step_days: Working days of each step.

    Returns:
        The clocks, the intervals in their order, and what was remarkable.

    Raises:
        CalendarEnded: A deadline lies beyond the calendar's last numbered day.
    """
    fold = Fold(policy, calendar, step_days or {})
    past = {event for event in events if event.day <= today}
    for event in sorted(past, key=lambda e: (e.at, RANK.get(e.event, 0), *e.place)):
        fold.feed(event)
    fold.settle_silence(today)
    states = tuple(clock.state(today) for clock in fold.clocks.values())
    found = [interval for clock in fold.clocks.values() for interval in clock.intervals]
    return Clocks(states, tuple(found), tuple(fold.remarks), calendar.revision)
