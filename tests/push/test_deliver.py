"""Delivery: every record has its one effect and its receipt, whatever happens on the way."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from operator import itemgetter

import pytest

from tests.push.samples import SALE_OUT
from tests.store.samples import PARTY, SALE, parties, payments, sales
from tongban.kernel.errors import (
    AuthenticationRefused,
    DeliveryUnclear,
    OutsideBudget,
    SystemRefused,
    SystemUnavailable,
)
from tongban.push import PushCounts, RowsParked, requeue

pytestmark = pytest.mark.postgres
OFFICE = ("office",)


def test_new_records_are_delivered_and_each_has_its_receipt(hub, office):
    """The normal day."""
    hub.load(payments(5), subscribers=OFFICE)

    done = office.deliver()

    assert (5, 5) == (done.sent, done.accepted)
    assert 5 == len(office.held)
    assert ["R1", "R2", "R3", "R4", "R5"] == sorted(
        receipt for (receipt,) in hub.rows("SELECT receipt_no FROM hub.outbox")
    )


def test_nothing_new_sends_nothing(hub, office):
    """A second run moves only what changed."""
    hub.load(payments(3), subscribers=OFFICE)
    office.deliver()
    hub.load(payments(3), subscribers=OFFICE)

    assert PushCounts() == office.deliver()
    assert 1 == hub.one("SELECT count(*) FROM hub.transfer WHERE direction = 'push'")


def test_document_is_nested_opened_masked_and_formatted(hub, office):
    """The mapping decides what leaves the house."""
    hub.load(payments(1), subscribers=OFFICE)
    office.deliver()

    ((version, _, data),) = office.held.values()

    assert 1 == version
    assert {
        "ticket": "T000000",
        "payer": {"name": "张0", "id": "620899********0000"},
        "amount": "100.00",
        "paid_at": "2026-03-01T09:00:00+08:00",
    } == data


def test_changed_record_goes_out_as_an_update_with_the_next_version(hub, office):
    """The receiver keeps one record per guid."""
    hub.load(payments(1), subscribers=OFFICE)
    office.deliver()
    hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)

    office.deliver()

    first, second = (batch[0] for batch in office.batches)
    assert ("I", 1, "U", 2) == (first.op, first.version, second.op, second.version)
    assert first.guid == second.guid
    assert "7.00" == second.data["amount"]


def test_only_the_newest_version_goes_out_and_the_older_is_superseded(hub, office):
    """Nobody needs yesterday's state after today's."""
    hub.load(payments(1), subscribers=OFFICE)
    hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)

    done = office.deliver()

    assert (1, 1) == (done.sent, done.superseded)
    assert {"accepted": 1, "superseded": 1} == office.states()
    assert [("I", 2)] == [(r.op, r.version) for batch in office.batches for r in batch]


def test_lost_answer_repeats_the_same_key_and_the_effect_is_one(hub, office):
    """The request arrived, the answer did not."""
    hub.load(payments(2), subscribers=OFFICE)
    office.lose_answers = 1
    with pytest.raises(DeliveryUnclear):
        office.deliver()
    assert {"sent": 2} == office.states()
    office.make_due()

    done = office.deliver()

    assert (0, 2) == (done.accepted, done.duplicate)
    assert 2 == len(office.effects)
    assert [r.guid for r in office.batches[0]] == [r.guid for r in office.batches[1]]
    assert {"R1", "R2"} == {r for (r,) in hub.rows("SELECT receipt_no FROM hub.outbox")}


def test_lost_answer_is_repeated_at_once_by_a_patient_run(hub, office):
    """Seconds of patience spare a whole retry of the task."""
    hub.load(payments(2), subscribers=OFFICE)
    office.lose_answers = 1

    done = office.deliver(patience_s=10)

    assert (2, 2) == (done.unclear, done.duplicate)
    assert {"duplicate": 2} == office.states()


def test_rejected_record_is_not_a_failed_transport(hub, office):
    """The receiver's no is final for this version; its neighbours pass."""
    hub.load(payments(3), subscribers=OFFICE)
    office.refuse["T000001"] = "BAD_UNIT"

    done = office.deliver()

    assert (3, 2, 1) == (done.sent, done.accepted, done.rejected)
    assert [("rejected", "BAD_UNIT")] == hub.rows(
        "SELECT state, code FROM hub.outbox WHERE state <> 'accepted'"
    )
    office.make_due()
    assert PushCounts() == office.deliver()


