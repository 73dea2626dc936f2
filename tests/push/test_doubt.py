"""Doubt: what a target may have is never taken for what it does not have, nor the other way."""

from __future__ import annotations

import pytest

from tests.push.samples import SALE_OUT
from tests.store.samples import SALE, payments, sales
from tests.store.test_deletes import mark
from tongban.kernel.errors import DeliveryUnclear
from tongban.kernel.records import Receipt
from tongban.push import PushCounts
from tongban.push.marks import any_left_behind, settle_left_behind

pytestmark = pytest.mark.postgres
OFFICE = ("office",)


def die_while_sending(office):
    """The receiver has everything, the worker is gone before it could write that down."""

    def die():
        office.during = None
        for record in office.batches[-1]:
            office.take(record)
        raise KeyboardInterrupt

    office.during = die
    with pytest.raises(KeyboardInterrupt):
        office.deliver()


def last_sent(office):
    """Operation, version and key of each record of the last batch."""
    return [(r.op, r.version, office.key(r)) for r in office.batches[-1]]


def test_a_version_after_one_that_died_on_the_way_is_an_update(hub, office):
    """The first version may be there: a target that knows its key would refuse a second insert."""
    hub.load(payments(1), subscribers=OFFICE)
    die_while_sending(office)
    hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)

    assert 1 == office.deliver().accepted
    assert [("U", 2, "T000000")] == last_sent(office)


def test_a_deletion_after_a_version_that_died_on_the_way_is_told(hub, office):
    """Else the target would keep for ever what nobody knows that it has."""
    hub.load(payments(1), subscribers=OFFICE)
    die_while_sending(office)
    mark(hub, payments(1, minutes=5))

    assert 1 == office.deliver().accepted
    assert [("D", 2, "T000000")] == last_sent(office)


def test_nothing_is_left_of_a_mark_after_the_answers(hub, office):
    """The claim's transaction ends it."""
    hub.load(payments(3), subscribers=OFFICE)
    seen = []
    office.during = lambda: seen.append(hub.one("SELECT count(*) FROM hub.push_mark"))

    office.deliver()

    assert [1, 1] == seen  # committed before the first batch went out
    assert 0 == hub.one("SELECT count(*) FROM hub.push_mark")


def test_the_mark_of_a_living_worker_is_left_alone(hub, office):
    """It holds the mark's lock as long as it lives."""
    hub.load(payments(1), subscribers=OFFICE)
    found = []

    def look():
        with hub.engine.begin() as conn:
            found.append(any_left_behind(conn, "office", "payment"))
        found.append(settle_left_behind(hub.engine, "office", "payment"))

    office.during = look
    office.deliver()

    assert [False, 0] == found
    assert {"accepted": 1} == office.states()


def test_rows_of_a_dead_worker_are_sent_answer_unknown(hub, office):
    """The page shows them as what they are."""
    hub.load(payments(2), subscribers=OFFICE)
    die_while_sending(office)

    assert 2 == settle_left_behind(hub.engine, "office", "payment")
    assert {"sent": 2} == office.states()
    assert 2 == hub.one("SELECT count(*) FROM hub.outbox WHERE sent_at IS NOT NULL")


class ByKeyOnly:
    """A target that takes a key once, whatever the version, until it is told to update."""

    def __init__(self, *, updates: bool) -> None:
        self.held: dict[str, dict] = {}
        self.asked: list[str] = []
        self.updates = updates

    def take(self, record):
        """An insert of a known key is answered with the first receipt."""
        self.asked.append(record.op)
        known = record.guid in self.held
        if known and not (self.updates and record.op == "U"):
            return Receipt(record.guid, "duplicate", f"R-{record.guid}")
        self.held[record.guid] = record.data
        return Receipt(record.guid, "accepted", f"R-{record.guid}")


def test_duplicate_to_what_never_went_out_is_sent_as_an_update(hub, office):
    """The target knows the record from an earlier life of the hub, not this content."""
    target = ByKeyOnly(updates=True)
    hub.load(payments(1, amount="7.00"), subscribers=OFFICE)
    guid = hub.one("SELECT record_id::text FROM hub.outbox")
    target.held[guid] = {"amount": "1.00"}
    office.take = target.take

    done = office.deliver(patience_s=5)

    assert (1, 1, 0) == (done.unclear, done.accepted, done.duplicate)
    assert ["I", "U"] == target.asked
    assert "7.00" == target.held[guid]["amount"]


