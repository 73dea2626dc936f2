"""Terms of the clocks: the events that move them, and what a case's clocks look like.

Between the event log and everybody who asks when a case is due. Nothing here counts anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from tongban.cases.clock_rules import Rule
from tongban.kernel.records import BEIJING

# In the order in which things of one moment happened.
EVENTS = (
    "RECEIVED", "ACCEPTED", "STEP_STARTED", "CORRECTION_ASKED", "CORRECTION_DONE",
    "SPECIAL_STARTED", "EXTENDED", "SPECIAL_ENDED", "STEP_PASSED", "STEP_REFUSED", "STEP_RETURNED",
    "NOT_ACCEPTED", "WITHDRAWN", "LAPSED", "TERMINATED", "VOIDED", "DECIDED", "DELIVERED",
)  # fmt: skip
RANK = {name: at for at, name in enumerate(EVENTS)}


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """One thing that happened to a case, as far as clocks care.

    Attributes:
        event: One of `EVENTS`; any other name moves no clock.
        at: When it happened.
        key: Tells two events of one kind apart; an event with all parts equal counts once.
        step: Of which step; of the whole case when empty.
        days: Working days of an extension.
        notice_no: Paper that told the applicant.
    """

    event: str
    at: datetime
    key: str = ""
    step: str = ""
    days: int | None = None
    notice_no: str | None = None

    @property
    def day(self) -> date:
        """The Beijing day on which it happened."""
        return self.at.astimezone(BEIJING).date()

    @property
    def place(self) -> tuple[str, str, int, str]:
        """Its place among events of one kind and moment."""
        return self.step, self.key, self.days or 0, self.notice_no or ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch in which one clock counted or stood still; `ended_on` is None while it lasts."""

    clock: str
    epoch: int
    counts: bool
    began_on: date
    ended_on: date | None
    days: int
    rule: Rule
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """An event that moved no clock, or moved one without what the law asks for."""

    code: str
    event: str
    on: date


@dataclass(frozen=True, slots=True)
class ClockState:
    """One clock as of a day.

    Attributes:
        state: `runs`, `stands` or `ended`.
        used: Working days used in this epoch.
        due_on: The last day; None while it stands still in time.
        is_overdue: The last day had passed when it ended, or has passed today.
        extended: Working days that extensions added.
    """

    clock: str
    state: str
    epoch: int
    limit: int
    used: int
    since_on: date | None
    due_on: date | None
    is_provisional: bool
    is_overdue: bool
    extended: int = 0

    @property
    def remaining(self) -> int:
        """Working days left; negative when overdue."""
        return self.limit - self.used


@dataclass(frozen=True, slots=True)
class Clocks:
    """All clocks of one case, with how they came to stand where they stand."""

    states: tuple[ClockState, ...]
    intervals: tuple[Interval, ...]
    remarks: tuple[Remark, ...]
    calendar_revision: str

    def __getitem__(self, clock: str) -> ClockState:
        return next(state for state in self.states if state.clock == clock)
