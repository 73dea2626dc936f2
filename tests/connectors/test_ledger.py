"""The shared budget on a fake clock: several workers together never leave it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from datetime import datetime

import pytest

from connectors.budget import BudgetKeeper, seconds_inside
from tests.connectors.serving import (
    ALL,
    FakeClock,
    collect,
    connect,
    ok,
    rest_system,
    serving,
)
from tongban.kernel.budgets import Budget
from tongban.kernel.errors import DatabaseUnavailable, OutsideBudget
from tongban.kernel.ledger import LedgerState, Limits, MemoryLedger, is_gone
from tongban.kernel.records import BEIJING

LIMITS = Limits(gap_s=0.5, slots=2, failures=3, open_s=10, hold_s=60)
NIGHT = [{"from": "19:00", "to": "07:00"}]


def workers(clock, count=4, **budget):
    """Keepers of one system in several workers, with the ledger that they share."""
    ledger = MemoryLedger(clock.monotonic)
    made = Budget.model_validate(budget)
    return [BudgetKeeper("fund", made, clock, ledger) for _ in range(count)]


def allowed(keeper):
    """Make one call that answers."""
    with keeper.call():
        keeper.succeeded()


def test_ten_thousand_calls_of_four_workers_and_not_one_outside_the_budget():
    """Hours, rate, slots, breaker and rows of the night, at random moments, calls overlapping."""
    clock = FakeClock(datetime(2018, 10, 8, 18, 0, tzinfo=BEIJING))
    rules = {
        "hours": NIGHT,
        "stop_before_s": 300,
        "requests_per_second": 4,
        "concurrent": 2,
        "rows_per_night": 90_000,
        "breaker": {"failures": 3, "open_s": 40},
        "total_timeout_s": 20,
    }
    group = workers(clock, **rules)
    chance = random.Random(11)
    under_way: dict[int, AbstractContextManager[float]] = {}
    began: dict[int, float] = {}
    starts: list[float] = []
    rows: dict[str, int] = {}
    failures, open_until, calls, refused = 0, 0.0, 0, 0
    while calls < 10_000:
        late = [n for n, since in began.items() if clock.seconds - since > 15]
        worker = late[0] if late else chance.randrange(len(group))
        clock.pass_by(0 if late else chance.choice([0, 0, 0.05, 0.3, 2, 2, 5]))
        if worker in under_way:
            verdict = chance.choice(["answered", "answered", "failed"])
            if verdict == "failed":
                group[worker].failed()
                failures += 1
                open_until = clock.seconds + 40 if failures >= 3 else open_until
            else:
                group[worker].succeeded()
                failures, open_until = 0, 0.0
            under_way.pop(worker).__exit__(None, None, None)
            del began[worker]
            continue
        call = group[worker].call()
        try:
            group[worker].reserve_rows(50, "fund")
            seconds = call.__enter__()  # noqa: PLC2801 - calls of several workers overlap
        except OutsideBudget:
            refused += 1
            if refused % 20 == 0 and not under_way:
                clock.pass_by(3600)
            continue
        calls += 1
        under_way[worker], began[worker] = call, clock.seconds
        rows[group[worker].night()] = rows.get(group[worker].night(), 0) + 50
        left = max(seconds_inside(clock.at, span) for span in group[worker].budget.hours)
        assert left - 300 >= seconds > 0
        assert len(under_way) <= 2
        assert not starts or clock.seconds - starts[-1] >= 0.249
        assert clock.seconds >= open_until
        starts.append(clock.seconds)
    assert refused > 1000
    assert max(rows.values()) <= 90_000
    assert len(rows) > 3


def test_the_rate_is_one_rate_for_all_workers():
    """Forty calls of four workers at 10 a second take 3.9 seconds."""
    clock = FakeClock()
    group = workers(clock, requests_per_second=10, concurrent=4)
    began = clock.seconds
    for n in range(40):
        allowed(group[n % 4])
    assert 3.9 == pytest.approx(clock.seconds - began)


def test_failures_of_all_workers_together_open_the_breaker_for_all():
    """One failure each."""
    clock = FakeClock()
    group = workers(clock, breaker={"failures": 3, "open_s": 60})
    for keeper in group[:3]:
        with keeper.call():
            keeper.failed()
    with pytest.raises(OutsideBudget, match="3 calls in a row failed"), group[3].call():
        pass


def test_after_the_pause_one_worker_tries_and_the_others_wait_for_it():
    """A system that is still down gets one call, not one from each."""
    clock = FakeClock()
    group = workers(clock, breaker={"failures": 1, "open_s": 60})
    group[0].failed()
    clock.pass_by(61)
    with group[1].call():
        with pytest.raises(OutsideBudget), group[2].call():
            pass
        group[1].succeeded()
    allowed(group[2])


def test_a_slot_that_another_worker_holds_is_waited_for_and_then_given_up():
    """Nothing is called, the run goes on later."""
    clock = FakeClock()
    first, second = workers(clock, count=2, concurrent=1, total_timeout_s=5)
    with first.call():
        began = clock.seconds
        with pytest.raises(OutsideBudget, match="other workers held all 1 calls"), second.call():
            pass
        assert 5 <= clock.seconds - began < 7
    allowed(second)


def test_a_slot_whose_worker_was_killed_is_free_at_once():
    """The kernel knows that the process is gone; nobody waits for the slot to run out."""
    script = (
        "from tongban.kernel.ledger import *\n"
        "print(LedgerState().enter(0, Limits(1, 1, 1, 1, 1)).token)"
    )
    made = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    state = LedgerState(slots={made.stdout.strip(): 1e12})
    assert state.enter(0.0, Limits(1, 1, 1, 1, 1)).token
    assert not is_gone(state.enter(5.0, LIMITS).token)


def test_a_forked_worker_has_a_name_of_its_own():
    """Else the child's slots would live as long as the parent."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os.write(write, LedgerState().enter(0, LIMITS).token.encode())
        os._exit(0)
    os.waitpid(child, 0)
    token = os.read(read, 4096).decode()
    os.close(read)
    os.close(write)
    assert is_gone(token)


