"""Loading chunks: what is written, what is not, and what a crash leaves behind."""

from __future__ import annotations

import pytest

from tests.store.samples import payments

pytestmark = pytest.mark.postgres


def counts(outcome):
    """The balance's parts."""
    return (
        outcome.new,
        outcome.changed,
        outcome.same,
        outcome.quarantined,
        outcome.duplicate,
    )


def test_new_rows_are_stored_with_version_one(hub):
    """The simplest transfer."""
    outcome = hub.load(payments(3))

    assert (3, 0, 0, 0, 0) == counts(outcome)
    assert [(1,)] * 3 == hub.rows("SELECT version FROM data.payment_v1")


def test_storing_a_batch_twice_leaves_one_row_each(hub):
    """Equal content writes nothing."""
    hub.load(payments(3))
    before = hub.rows("SELECT xmin::text, * FROM data.payment_v1 ORDER BY ticket_no")

    outcome = hub.load(payments(3))

    assert (0, 0, 3, 0, 0) == counts(outcome)
    assert before == hub.rows("SELECT xmin::text, * FROM data.payment_v1 ORDER BY ticket_no")


def test_changed_row_gets_the_next_version_and_the_old_one_goes_to_history(hub):
    """Nothing is lost when a record changes."""
    hub.load(payments(2))

    outcome = hub.load(payments(1, minutes=5, amount="250.50"))

    assert (0, 1, 0, 0, 0) == counts(outcome)
    assert [("T000000", 2, "250.50"), ("T000001", 1, "100.00")] == hub.rows(
        "SELECT ticket_no, version, paid_amount::text FROM data.payment_v1 ORDER BY 1"
    )
    assert [("T000000", 1, "100.00")] == hub.rows(
        "SELECT ticket_no, version, paid_amount::text FROM data.payment_v1_history"
    )


def test_older_change_never_overwrites_newer_content(hub):
    """A late page of an old window does no harm."""
    hub.load(payments(1, minutes=5, amount="2.00"))

    outcome = hub.load(payments(1, minutes=1, amount="1.00"))

    assert (0, 0, 1, 0, 0) == counts(outcome)
    assert 1 == outcome.stale
    assert "2.00" == hub.one("SELECT paid_amount::text FROM data.payment_v1")
