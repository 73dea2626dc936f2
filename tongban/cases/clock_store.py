"""Clocks of stored cases: read a case's events, fold them, keep what the fold gives.

The event log is the truth; `cases.clock` and `cases.clock_interval` are made from it whenever a
case changes, so that a sweep over all open cases is one statement. What a department's record
proves (a contract recorded, a tax paid) becomes the end of the flow's step, whose successor starts
at that moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from tongban.cases.catalogue import CaseCatalogue
from tongban.cases.clock import ClockEvent, ClockPolicy, Clocks, run_clocks
from tongban.cases.clock_terms import RANK
from tongban.cases.flows import Flow, FlowStep
from tongban.kernel.calendar import WorkingDays
from tongban.kernel.errors import ConfigInvalid

_CASES = """
SELECT accept_no, item_code, promise_days FROM cases.gov_case WHERE accept_no = ANY(:numbers)
"""
_EVENTS = """
SELECT accept_no, event, occurred_at, step, event_key, days, notice_no
  FROM cases.case_event WHERE accept_no = ANY(:numbers)
"""
_CLOCK = """
INSERT INTO cases.clock (accept_no, clock, epoch, state, limit_days, used_days, since_on, due_on,
                         is_provisional, is_overdue)
VALUES (:accept_no, :clock, :epoch, :state, :limit, :used, :since_on, :due_on, :is_provisional,
        :is_overdue)
"""
_INTERVAL = """
INSERT INTO cases.clock_interval (accept_no, clock, seq, epoch, counts, began_on, ended_on, rule)
VALUES (:accept_no, :clock, :seq, :epoch, :counts, :began_on, :ended_on, :rule)
"""
_RECORD = """
INSERT INTO cases.case_event (accept_no, event, occurred_at, source_dataset, source_key, step,
                              event_key, days, notice_no)
