"""A deletion goes out once, with op D and the next version, to those who had the record."""

from __future__ import annotations

import pytest

from tests.store.samples import payments
from tests.store.test_deletes import mark

pytestmark = pytest.mark.postgres
OFFICE = ("office",)


def test_a_deletion_goes_out_with_op_d_and_what_the_record_last_was(hub, office):
    """The receiver gets the same guid and the next version."""
    hub.load(payments(2), subscribers=OFFICE)
    office.deliver()
    mark(hub, payments(1, minutes=5))

    done = office.deliver()

    assert (1, 1) == (done.sent, done.accepted)
    (record,) = office.batches[-1]
    assert ("D", 2, "T000000") == (record.op, record.version, record.data["ticket"])
    assert record.guid in {sent.guid for sent in office.batches[0]}
    assert 0 == office.deliver().sent


def test_a_record_that_was_deleted_before_it_went_out_is_never_sent(hub, office):
    """The target never had it: neither the record nor its end goes there."""
    hub.load(payments(1), subscribers=OFFICE)
    mark(hub, payments(1, minutes=5))

    done = office.deliver()

    assert (0, 0) == (done.sent, len(office.held))
    states = dict(hub.rows("SELECT version, state FROM hub.outbox"))
    assert states[2] == "withheld"
    assert states[1] in {"superseded", "withheld"}


def test_a_record_that_came_back_before_its_end_was_told_goes_out_as_an_update(hub, office):
    """Only the newest version goes out."""
    hub.load(payments(1), subscribers=OFFICE)
    office.deliver()
    mark(hub, payments(1, minutes=5))
    hub.load(payments(1, minutes=9, amount="7.00"), subscribers=OFFICE)

    office.deliver()

    (record,) = office.batches[-1]
    assert ("U", 3, "7.00") == (record.op, record.version, record.data["amount"])
    assert 2 == len(office.batches)


def test_deletions_and_changes_go_out_in_one_batch_in_their_order(hub, office):
    """Whatever was queued first goes first."""
    hub.load(payments(3), subscribers=OFFICE)
    office.deliver()
    hub.load(payments(1, start=2, minutes=5, amount="7.00"), subscribers=OFFICE)
    mark(hub, payments(1, minutes=6))

    office.deliver()

    assert ["U", "D"] == [record.op for record in office.batches[-1]]