def test_words_of_a_refusal_are_sealed_since_they_may_quote_the_record(hub, office, keyring):
    """A department's message is kept, but nobody reads it in the table."""
    hub.load(payments(1), subscribers=OFFICE)
    office.refuse["T000000"] = "BAD"
    office.deliver()

    guid, sealed = hub.rows("SELECT record_id::text, answer_sealed FROM hub.outbox")[0]

    assert "不接受 T000000" == keyring.unseal(f"receipt|office|payment|{guid}", sealed).decode()
    assert b"T000000" not in sealed


def test_failed_transport_is_not_a_rejection(hub, office):
    """No answer before it took effect: the row stays in the queue."""
    hub.load(payments(2), subscribers=OFFICE)
    office.raises = [SystemUnavailable("office: HTTP 503")]
    with pytest.raises(SystemUnavailable):
        office.deliver()
    assert [("queued", 1, None)] * 2 == hub.rows("SELECT state, attempts, sent_at FROM hub.outbox")
    office.make_due()

    assert 2 == office.deliver().accepted


def test_wait_grows_with_every_failed_try(hub, office):
    """A sick target is not hammered."""
    hub.load(payments(1), subscribers=OFFICE)
    waits = []
    for _ in range(4):
        office.raises = [SystemUnavailable("office: HTTP 503")]
        with pytest.raises(SystemUnavailable):
            office.deliver()
        waits.append(
            hub.one("SELECT round(extract(epoch FROM next_try_at - now()))::int FROM hub.outbox")
        )
        office.make_due()

    assert [2, 4, 8, 16] == waits


def test_answers_before_a_failure_are_kept(hub, office):
    """Batch two fails, batch one stays delivered."""
    hub.load(payments(4), subscribers=OFFICE)
    calls = iter([None, SystemUnavailable("office: HTTP 503")])

    def fail_second():
        office.raises = [error] if (error := next(calls, None)) else []

    office.during = fail_second
    with pytest.raises(SystemUnavailable):
        office.deliver()

    assert {"accepted": 2, "queued": 2} == office.states()


def test_closed_hours_change_nothing(hub, office):
    """Outside its budget a target is not asked, so nothing was tried."""
    hub.load(payments(1), subscribers=OFFICE)
    office.raises = [OutsideBudget("office: closed until 08:00")]
    with pytest.raises(OutsideBudget):
        office.deliver()

    assert [("queued", 0)] == hub.rows("SELECT state, attempts FROM hub.outbox")


def test_refused_identity_changes_nothing_and_is_raised(hub, office):
    """A person must act; the rows wait."""
    hub.load(payments(1), subscribers=OFFICE)
    office.raises = [AuthenticationRefused("office: bad signature")]
    with pytest.raises(AuthenticationRefused):
        office.deliver(patience_s=5)

    assert {"queued": 1} == office.states()


def test_child_waits_for_its_parent_and_goes_out_when_it_is_there(hub, office):
    """Parent before child, whichever comes first."""
    hub.load(payments(2), subscribers=OFFICE)
    office.refuse["T000001"] = "PARENT_MISSING"
    done = office.deliver()
    assert (1, 1, 0) == (done.accepted, done.waiting, done.rejected)
    assert {"accepted": 1, "waiting_parent": 1} == office.states()
    office.refuse.clear()
    office.make_due()

    assert 1 == office.deliver().accepted


def test_poison_record_does_not_block_its_neighbours(hub, office):
    """The target chokes on a whole batch because of one record."""
    hub.load(payments(7), subscribers=OFFICE)
    office.poison = {"T000003"}

    done = office.deliver(batch=7)

    assert (6, 1) == (done.accepted, done.rejected)
    assert [("fatal.system_refused",)] == hub.rows(
        "SELECT code FROM hub.outbox WHERE state = 'rejected'"
    )