VALUES (:accept_no, :event, :at, :source, :key, :step, :key, :days, :notice_no)
ON CONFLICT DO NOTHING
"""


def record_event(conn: Connection, accept_no: str, event: ClockEvent, *, source: str) -> bool:
    """Append what happened to a case; gives whether it was new.

    The same event twice changes nothing; `key` tells two events of one kind apart.

    Raises:
        ConfigInvalid: No clock knows the event, the case does not exist, or an event with this key
            is there with another content.
    """
    if event.event not in RANK:
        raise ConfigInvalid(f"no clock knows the event {event.event}")
    sql = text("SELECT 1 FROM cases.gov_case WHERE accept_no = :accept_no")
    if conn.execute(sql, {"accept_no": accept_no}).scalar() is None:
        raise ConfigInvalid(f"no case has the acceptance number {accept_no}")
    values = {"accept_no": accept_no, "source": source, **asdict(event)}
    if conn.execute(text(_RECORD), values).rowcount > 0:
        return True
    stored = _events_of(conn, [accept_no])[accept_no]
    if event not in stored:
        raise ConfigInvalid(
            f"case {accept_no}: {event.event} is there with another time, notice or days; an event "
            "is never changed, give a new one a key of its own"
        )
    return False


def clocks_of(
    conn: Connection,
    accept_nos: Sequence[str],
    catalogue: CaseCatalogue,
    calendar: WorkingDays,
    *,
    today: date,
) -> dict[str, Clocks]:
    """Clocks of some cases as of a day, by acceptance number."""
    events = _events_of(conn, accept_nos)
    found: dict[str, Clocks] = {}
    for row in conn.execute(text(_CASES), {"numbers": list(accept_nos)}).mappings():
        number, item = row["accept_no"], catalogue.items.get(row["item_code"])
        flow = catalogue.flows[item.flow] if item and item.flow else None
        policy = item.policy if item else ClockPolicy(row["promise_days"] or 0)
        if row["promise_days"] is not None:  # what was promised to this case, whatever is now
            policy = replace(policy, promise_days=row["promise_days"])
        limits = {code: step.limit_days for code, step in flow.steps.items()} if flow else {}
        if item is not None and flow is None:
            limits = {step.code: step.limit_days for step in item.steps}
        known = with_steps(events[number], flow) if flow else events[number]
        found[number] = run_clocks(known, policy, calendar, today=today, step_days=limits)
    return found


def with_steps(events: Iterable[ClockEvent], flow: Flow) -> list[ClockEvent]:
    """Add the starts and ends of steps that follow from what departments recorded.

    A step starts when what it waits for is done and ends with the event that proves it; nothing
    begins before the acceptance, also where a department's record is older.
    """
    known = list(events)
    first: dict[str, datetime] = {}
    for event in sorted(known, key=lambda e: e.at):
        first.setdefault(event.event, event.at)
    begun = first.get("ACCEPTED")
    if begun is None:
        return known
    done: dict[str, datetime] = {}
    for code in flow.order:
        step = flow.steps[code]
        waits = [done[name] for name in step.after if name in done]
        if len(waits) < len(step.after) or step.optional:
            continue
        start = max(waits, default=begun)
        end = _end(step, start, first)
        if end is not None:
            done[code] = end
        if step.done_by is not None and step.limit_days:
            known += _step_events(code, start, end)
    if flow.decides in done:
        known.append(ClockEvent("DECIDED", done[flow.decides], flow.decides))
    return known


def _end(step: FlowStep, start: datetime, first: dict[str, datetime]) -> datetime | None:
    """When a step ended: at its event, never before its start; at once where the hub sends."""
    if step.done_by is None:
        return start if step.mode == "push" else None
    return max(first[step.done_by], start) if step.done_by in first else None


def _step_events(code: str, start: datetime, end: datetime | None) -> list[ClockEvent]:
    events = [ClockEvent("STEP_STARTED", start, code, step=code)]
    return events if end is None else [*events, ClockEvent("STEP_PASSED", end, code, step=code)]


def store_clocks(conn: Connection, found: dict[str, Clocks]) -> int:
    """Keep the clocks of some cases in the place of what was kept; gives how many clocks."""
    numbers = {"numbers": list(found)}
    conn.execute(text("DELETE FROM cases.clock WHERE accept_no = ANY(:numbers)"), numbers)
    conn.execute(text("DELETE FROM cases.clock_interval WHERE accept_no = ANY(:numbers)"), numbers)
    clocks, intervals = [], []
    for number, case in found.items():
        rows = _interval_rows(number, case)
        intervals += rows
        clocks += _clock_rows(number, case)
    if clocks:
        conn.execute(text(_CLOCK), clocks)
        conn.execute(text(_INTERVAL), intervals)
    return len(clocks)


def _interval_rows(number: str, case: Clocks) -> list[dict[str, Any]]:
    seen: dict[str, int] = defaultdict(int)
    rows = []
    for item in case.intervals:
        seen[item.clock] += 1
        row = {name: getattr(item, name) for name in ("clock", "epoch", "counts", "began_on")}
        more = {"seq": seen[item.clock], "ended_on": item.ended_on, "rule": item.rule.code}
        rows.append({"accept_no": number, **row, **more})
    return rows


def _clock_rows(number: str, case: Clocks) -> list[dict[str, Any]]:
    rows = []
    for state in case.states:
        present = sum(
            item.days
            for item in case.intervals
            if (item.clock, item.epoch, item.ended_on) == (state.clock, state.epoch, None)
        )
        row = {name: getattr(state, name) for name in ("clock", "epoch", "state", "limit")}
        row |= {name: getattr(state, name) for name in ("since_on", "due_on", "is_provisional")}
        is_overdue = state.is_overdue and state.state != "runs"
        rows.append(
            {"accept_no": number, **row, "used": state.used - present, "is_overdue": is_overdue}
        )
    return rows


def _events_of(conn: Connection, accept_nos: Sequence[str]) -> dict[str, list[ClockEvent]]:
    found: dict[str, list[ClockEvent]] = defaultdict(list)
    for row in conn.execute(text(_EVENTS), {"numbers": list(accept_nos)}).mappings():
        found[row["accept_no"]].append(
            ClockEvent(
                row["event"], row["occurred_at"], row["event_key"], row["step"], row["days"],
                row["notice_no"],
            )
        )  # fmt: skip
    return found
