"""Summaries: what the demo's table, the console and the audit read."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.store.samples import PAYMENT, payments
from tongban.store.summary import (
    dataset_balances,
    open_quarantine_counts,
    outbox_counts,
    route_summaries,
)

pytestmark = pytest.mark.postgres


def test_pulls_are_summed_over_their_transfers(hub):
    """One line a route."""
    hub.load(payments(3), payments(1, start=9))
    hub.load(payments(4))

    (line,) = route_summaries(hub.engine)

    assert ("tax", "payment", "pull", 2) == (
        line.system,
        line.dataset,
        line.direction,
        line.transfers,
    )
    assert (8, 7, 1, 0) == (line.read, line.accepted, line.quarantined, line.duplicate)
    assert line.in_balance


def test_push_counts_records_and_not_tries(hub):
    """A row that waits is not in balance yet."""
    hub.load(payments(2), subscribers=("office",))
    before = route_summaries(hub.engine)[1]
    with hub.engine.begin() as conn:
        conn.execute(
            text("UPDATE hub.outbox SET state = 'accepted', attempts = 3, sent_at = now()")
        )
    after = route_summaries(hub.engine)[1]

    assert (0, 0, "open", False) == (
        before.pushed,
        before.acknowledged,
        before.state,
        before.in_balance,
    )
    assert (2, 2, "finished", True) == (
        after.pushed,
        after.acknowledged,
        after.state,
        after.in_balance,
    )


def test_recount_of_the_tables_agrees_with_the_transfers(hub):
    """Independent of every flag."""
    hub.load(payments(3))
    hub.load(payments(1, minutes=1, amount="1.00"))

    (found,) = dataset_balances(hub.engine, [PAYMENT])

    assert (3, 3, 4, 4) == (
        found.counted_records,
        found.stored_records,
        found.counted_versions,
        found.stored_versions,
    )
    assert found.in_balance


def test_recount_finds_a_row_that_vanished(hub):
    """Somebody deleted by hand."""
    hub.load(payments(3))
    with hub.engine.begin() as conn:
        conn.execute(text("DELETE FROM data.payment_v1 WHERE ticket_no = 'T000001'"))

    assert not dataset_balances(hub.engine, [PAYMENT])[0].in_balance


def test_open_quarantine_is_counted_by_rule(hub):
    """Resolved rows are not open."""
    hub.load(None, payments(2))
    hub.load(payments(1, minutes=1))

    (line,) = open_quarantine_counts(hub.engine)

    assert ("tax", "payment", "payment.bad", 1) == tuple(line.values())[:4]


def test_outbox_is_counted_by_state(hub):
    """Depth of every queue."""
    hub.load(payments(2), subscribers=("a", "b"))

    assert [("a", "payment", "queued", 2), ("b", "payment", "queued", 2)] == [
        tuple(line.values())[:4] for line in outbox_counts(hub.engine)
    ]
