"""Crashes and races: any process may die at any moment, any order may happen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.store.samples import PAYMENT, Hub, payments
from tongban.kernel.errors import DatabaseUnavailable, FencedOff
from tongban.protect import KeyRing
from tongban.store.engine import open_engine
from tongban.store.leases import take_lease
from tongban.store.load import write_chunk
from tongban.store.migrate import migrate
from tongban.store.summary import dataset_balances
from tongban.store.transfers import begin_transfer, read_transfer

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]

LOADER = """
import sys, time
from pathlib import Path
from uuid import UUID
from tests.store.samples import Hub, payments
from tongban.protect import KeyRing
from tongban.store.engine import open_engine
from tongban.store.leases import take_lease
from tongban.store.load import write_chunk

url, keys, transfer, stop_at, place = sys.argv[1:6]
hub = Hub(open_engine(url), KeyRing.open(Path(keys), {}))
hub.leases["payment"] = take_lease(hub.engine, "tax", "payment", holder="load 1")

def stop(conn, outcome):
    if place == "inside" and outcome.chunk_no == int(stop_at):
        print("ready", flush=True)
        time.sleep(60)

for number in range(1, 5):
    frame = payments(5, start=5 * (number - 1))
    bad = payments(1, start=100 + number)
    chunk = hub.chunk(frame, bad, transfer_id=UUID(transfer), chunk_no=number,
                      is_last=number == 4, subscribers=("office",))
    write_chunk(hub.engine, chunk, evidence=stop)
    if place == "after" and number == int(stop_at):
        print("ready", flush=True)
        time.sleep(60)
print("done", flush=True)
"""


def run_loader(url, keys, transfer, stop_at, place):
    """Load four chunks in a process of its own, and kill it at the given point."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOADER, url, str(keys), str(transfer), str(stop_at), place],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    word = process.stdout.readline().strip()
    if word == "ready":
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    return word


@pytest.mark.parametrize(("stop_at", "place"), [(1, "inside"), (2, "after"), (4, "inside")])
def test_load_that_was_killed_is_finished_by_the_next_one(
    hub, database_url, tmp_path, stop_at, place
):
    """Nothing lost, nothing doubled, counts balance."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    keys = tmp_path / "keys"
    killed = run_loader(database_url, keys, transfer, stop_at, place)

    finished = run_loader(database_url, keys, transfer, 0, "nowhere")

    row = read_transfer(hub.engine, transfer)
    assert ("ready", "done") == (killed, finished)
    assert ("finished", 4, 24, 20, 4) == tuple(
        row[c] for c in ("state", "chunks", "read_rows", "new_rows", "quarantined_rows")
    )
    assert [(20, 20, 4)] == hub.rows(
        "SELECT (SELECT count(*) FROM data.payment_v1), (SELECT count(*) FROM hub.outbox),"
        " (SELECT count(*) FROM hub.quarantine)"
    )


def test_connection_that_is_cut_inside_a_chunk_leaves_nothing(hub):
    """PostgreSQL restarts, a firewall forgets us."""

    def cut(conn, outcome):  # noqa: ARG001
        own = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with hub.engine.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
        time.sleep(0.05)
        conn.execute(text("SELECT 1"))

    chunk = hub.chunk(payments(3), subscribers=("a",))
    with pytest.raises(DatabaseUnavailable, match="nothing was written"):
        write_chunk(hub.engine, chunk, evidence=cut)
    assert 0 == hub.one("SELECT count(*) FROM data.payment_v1")

    assert 3 == write_chunk(hub.engine, chunk).new


def test_two_transfers_of_the_same_records_at_once_both_end_well(hub):
    """A backfill beside the increment: two leases, one table."""
    outcomes, failures = [], []

    def load(system, minutes):
        lease = take_lease(hub.engine, system, "payment", holder=system)
        chunk = hub.chunk(payments(200, minutes=minutes, amount=f"{minutes}.00"), lease=lease)
        for _ in range(5):
            try:
                outcomes.append(write_chunk(hub.engine, chunk))
            except DatabaseUnavailable as exc:
                failures.append(exc)
            else:
                return

    loaders = [threading.Thread(target=load, args=(f"s{m}", m)) for m in (1, 2, 3)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()

    assert 3 == len(outcomes)
    assert [("3.00", 200)] == hub.rows(
        "SELECT paid_amount::text, count(*) FROM data.payment_v1 GROUP BY 1"
    )
    assert dataset_balances(hub.engine, [PAYMENT])[0].in_balance


@pytest.mark.slow
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["good", "bad", "again", "crash", "takeover"]),
            st.integers(0, 3),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_order_of_events_ends_with_the_newest_version_and_balanced_counts(
    database_url, tmp_path_factory, steps
):
    """A model of one small table, against the real one."""
    engine = open_engine(database_url)
    with engine.begin() as conn:
        conn.execute(text(RESET))
    migrate(engine, [PAYMENT])
    hub = Hub(engine, KeyRing.open(KEYS.setdefault("k", tmp_path_factory.mktemp("k")), {}))
    newest: dict[int, int] = {}
    last = None
    for kind, key, minutes in steps:
        frame = payments(1, start=key, minutes=minutes, amount=f"{minutes}.00")
        if kind == "good":
            last = hub.chunk(frame, subscribers=("a",))
            write_chunk(engine, last)
            newest[key] = max(newest.get(key, -1), minutes)
        elif kind == "bad":
            hub.load(None, frame)
        elif kind == "again" and last is not None:
            assert write_chunk(engine, last).skipped
        elif kind == "crash":
            chunk = hub.chunk(frame, subscribers=("a",))
            with pytest.raises(ZeroDivisionError):
                write_chunk(engine, chunk, evidence=lambda *_: 1 // 0)
        elif kind == "takeover":
            old = hub.lease("payment")
            hub.leases["payment"] = take_lease(engine, "tax", "payment")
            with pytest.raises(FencedOff):
                write_chunk(engine, hub.chunk(frame, lease=old))
            last = None

    stored = hub.rows("SELECT ticket_no, paid_amount::text FROM data.payment_v1 ORDER BY 1")
    assert [(f"T{k:06d}", f"{m}.00") for k, m in sorted(newest.items())] == stored
    assert dataset_balances(engine, [PAYMENT])[0].in_balance
    assert 0 == hub.one(
        "SELECT count(*) FROM hub.transfer WHERE state = 'finished' AND read_rows <>"
        " new_rows + changed_rows + same_rows + quarantined_rows + duplicate_rows"
    )
    versions = hub.one("SELECT coalesce(sum(version), 0) FROM data.payment_v1")
    assert versions == hub.one("SELECT count(*) FROM hub.outbox")
    assert hub.one(
        "SELECT count(*) = count(DISTINCT key_index) FROM hub.quarantine WHERE state = 'open'"
    )
    engine.dispose()


KEYS: dict[str, Path] = {}
RESET = """
DO $$ BEGIN
    IF to_regclass('data.payment_v1') IS NOT NULL THEN
        TRUNCATE data.payment_v1, data.payment_v1_history;
    END IF;
END $$;
TRUNCATE hub.transfer, hub.transfer_chunk, hub.transfer_finding, hub.outbox, hub.quarantine CASCADE;
DELETE FROM hub.lease;
"""


def test_large_chunk_keeps_every_row(hub):
    """Several thousand rows through every statement."""
    frame = pl.concat([payments(3000), payments(500, start=2500, minutes=1)])

    outcome = hub.load(frame, subscribers=("a", "b"))

    assert (3000, 500, 6000) == (outcome.new, outcome.duplicate, outcome.queued)
