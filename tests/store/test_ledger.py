"""The ledger in PostgreSQL: processes that know nothing of each other keep one budget."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from itertools import pairwise

import pytest
from sqlalchemy import text

from connectors.budget import BudgetKeeper
from tests.connectors.serving import FakeClock
from tongban.kernel.budgets import Budget
from tongban.kernel.errors import DatabaseUnavailable, OutsideBudget
from tongban.kernel.ledger import Limits
from tongban.kernel.records import BEIJING
from tongban.store.engine import open_engine
from tongban.store.ledger import PostgresLedger

pytestmark = pytest.mark.postgres
LIMITS = Limits(gap_s=0.02, slots=2, failures=3, open_s=60, hold_s=60)

WORKER = """
import sys, time
from connectors import SystemClock
from connectors.budget import BudgetKeeper
from tongban.kernel.budgets import Budget
from tongban.store.engine import open_engine
from tongban.store.ledger import PostgresLedger
url, count, hold = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
budget = Budget(requests_per_second=50, concurrent=2)
keeper = BudgetKeeper("fund", budget, SystemClock(), PostgresLedger(open_engine(url)))
for _ in range(count):
    with keeper.call():
        began = time.time()
        time.sleep(hold)
        print(began, time.time(), flush=True)
"""


def work(url, count, hold):
    """Start a worker process that makes calls of a given length."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(count), str(hold)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_three_processes_together_keep_rate_and_slots(database_url):
    """90 calls at 50 a second with two slots: never three at a time, never faster."""
    group = [work(database_url, 30, 0.01) for _ in range(3)]
    spans = []
    for process in group:
        out, _ = process.communicate(timeout=60)
        spans += [tuple(map(float, line.split())) for line in out.splitlines()]
    starts = sorted(began for began, _ in spans)

    assert 90 == len(spans)
    assert all(sum(a <= moment < b for a, b in spans) <= 2 for moment in starts)
    assert starts[-1] - starts[0] >= 89 * 0.02 - 0.05


def test_the_slot_of_a_killed_process_is_free_at_once(database_url, engine):
    """SIGKILL in the middle of a call; the next worker does not wait a minute for the slot."""
    ledger = PostgresLedger(engine)
    one_slot = Limits(gap_s=0.001, slots=1, failures=3, open_s=60, hold_s=60)
    process = work(database_url, 1, 60)
    until = time.monotonic() + 20
    while ledger.enter("fund", one_slot).token is not None and time.monotonic() < until:
        with engine.begin() as conn:  # our own slot back, until the other has one
            conn.execute(text("DELETE FROM hub.budget_ledger"))
        time.sleep(0.05)
    assert ledger.enter("fund", one_slot).token is None

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    # Far below `hold_s`: as soon as the server has seen the end of the dead worker's session.
    until = time.monotonic() + 20
    token = ledger.enter("fund", one_slot).token
    while token is None and time.monotonic() < until:
        time.sleep(0.1)
        token = ledger.enter("fund", one_slot).token
    assert token is not None


def test_the_breaker_is_open_for_every_worker(engine):
    """Two ledger objects, as in two processes."""
    one, two = PostgresLedger(engine), PostgresLedger(engine)
    for ledger in (one, two, one):
        ledger.leave("fund", "", "failed", LIMITS)
    assert 59 < two.enter("fund", LIMITS).refused_s <= 60
    assert 59 < two.refused("fund") <= 60
    assert 0 == one.refused("other")
    assert one.enter("other", LIMITS).token


def test_ten_thousand_calls_on_a_fake_clock_would_look_the_same(engine):
    """The same transitions as in memory: a thousand here, hours and rate kept by four keepers."""
    clock = FakeClock(datetime(2018, 10, 8, 18, 50, tzinfo=BEIJING))
    ledger = PostgresLedger(engine, now=lambda: clock.seconds)
    budget = Budget.model_validate(
        {"hours": [{"from": "19:00", "to": "21:00"}], "requests_per_second": 0.2}
    )
    group = [BudgetKeeper("fund", budget, clock, ledger) for _ in range(4)]
    starts = []
    refused = 0
    for n in range(1000):
        try:
            with group[n % 4].call():
                starts.append(clock.seconds)
        except OutsideBudget:
            refused += 1
            clock.pass_by(60)
    assert len(starts) > 500
    assert refused >= 10
    assert all(b - a >= 4.99 for a, b in pairwise(starts))


def test_rows_of_the_night_are_one_count(engine):
    """Two workers, one night; the next night begins at zero."""
    one, two = PostgresLedger(engine), PostgresLedger(engine)
    assert one.count_rows("fund", "2018-10-08", 60, 100)
    assert two.count_rows("fund", "2018-10-08", 60, 100)
    assert not one.count_rows("fund", "2018-10-08", 1, 100)
    assert two.count_rows("fund", "2018-10-08", -30, 100)
    assert one.count_rows("fund", "2018-10-08", 1, 100)
    assert one.count_rows("fund", "2018-10-09", 1, 100)


def test_without_the_database_nothing_may_be_called():
    """A budget that nobody can look up is no permission."""
    away = open_engine("postgresql://hub:x@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable):
        PostgresLedger(away).enter("fund", LIMITS)
