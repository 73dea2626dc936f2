"""Delivery with two workers: more than one claim goes out once, in order, and fails as one run."""

from __future__ import annotations

import sys

import pytest

from tests.store.samples import payments
from tongban.kernel.errors import SystemUnavailable
from tongban.push import deliver, requeue

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("small_claims")]
OFFICE = ("office",)


@pytest.fixture
def small_claims(monkeypatch):
    """One batch per claim, so that a few rows need both workers."""
    monkeypatch.setattr(sys.modules[deliver.__module__], "ROWS_PER_CLAIM", 1)


def test_many_claims_are_each_delivered_once(hub, office):
    """Two workers never send the same record."""
    hub.load(payments(40), subscribers=OFFICE)

    done = office.deliver()

    assert (40, 40) == (done.sent, done.accepted)
    guids = [record.guid for batch in office.batches for record in batch]
    assert 40 == len(guids) == len(set(guids))
    assert {"accepted": 40} == office.states()


def test_many_claims_are_one_transfer_whose_counts_balance(hub, office):
    """The transfers page shows one run, whoever worked on it."""
    hub.load(payments(40), subscribers=OFFICE)

    office.deliver()

    assert [(40, 40)] == hub.rows(
        "SELECT pushed_rows, acknowledged_rows FROM hub.transfer WHERE direction = 'push'"
    )


def test_target_is_asked_by_one_worker_at_a_time(hub, office):
    """The second worker prepares and records; it never doubles the load on the target."""
    hub.load(payments(40), subscribers=OFFICE)
    inside: list[int] = []
    most: list[int] = []
    accept = office.send

    def watched(dataset, records):
        inside.append(1)
        most.append(len(inside))
        try:
            return accept(dataset, records)
        finally:
            inside.pop()

    office.send = watched
    office.deliver()

    assert 1 == max(most)


def test_failure_of_one_worker_stops_both_and_loses_no_answer(hub, office):
    """What was answered is recorded, the rest stays queued and goes out the next time."""
    hub.load(payments(40), subscribers=OFFICE)
    accept = office.send
    calls: list[int] = []

    def failing(dataset, records):
        calls.append(1)
        if len(calls) == 5:
            raise SystemUnavailable("office: no answer")
        return accept(dataset, records)

    office.send = failing
    with pytest.raises(SystemUnavailable):
        office.deliver()
    taken = len(office.held)
    assert 5 == len(calls)
    assert taken == office.states()["accepted"]
    assert 40 - taken == office.states()["queued"]

    office.send = accept
    requeue(hub.engine, "office", "payment", ("queued",))
    office.deliver()

    assert {"accepted": 40} == office.states()
