"""Leases: one writer at a time, and a zombie that writes nothing."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from tests.store.samples import payments
from tongban.kernel.errors import FencedOff, LeaseHeld
from tongban.store.leases import release_lease, take_lease
from tongban.store.load import write_chunk
from tongban.store.transfers import begin_transfer

pytestmark = pytest.mark.postgres
SHORT = timedelta(milliseconds=30)


def test_second_worker_is_told_who_holds_the_lease(engine):
    """And until when."""
    take_lease(engine, "tax", "payment", holder="worker one")

    with pytest.raises(LeaseHeld, match="worker one holds the lease until"):
        take_lease(engine, "tax", "payment", holder="worker two")


def test_other_dataset_is_free(engine):
    """A lease is per system and dataset."""
    take_lease(engine, "tax", "payment", holder="a")

    assert 1 == take_lease(engine, "tax", "sale", holder="b").token
    assert 1 == take_lease(engine, "housing", "payment", holder="b").token


def test_released_lease_is_free_at_once_with_a_higher_token(engine):
    """The normal change of shift."""
    first = take_lease(engine, "tax", "payment", holder="a")
    release_lease(engine, first)

    assert first.token + 1 == take_lease(engine, "tax", "payment", holder="b").token


def test_lease_that_ran_out_is_taken_over(engine):
    """The worker is gone."""
    take_lease(engine, "tax", "payment", holder="a", ttl=SHORT)
    time.sleep(0.05)

    assert 2 == take_lease(engine, "tax", "payment", holder="b").token


def test_restarted_holder_takes_its_own_lease_and_shuts_out_its_older_self(engine):
    """A task that was killed starts again at once."""
    first = take_lease(engine, "tax", "payment", holder="run 7")

    assert first.token + 1 == take_lease(engine, "tax", "payment", holder="run 7").token


def test_zombie_writes_nothing(hub):
    """It slept through its lease; another has taken over."""
    zombie = take_lease(hub.engine, "tax", "payment", holder="a", ttl=SHORT)
    time.sleep(0.05)
    take_lease(hub.engine, "tax", "payment", holder="b")

    with pytest.raises(FencedOff, match="wrote nothing and must stop"):
        hub.load(payments(3), lease=zombie)

    assert [(0, 0)] == hub.rows(
        "SELECT (SELECT count(*) FROM data.payment_v1), (SELECT count(*) FROM hub.transfer_chunk)"
    )


def test_released_worker_may_not_write_any_more(hub):
    """Giving back is final."""
    lease = take_lease(hub.engine, "tax", "payment", holder="a")
    release_lease(hub.engine, lease)

    with pytest.raises(FencedOff):
        hub.load(payments(1), lease=lease)


def test_late_worker_may_write_while_nobody_has_taken_over(hub):
    """Running out alone harms nobody."""
    lease = take_lease(hub.engine, "tax", "payment", holder="a", ttl=SHORT)
    time.sleep(0.05)

    assert 1 == hub.load(payments(1), lease=lease).new


def test_every_chunk_renews_the_lease(hub):
    """A long load keeps it without a clock of its own."""
    lease = take_lease(hub.engine, "tax", "payment", holder="a", ttl=timedelta(seconds=30))
    before = hub.one("SELECT expires_at FROM hub.lease")

    hub.load(payments(1), lease=lease)

    assert before < hub.one("SELECT expires_at FROM hub.lease")


def test_takeover_waits_for_the_chunk_that_is_being_written(hub):
    """Between the check of the token and the commit nobody can slip in."""
    lease = take_lease(hub.engine, "tax", "payment", holder="a", ttl=SHORT)
    transfer = begin_transfer(hub.engine, "tax", "payment")
    seen = []

    def take_over(conn, outcome):  # noqa: ARG001
        conn.exec_driver_sql("SELECT pg_sleep(0.05)")
        with hub.engine.connect() as other:
            other.exec_driver_sql("SET lock_timeout = '50ms'")
            try:
                other.exec_driver_sql("UPDATE hub.lease SET token = token + 1")
            except Exception as exc:  # noqa: BLE001 - any refusal is what we look for
                seen.append(getattr(exc.orig, "sqlstate", None))

    chunk = hub.chunk(payments(1), transfer_id=transfer, lease=lease)
    write_chunk(hub.engine, chunk, evidence=take_over)

    assert ["55P03"] == seen


def test_releasing_a_lost_lease_does_not_harm_the_new_holder(engine):
    """The zombie's last act."""
    zombie = take_lease(engine, "tax", "payment", holder="a", ttl=SHORT)
    time.sleep(0.05)
    take_lease(engine, "tax", "payment", holder="b")
    release_lease(engine, zombie)

    with pytest.raises(LeaseHeld):
        take_lease(engine, "tax", "payment", holder="c")