def test_the_receipt_of_an_earlier_version_does_not_close_a_later_one(hub, office):
    """A duplicate with the first version's receipt proves that the second was not taken."""
    target = ByKeyOnly(updates=False)
    office.take = target.take
    hub.load(payments(1), subscribers=OFFICE)
    office.deliver()
    hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)

    done = office.deliver(patience_s=5)

    assert (1, 1) == (done.unclear, done.rejected)
    assert [("accepted", None), ("rejected", "TONGBAN_OTHER_CONTENT")] == hub.rows(
        "SELECT state, code FROM hub.outbox ORDER BY version"
    )


def test_duplicate_of_an_equal_document_is_done_at_once(hub, office):
    """What changed is nothing that this target gets."""
    target = ByKeyOnly(updates=False)
    office.take = target.take
    hub.load(sales(1), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    changed = sales(1, minutes=5).with_columns(total_price=sales(1)["total_price"] + 1)
    hub.load(changed, of=SALE, subscribers=OFFICE)

    done = office.deliver(SALE_OUT)

    assert (1, 1) == (done.sent, done.duplicate)


def test_a_record_that_leaves_the_mapping_is_withdrawn_as_it_was_sent(hub, office):
    """The target must not keep what it may not have; the new content stays here."""
    hub.load(sales(1), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    hub.load(sales(1, minutes=5, usage="99"), of=SALE, subscribers=OFFICE)

    done = office.deliver(SALE_OUT)

    assert (1, 0) == (done.accepted, done.withheld)
    assert [("D", 2, "C00000")] == last_sent(office)
    assert "住宅" == office.batches[-1][0].data["usage"]


def test_a_withdrawn_record_that_changes_again_stays_here(hub, office):
    """It is not withdrawn twice."""
    hub.load(sales(1), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    hub.load(sales(1, minutes=5, usage="99"), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    hub.load(sales(1, minutes=9, usage="98"), of=SALE, subscribers=OFFICE)

    done = office.deliver(SALE_OUT)

    assert (0, 1) == (done.sent, done.withheld)


def test_a_withdrawn_record_that_comes_back_is_an_insert(hub, office):
    """The target has deleted it."""
    hub.load(sales(1), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    hub.load(sales(1, minutes=5, usage="99"), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    hub.load(sales(1, minutes=9), of=SALE, subscribers=OFFICE)

    office.deliver(SALE_OUT)

    assert [("I", 3, "C00000")] == last_sent(office)


def test_a_record_that_is_deleted_before_its_withdrawal_went_out_is_deleted_there(hub, office):
    """Its last version was none of the target's business, an earlier one is there."""
    hub.load(sales(1), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)
    hub.load(sales(1, minutes=5, usage="99"), of=SALE, subscribers=OFFICE)
    mark(hub, sales(1, minutes=9), of=SALE)

    done = office.deliver(SALE_OUT)

    assert (1, 0) == (done.accepted, done.withheld)
    assert [("D", 3, "C00000")] == last_sent(office)
    assert "住宅" == office.batches[-1][0].data["usage"]


def test_a_version_that_was_refused_for_its_parent_was_never_there(hub, office):
    """The next version is an insert, and a deletion needs not to be told."""
    hub.load(payments(1), subscribers=OFFICE)
    office.refuse["T000000"] = "PARENT_MISSING"
    office.deliver()
    office.refuse.clear()
    hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)

    office.deliver()

    assert [("I", 2, "T000000")] == last_sent(office)


def test_a_record_that_breaks_every_answer_is_soon_alone(hub, office):
    """Its neighbours get their receipts in smaller batches."""
    hub.load(payments(16), subscribers=OFFICE)
    real = office.take

    def take(record):
        if office.key(record) == "T000005":
            raise DeliveryUnclear("office: connection reset")
        return real(record)

    office.take = take
    for _ in range(6):
        office.make_due()
        try:
            if office.deliver(batch=16) == PushCounts():
                break
        except DeliveryUnclear:
            continue

    states = office.states()
    assert (1, 15) == (states["sent"], states.get("accepted", 0) + states.get("duplicate", 0))