def test_a_slot_of_another_host_runs_out():
    """Nobody here can see whether its holder lives."""
    limits = Limits(1, 1, 1, 1, 1)
    state = LedgerState(slots={"elsewhere|1|1/x": 100.0})
    assert state.enter(99.0, limits).token is None
    assert state.enter(101.0, limits).token is not None


def test_a_ledger_that_is_away_forbids_calls_but_never_loses_an_answer():
    """Before the call: later. After it: the answer counts, the slot runs out by itself."""

    class Away(MemoryLedger):
        down = False

        def enter(self, system, limits):
            """Break when down."""
            if self.down:
                raise DatabaseUnavailable("away")
            return super().enter(system, limits)

        def leave(self, *_):
            """Break always."""
            raise DatabaseUnavailable("away")

    clock = FakeClock()
    ledger = Away(clock.monotonic)
    keeper = BudgetKeeper("fund", Budget(), clock, ledger)
    allowed(keeper)
    ledger.down = True
    with pytest.raises(DatabaseUnavailable), keeper.call():
        pass


def test_rows_of_a_night_are_shared_by_workers_and_datasets_and_begin_anew_next_evening():
    """The cursor is kept; the second worker is told at once."""
    clock = FakeClock(datetime(2018, 10, 8, 20, 0, tzinfo=BEIJING))
    ledger = MemoryLedger(clock.monotonic)
    dataset = {
        "call": {"path": "/a", "query": {"c": "{cursor}", "n": "{size}"}},
        "paging": {"kind": "cursor", "size": 3, "next": "next"},
    }
    system = rest_system(dataset=dataset, budget={"rows_per_night": 7})

    def handler(asked):
        at = int(asked.query["c"] or 0)
        return ok([{"id": at + n} for n in range(3)], next=str(at + 3) if at < 12 else "")

    with serving(handler) as server:
        one, two = (connect(system, server.url, clock=clock, ledger=ledger) for _ in "ab")
        kept = []
        with pytest.raises(OutsideBudget, match="7 rows of this night"):
            collect(one.read_pages("account", ALL), kept)
        assert 3 == len(kept) == len(server.asked)
        with pytest.raises(OutsideBudget):
            list(two.read_pages("account", ALL))
        assert 3 == len(server.asked)
        clock.pass_by(24 * 3600)
        with suppress(OutsideBudget):
            collect(one.read_pages("account", ALL, after=kept[-1].next_cursor), kept)
        assert 5 == len(kept)
        assert kept[-1].next_cursor is None


def test_rows_that_did_not_come_are_given_back():
    """A short last page costs what it holds; a page that failed costs nothing."""
    clock = FakeClock()
    keeper = workers(clock, count=1, rows_per_night=10)[0]
    keeper.reserve_rows(9, "x")
    keeper.settle_rows(-9)
    keeper.reserve_rows(9, "x")
    keeper.reserve_rows(9, "x")
    with pytest.raises(OutsideBudget):
        keeper.reserve_rows(1, "x")


def test_a_night_goes_from_noon_to_noon():
    """After midnight it still is the evening's night."""
    clock = FakeClock(datetime(2018, 10, 8, 23, 0, tzinfo=BEIJING))
    (keeper,) = workers(clock, count=1)
    evening = keeper.night()
    clock.pass_by(6 * 3600)
    assert evening == keeper.night() == "2018-10-08"
    clock.pass_by(8 * 3600)
    assert "2018-10-09" == keeper.night()