def test_target_that_refuses_everything_rejects_nothing(hub, office):
    """A service that is switched off answers with its error for each call."""
    hub.load(payments(8), subscribers=OFFICE)
    office.poison = {f"T{i:06d}" for i in range(8)}
    with pytest.raises(SystemRefused):
        office.deliver(batch=8)

    assert {"queued": 8} == office.states()
    assert 8 > len(office.batches)


def test_record_that_got_no_answer_goes_out_again(hub, office):
    """Success is the receiver's answer per record, never the status of the call."""
    hub.load(payments(2), subscribers=OFFICE)
    office.silent = {"T000000"}
    done = office.deliver()
    assert (1, 1) == (done.accepted, done.unclear)
    office.silent.clear()
    office.make_due()

    assert 1 == office.deliver().duplicate


def test_row_that_waited_too_long_is_parked_and_never_deleted(hub, office):
    """After three days a person must look."""
    hub.load(payments(1), subscribers=OFFICE)
    office.raises = [SystemUnavailable("office: HTTP 503")]
    with pytest.raises(RowsParked, match="1 records had no answer"):
        office.deliver(park_after=timedelta(0))
    office.make_due()

    assert PushCounts() == office.deliver()
    assert {"parked": 1} == office.states()


def test_parked_row_goes_out_after_a_person_has_requeued_it(hub, office):
    """The cause is removed, nothing is lost."""
    hub.load(payments(1), subscribers=OFFICE)
    office.raises = [SystemUnavailable("office: HTTP 503")]
    with pytest.raises(RowsParked, match="1 records had no answer"):
        office.deliver(park_after=timedelta(0))

    assert 1 == requeue(hub.engine, "office", "payment")
    assert 1 == office.deliver().accepted


def test_requeued_old_version_never_overtakes_the_newer_one(hub, office):
    """What was rejected once may be outdated today."""
    hub.load(payments(1), subscribers=OFFICE)
    office.refuse["T000000"] = "BAD"
    office.deliver()
    hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)
    office.refuse.clear()
    office.deliver()
    requeue(hub.engine, "office", "payment")

    done = office.deliver()

    assert (0, 1) == (done.sent, done.superseded)
    assert [2] == [version for version, _, _ in office.held.values()]


def test_version_that_changes_while_its_elder_is_on_the_way_waits_for_it(hub, office):
    """Two workers, one record: the order at the target is the order of the versions."""
    hub.load(payments(1), subscribers=OFFICE)
    seen = []

    def change_and_try():
        office.during = None
        hub.load(payments(1, minutes=5, amount="7.00"), subscribers=OFFICE)
        other = threading.Thread(target=lambda: seen.append(office.deliver()))
        other.start()
        other.join()

    office.during = change_and_try
    office.deliver(limit=1)
    assert [PushCounts()] == seen

    office.deliver()

    assert [1, 2] == [version for _, version in office.effects]


