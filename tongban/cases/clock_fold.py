"""The fold: what each event of a case does to its clocks, in the order of the events.

Part of `tongban.cases.clock`, which sorts the events first. An event that the law or the order of
things does not allow moves no clock and is remarked upon, so that nothing disappears.

Source: notice 平政办发〔2018〕179号 §6.2(4); 行政许可法 art. 32, 42-45, 82.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tongban.cases.clock_rules import (
    DELIVERY,
    LEGAL,
    PRE_CHECK,
    PROMISE,
    RULES,
    STEP,
    ClockPolicy,
    OnCorrection,
    Rule,
)
from tongban.cases.clock_terms import RANK, ClockEvent, ClockState, Interval, Remark
from tongban.kernel.calendar import WorkingDays

_ENDS_STEP = frozenset({"STEP_PASSED", "STEP_REFUSED", "STEP_RETURNED"})
_ENDS_CASE = frozenset(
    {"NOT_ACCEPTED", "WITHDRAWN", "LAPSED", "TERMINATED", "VOIDED", "DECIDED", "DELIVERED"}
)


@dataclass(slots=True)
class _Clock:
    """A clock while events are folded into it."""

    name: str
    limit: int
    calendar: WorkingDays
    epoch: int = 1
    used: int = 0
    extended: int = 0
    since: date | None = None
    rule: Rule | None = None
    counts: bool = False
    is_ended: bool = False
    passed_on: date | None = None  # the due day, once it lies behind
    last_due: date | None = None
    intervals: list[Interval] = field(default_factory=list)

    def due(self) -> date | None:
        """The day that is due while it counts."""
        if self.passed_on or not self.counts or self.since is None:
            return self.passed_on
        return self.calendar.due(self.since, self.limit - self.used).day

    def days_until(self, day: date) -> int:
        """Working days counted since it began to count.

        The last day counts no more than is left: nothing left on a Saturday still means Monday.
        """
        if self.since is None:
            return 0
        days, due = self.calendar.between(self.since, day), self.due()
        return days if due is None or day > due else min(days, self.limit - self.used)

    def turn(self, day: date, *, counts: bool, rule: Rule, by: str) -> None:
        """End the present interval and begin another."""
        self.close(day, by)
        self.since, self.counts, self.rule = day, counts, rule

    def close(self, day: date, by: str) -> None:
        """End the present interval."""
        if self.since is None or self.rule is None:
            return
        ended, days = max(day, self.since), 0
        self.last_due = self.due()
        if self.counts:
            days = self.days_until(ended)
            if self.last_due is not None and ended > self.last_due:
                self.passed_on = self.last_due
            self.used += days
        self.intervals.append(self._interval(self.since, ended, days, self.rule, by))
        self.since = None

    def restart(self) -> None:
        """Forget what was used; a new epoch begins."""
        self.epoch, self.used, self.passed_on, self.last_due = self.epoch + 1, 0, None, None

    def end(self, day: date, by: str) -> None:
        """Stop it for good."""
        self.close(day, by)
        self.is_ended, self.counts = True, False

    def _interval(
        self, began: date, ended: date | None, days: int, rule: Rule, by: str | None
    ) -> Interval:
        return Interval(self.name, self.epoch, self.counts, began, ended, days, rule, by)

    def state(self, today: date) -> ClockState:
        """Where it stands on a day."""
        used, due, since = self.used, self.due(), self.since
        if since is not None and self.rule is not None:
            days = self.days_until(max(today, since)) if self.counts else 0
            used += days
            self.intervals.append(self._interval(since, None, days, self.rule, None))
        if self.is_ended:
            due = self.last_due
        word = "ended" if self.is_ended else "runs" if self.counts else "stands"
        is_late = bool(self.passed_on) or (word == "runs" and due is not None and today > due)
        official = self.calendar.is_official
        is_provisional = due is not None and not official(due)
        return ClockState(
            self.name, word, self.epoch, self.limit, used, since, due, is_provisional, is_late,
            self.extended,
        )  # fmt: skip


class Fold:
    """A case's clocks while its events are read in order."""

    def __init__(
        self, policy: ClockPolicy, calendar: WorkingDays, step_days: Mapping[str, int]
    ) -> None:
        self.policy, self.calendar, self.step_days = policy, calendar, step_days
        self.clocks: dict[str, _Clock] = {}
        self.remarks: list[Remark] = []
        self.received_on: date | None = None
        self.is_accepted = False
        self.is_over = False
        self.is_correcting = False
        self.specials: set[tuple[str, str]] = set()  # (step, key); step "" is the whole case
        self.extensions = 0

    def feed(self, event: ClockEvent) -> None:
        """Take one event; silence before it is settled first."""
        if event.event not in RANK:
            return
        self.settle_silence(event.day, event.event)
        if self.is_over and event.event != "DELIVERED":
            self.remark("after_the_end", event)
            return
        handler = getattr(self, f"on_{event.event.lower()}", None)
        if event.event in _ENDS_CASE:
            self.finish(event)
        elif event.event in _ENDS_STEP:
            self.end_step(event)
        elif handler is not None:
            handler(event)

    def settle_silence(self, day: date, event: str = "") -> None:
        """Count as accepted, as of receipt, what nobody answered within the pre-check.

        On the last day itself the window may still speak; a paper that arrives later cannot
        undo the acceptance.
        """
        clock = self.clocks.get(PRE_CHECK)
        if clock is None or self.is_accepted or not clock.counts or self.received_on is None:
            return
        due = clock.due()
        if due is not None and day > due and event not in {"WITHDRAWN", "VOIDED"}:
            clock.end(due, "SILENCE")
            self.accept(self.received_on, RULES["silence"])

    def on_received(self, event: ClockEvent) -> None:
        """Papers are in: the pre-check begins."""
        if self.received_on is not None or self.is_accepted:
            self.remark("received_again", event)
            return
        self.received_on = event.day
        clock = self.make(PRE_CHECK, self.policy.pre_check_days)
        clock.turn(event.day, counts=True, rule=RULES["pre_check"], by="RECEIVED")

    def on_accepted(self, event: ClockEvent) -> None:
        """Formally accepted; after silence it changes nothing."""
        if self.is_accepted:
            self.remark("accepted_again", event)
            return
        if PRE_CHECK in self.clocks:
            self.clocks[PRE_CHECK].end(event.day, "ACCEPTED")
        self.is_correcting = False
        self.accept(event.day, None)

    def accept(self, day: date, rule: Rule | None) -> None:
        """Start the promise and the legal limit."""
        self.is_accepted = True
        promise = self.make(PROMISE, self.policy.promise_days)
        promise.turn(day, counts=True, rule=rule or RULES["promised"], by="ACCEPTED")
        if self.policy.legal_days is not None:
            legal = self.make(LEGAL, self.policy.legal_days)
            legal.turn(day, counts=True, rule=rule or RULES["accepted"], by="ACCEPTED")

    def on_correction_asked(self, event: ClockEvent) -> None:
        """Papers are missing: before acceptance the pre-check ends, afterwards clocks stand."""
        if self.is_correcting:
            self.remark("correction_asked_twice", event)
            return
        self.is_correcting = True
        if event.notice_no is None:
            self.remark("correction_without_notice", event)
        self.adjust(event.day, event.event, RULES["correction_wait"])

    def on_correction_done(self, event: ClockEvent) -> None:
        """Papers are complete: the promise starts again, other clocks as the item says."""
        if not self.is_correcting:
            self.remark("correction_not_asked", event)
            return
        self.is_correcting = False
        if not self.is_accepted:
            self.received_on = event.day
            clock = self.clocks.get(PRE_CHECK) or self.make(PRE_CHECK, self.policy.pre_check_days)
            clock.close(event.day, event.event)
            clock.restart()
            clock.turn(event.day, counts=True, rule=RULES["pre_check"], by=event.event)
            return
        for name, policy in self.on_correction().items():
            clock = self.clocks[name]
            if policy == "restart" and not clock.is_ended:
                clock.close(event.day, event.event)
                clock.restart()
        self.adjust(event.day, event.event, RULES["special"], corrected=True)

    def on_special_started(self, event: ClockEvent) -> None:
        """A hearing, a test or the like: not counted."""
        if event.notice_no is None:
            self.remark("special_without_notice", event)
        self.specials.add((event.step, event.key))
        self.adjust(event.day, event.event, RULES["special"])

    def on_special_ended(self, event: ClockEvent) -> None:
        """The clock goes on, unless something else still holds it."""
        if (event.step, event.key) not in self.specials:
            self.remark("special_not_started", event)
            return
        self.specials.discard((event.step, event.key))
        self.adjust(event.day, event.event, RULES["special"])

    def on_extended(self, event: ClockEvent) -> None:
        """More time, once, at most as much as the law gives."""
        if not self.is_accepted or not event.days or event.days < 0:
            self.remark("extension_without_ground", event)
            return
        if self.extensions:
            self.remark("extended_twice", event)
            return
        self.extensions += 1
        days = min(event.days, self.policy.extension_days)
        if days < event.days:
            self.remark("extension_too_long", event)
        for name in (PROMISE, LEGAL):
            clock = self.clocks.get(name)
            if clock is None:
                continue
            due = clock.due()
            if due is not None and event.day > due:
                self.remark("extended_too_late", event)
                continue
            clock.limit += days
            clock.extended += days

    def on_step_started(self, event: ClockEvent) -> None:
        """A department takes a step up."""
        limit = self.step_days.get(event.step)
        if limit is None:
            self.remark("step_unknown", event)
            return
        name = STEP + event.step
        clock = self.clocks.get(name)
        if clock is not None and not clock.is_ended:
            self.remark("step_started_twice", event)
            return
        again = self.make(name, limit)
        if clock is not None:  # returned to the window and started again
            again.epoch, again.intervals = clock.epoch + 1, clock.intervals
        again.turn(event.day, counts=True, rule=RULES["step"], by=event.event)
        self.adjust(event.day, event.event, RULES["special"])

    def end_step(self, event: ClockEvent) -> None:
        """A step is done, refused or returned."""
        clock = self.clocks.get(STEP + event.step)
        if clock is None or clock.is_ended:
            self.remark("step_not_started", event)
            return
        clock.end(event.day, event.event)
        self.specials = {held for held in self.specials if held[0] != event.step}
        self.adjust(event.day, event.event, RULES["special"])

    def finish(self, event: ClockEvent) -> None:
        """The case ends; a decision still has to be delivered."""
        if event.event == "DELIVERED":
            if DELIVERY not in self.clocks or self.clocks[DELIVERY].is_ended:
                self.remark("delivered_before_decided", event)
                return
            self.clocks[DELIVERY].end(event.day, event.event)
            return
        self.is_over = True
        for clock in self.clocks.values():
            if not clock.is_ended:
                clock.end(event.day, event.event)
        if event.event == "DECIDED":
            delivery = self.make(DELIVERY, self.policy.delivery_days)
            delivery.turn(event.day, counts=True, rule=RULES["delivery"], by=event.event)

    def adjust(self, day: date, by: str, waits: Rule, *, corrected: bool = False) -> None:
        """Let every clock count or stand, as what holds it now demands."""
        held = self.is_correcting
        if not self.is_accepted and PRE_CHECK in self.clocks:
            clock = self.clocks[PRE_CHECK]
            if held and clock.counts:
                clock.turn(day, counts=False, rule=RULES["correction_wait"], by=by)
            return
        policies = self.on_correction()
        for name, clock in self.clocks.items():
            if clock.is_ended or name in {PRE_CHECK, DELIVERY}:
                continue
            policy: OnCorrection = policies.get(name, "stop")
            stands = (held and policy != "run") or self.is_special(name)
            if stands == (not clock.counts) and clock.since is not None:
                continue
            rule = waits
            if not stands:
                restarted = corrected and policy == "restart"
                resumed = "correction_resume" if corrected else "special_resume"
                rule = RULES["correction_restart" if restarted else resumed]
            clock.turn(day, counts=not stands, rule=rule, by=by)

    def is_special(self, name: str) -> bool:
        """Whether special procedures hold a clock: its step's, the case's, or all open steps'."""
        held = {step for step, _ in self.specials}
        if "" in held:
            return True
        if name.startswith(STEP):
            return name.removeprefix(STEP) in held
        open_steps = {
            other.removeprefix(STEP)
            for other, clock in self.clocks.items()
            if other.startswith(STEP) and not clock.is_ended
        }
        return bool(open_steps) and open_steps <= held

    def on_correction(self) -> dict[str, OnCorrection]:
        """Clock → what a correction does to it, of the clocks that there are."""
        policies: dict[str, OnCorrection] = {
            PROMISE: self.policy.on_correction,
            LEGAL: self.policy.legal_on_correction,
        }
        return {name: policy for name, policy in policies.items() if name in self.clocks}

    def make(self, name: str, limit: int) -> _Clock:
        """A new clock."""
        self.clocks[name] = _Clock(name, limit, self.calendar)
        return self.clocks[name]

    def remark(self, code: str, event: ClockEvent) -> None:
        """Name an event that did nothing, or lacked something."""
        self.remarks.append(Remark(code, event.event, event.day))
