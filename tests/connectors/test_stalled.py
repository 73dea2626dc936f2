"""A department that accepts calls and never answers takes nothing away from the others."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest

from benchmarks.stalled import others
from connectors.budget import BudgetKeeper
from tests.connectors.serving import FakeClock
from tongban.kernel.budgets import Budget
from tongban.kernel.errors import OutsideBudget
from tongban.kernel.ledger import MemoryLedger
from tongban.kernel.records import BEIJING


def test_the_others_keep_their_throughput_on_real_sockets():
    """Within five percent; the best of three tries, since the machine is shared."""
    shares = []
    for _ in range(3):
        shares.append(others(stalled=True) / others(stalled=False))
        if shares[-1] >= 0.95:
            break
    assert max(shares) >= 0.95


def test_an_hour_of_stalling_costs_the_others_nothing_on_the_fake_clock():
    """Every call of the stalled one ends in its timeout; the others keep their declared rate."""
    clock = FakeClock(datetime(2018, 10, 8, 1, 0, tzinfo=BEIJING))
    ledger = MemoryLedger(clock.monotonic)
    breaker = {"failures": 5, "open_s": 60}
    budget = Budget.model_validate({"requests_per_second": 2, "breaker": breaker})
    stalled = BudgetKeeper("stalled", budget, clock, ledger)
    other = BudgetKeeper("other", budget, clock, ledger)
    began, answered, asked = clock.seconds, 0, 0
    timeout_ends = None
    while clock.seconds - began < 3600:
        if timeout_ends is None:
            try:
                call = stalled.call()
                call.__enter__()  # noqa: PLC2801 - it stays open while the others go on
                timeout_ends, asked = clock.seconds + 30, asked + 1
            except OutsideBudget:
                pass
        elif clock.seconds >= timeout_ends:
            stalled.failed()
            call.__exit__(None, None, None)
            timeout_ends = None
        with other.call():
            other.succeeded()
            answered += 1
    assert answered >= 0.95 * 3600 * 2
    assert asked <= 5 + 3600 / 60  # the breaker spares the stalled one


def test_a_stalled_call_holds_a_slot_of_its_own_department_only():
    """Two threads wait for the stalled one; a third department's call goes through at once."""
    from connectors import SystemClock

    clock = SystemClock()
    ledger = MemoryLedger(clock.monotonic)
    one_slot = Budget(concurrent=1, requests_per_second=1000)
    stalled = BudgetKeeper("stalled", one_slot, clock, ledger)
    other = BudgetKeeper("other", one_slot, clock, ledger)
    release = threading.Event()

    def stall():
        with stalled.call():
            release.wait(5)

    threads = [threading.Thread(target=stall) for _ in range(3)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    with other.call():
        other.succeeded()
    took = time.monotonic() - began
    release.set()
    for thread in threads:
        thread.join()
    assert 0.5 > took


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_of_a_stalled_department_stop_asking_together(workers):
    """Its breaker counts the failures of all of them."""
    clock = FakeClock()
    ledger = MemoryLedger(clock.monotonic)
    budget = Budget.model_validate({"breaker": {"failures": 5, "open_s": 60}})
    group = [BudgetKeeper("stalled", budget, clock, ledger) for _ in range(workers)]
    asked = 0
    while clock.seconds < 1000 + 50:
        for keeper in group:
            try:
                with keeper.call():
                    asked += 1
                    keeper.failed()
            except OutsideBudget:
                clock.pass_by(1)
    assert 5 == asked