def test_two_workers_never_send_the_same_row(hub, office):
    """A claim is a lock."""
    hub.load(payments(40), subscribers=OFFICE)
    workers = [threading.Thread(target=office.deliver) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert 40 == len(office.effects) == sum(len(batch) for batch in office.batches)
    assert {"accepted": 40} == office.states()


def test_worker_that_dies_while_sending_loses_and_doubles_nothing(hub, office):
    """The claim dies with it; the receiver knows the guid."""
    hub.load(payments(2), subscribers=OFFICE)

    def die():
        office.during = None
        for record in office.batches[-1]:
            office.take(record)
        raise KeyboardInterrupt

    office.during = die
    with pytest.raises(KeyboardInterrupt):
        office.deliver()
    assert {"queued": 2} == office.states()

    assert 2 == office.deliver().duplicate
    assert 2 == len(office.effects)


def test_limit_stops_early_and_the_rest_stays(hub, office):
    """Operators try a new route with a few records first."""
    hub.load(payments(6), subscribers=OFFICE)

    assert 3 == office.deliver(limit=3).sent
    assert {"accepted": 3, "queued": 3} == office.states()


def test_slow_target_gets_its_answers_recorded_in_between(hub, office, monkeypatch):
    """A claim does not last as long as the queue is long."""
    monkeypatch.setattr(sys.modules["tongban.push.deliver"], "CLAIM_LASTS_S", 0)
    hub.load(payments(6), subscribers=OFFICE)
    seen = []
    office.during = lambda: seen.append(office.states().get("accepted", 0))

    assert 6 == office.deliver(batch=2).accepted
    assert [0, 2, 4] == seen


def test_order_of_the_queue_is_the_order_of_delivery(hub, office):
    """First in, first out."""
    for i in (3, 1, 2):
        hub.load(payments(1, start=i), subscribers=OFFICE)

    office.deliver()

    assert ["T000003", "T000001", "T000002"] == [
        office.key(record) for batch in office.batches for record in batch
    ]


def test_children_travel_inside_their_parent(hub, office):
    """A contract goes out with its parties."""
    hub.load(parties(2), of=PARTY)
    hub.load(sales(2), of=SALE, subscribers=OFFICE)

    office.deliver(SALE_OUT)

    documents = sorted((data for _, _, data in office.held.values()), key=itemgetter("no"))
    assert {
        "no": "C00000",
        "usage": "住宅",
        "LIST": {"PARTY": [{"NAME": "王0-1", "SHARE": "50%"}, {"NAME": "王0-2", "SHARE": "50%"}]},
    } == documents[0]


def test_record_without_children_has_an_empty_list(hub, office):
    """Never a missing key, never null."""
    hub.load(sales(1), of=SALE, subscribers=OFFICE)
    office.deliver(SALE_OUT)

    ((_, _, data),) = office.held.values()
    assert {"PARTY": []} == data["LIST"]


def test_row_outside_the_mapping_is_withheld(hub, office):
    """`where` keeps back what the target must not have."""
    hub.load(sales(1, usage="99"), of=SALE, subscribers=OFFICE)

    done = office.deliver(SALE_OUT)

    assert (0, 1) == (done.sent, done.withheld)
    assert {"withheld": 1} == office.states()
    assert {} == office.held


def test_code_that_the_target_does_not_know_makes_the_record_unsendable(hub, office):
    """Sending it without the code would be a lie."""
    hub.load(sales(1, usage="20"), of=SALE, subscribers=OFFICE)

    done = office.deliver(SALE_OUT)

    assert (1, {}) == (done.rejected, office.held)
    assert "TONGBAN_UNSENDABLE:usage" == hub.one("SELECT code FROM hub.outbox")


def test_push_transfer_balances_and_is_finished(hub, office):
    """The transfers page shows it beside the pulls."""
    hub.load(payments(4), subscribers=OFFICE)
    office.refuse = {"T000001": "BAD", "T000002": "PARENT_MISSING"}
    office.deliver()

    assert [("finished", 4, 2, 1, 1, 0)] == hub.rows(
        "SELECT state, pushed_rows, acknowledged_rows, rejected_rows, waiting_rows, unclear_rows"
        " FROM hub.transfer WHERE direction = 'push'"
    )


def test_failed_push_says_why_on_the_transfers_page(hub, office):
    """The operator sees the code without any log."""
    hub.load(payments(4), subscribers=OFFICE)
    office.lose_answers = 1
    with pytest.raises(DeliveryUnclear):
        office.deliver()

    assert [("failed", "retry.delivery_unclear")] == hub.rows(
        "SELECT state, error_code FROM hub.transfer WHERE direction = 'push'"
    )


def test_outbox_row_whose_record_is_gone_is_withheld(hub, office):
    """Shredded data cannot be sent, and does not block the queue."""
    hub.load(payments(1), subscribers=OFFICE)
    with hub.engine.begin() as conn:
        conn.exec_driver_sql("DELETE FROM data.payment_v1")

    office.deliver()

    assert {"withheld": 1} == office.states()
