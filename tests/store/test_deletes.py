"""Deleted records leave the table with history, tombstone and outbox, and stay away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from tests.store.samples import PAYMENT, T0, payments
from tongban.kernel.errors import BatchRefused
from tongban.protect import protect_frame
from tongban.store.deletes import Snapshot
from tongban.store.leases import take_lease
from tongban.store.load import CountsUnbalanced, write_chunk
from tongban.store.summary import dataset_balances
from tongban.store.transfers import begin_transfer

pytestmark = pytest.mark.postgres
OFFICE = ("office",)


def ids(hub, frame, of=PAYMENT):
    """Record ids of some rows."""
    return protect_frame(frame, of, hub.keyring).ids.select("record_id", "changed_at")


def mark(hub, frame, *, live=None, of=PAYMENT, **more):
    """Load rows that are marked as deleted, beside live ones."""
    chunk = hub.chunk(
        live, of=of, subscribers=OFFICE, gone=ids(hub, frame, of), gone_read=frame.height, **more
    )
    read = frame.height + (0 if live is None else live.height)
    return write_chunk(hub.engine, replace(chunk, read=read))


def snap(hub, frame, *, minutes=60, contract=PAYMENT):
    """Load a complete snapshot; what is not in it is deleted."""
    seen = Snapshot(ids(hub, frame)["record_id"], T0 + timedelta(minutes=minutes))
    chunk = hub.chunk(frame, subscribers=OFFICE, snapshot=seen)
    return write_chunk(hub.engine, replace(chunk, contract=contract))


def stored(hub):
    """Ticket numbers in the table."""
    return [row[0] for row in hub.rows("SELECT ticket_no FROM data.payment_v1 ORDER BY 1")]


def in_balance(hub):
    """Whether transfers and tables agree."""
    return all(balance.in_balance for balance in dataset_balances(hub.engine, [PAYMENT]))


def test_a_marked_record_is_deleted_with_history_tombstone_and_outbox(hub):
    """Its last version stays readable in the history."""
    hub.load(payments(3), subscribers=OFFICE)

    done = mark(hub, payments(1, start=1, minutes=5))

    assert (1, 1, 1, 1) == (done.read, done.same, done.deleted, done.queued)
    assert ["T000000", "T000002"] == stored(hub)
    assert [("T000001", 1)] == hub.rows("SELECT ticket_no, version FROM data.payment_v1_history")
    assert [(2,)] == hub.rows("SELECT version FROM hub.tombstone WHERE dataset = 'payment'")
    assert [(1, 3), (2, 1)] == hub.rows(
        "SELECT version, count(*) FROM hub.outbox GROUP BY 1 ORDER BY 1"
    )
    assert 1 == hub.one("SELECT sum(deleted_rows) FROM hub.transfer")
    assert in_balance(hub)


def test_deleting_again_or_what_is_not_there_does_nothing(hub):
    """A mark is repeated by the source as long as it likes."""
    hub.load(payments(1), subscribers=OFFICE)
    mark(hub, payments(1, minutes=5))

    again = mark(hub, payments(2, minutes=5))

    assert (2, 0, 0) == (again.same, again.deleted, again.queued)
    assert 1 == hub.one("SELECT count(*) FROM hub.tombstone")
    assert in_balance(hub)


def test_an_older_mark_does_not_delete_a_newer_record(hub):
    """The record was changed after it: it is alive."""
    hub.load(payments(1, minutes=10))

    done = mark(hub, payments(1, minutes=5))

    assert 0 == done.deleted
    assert ["T000000"] == stored(hub)


def test_an_old_row_never_brings_a_deleted_record_back(hub):
    """The overlap of the next window, or a replay of an older landing."""
    hub.load(payments(1))
    mark(hub, payments(1, minutes=5))

    late = hub.load(payments(1), subscribers=OFFICE)

    assert (0, 1, 1) == (late.new, late.same, late.stale)
    assert [] == stored(hub)
    assert in_balance(hub)


def test_a_newer_row_brings_it_back_with_its_versions_going_on(hub):
    """Version 1 lived, 2 was its deletion, 3 lives; then 4."""
    hub.load(payments(2), subscribers=OFFICE)
    mark(hub, payments(1, minutes=5))

    back = hub.load(payments(1, minutes=9), subscribers=OFFICE)
    later = hub.load(payments(1, minutes=12, amount="9.00"), subscribers=OFFICE)

    assert (0, 1, 1) == (back.new, back.changed, back.queued)
    assert 1 == later.changed
    ticket = "WHERE ticket_no = 'T000000'"
    assert 4 == hub.one(f"SELECT version FROM data.payment_v1 {ticket}")
    versions = hub.rows(f"SELECT version FROM data.payment_v1_history {ticket} ORDER BY 1")
    assert [(1,), (3,)] == versions
    assert [(1,), (2,), (3,), (4,)] == hub.rows(
        "SELECT o.version FROM hub.outbox o JOIN data.payment_v1 t USING (record_id)"
        f" {ticket} ORDER BY 1"
    )
    assert in_balance(hub)


def test_it_may_be_deleted_and_come_back_again_and_again(hub):
    """Each life and each death has a version."""
    hub.load(payments(1))
    for minutes in (10, 20, 30):
        assert 1 == mark(hub, payments(1, minutes=minutes)).deleted
        assert 1 == hub.load(payments(1, minutes=minutes + 5)).changed

    assert 7 == hub.one("SELECT version FROM data.payment_v1")
    assert [(2,), (4,), (6,)] == hub.rows("SELECT version FROM hub.tombstone ORDER BY 1")
    assert in_balance(hub)


def test_a_record_and_its_later_mark_in_one_chunk_end_deleted(hub):
    """The same page tells of its life and of its end."""
    done = mark(hub, payments(1, minutes=5), live=payments(1))

    assert (2, 1, 1, 1) == (done.read, done.new, done.same, done.deleted)
    assert [] == stored(hub)
    assert in_balance(hub)


def test_marked_rows_are_part_of_the_balance(hub):
    """One that nobody counted is a defect."""
    frame = payments(1)
    chunk = hub.chunk(None, gone=ids(hub, frame), gone_read=1)
    with pytest.raises(CountsUnbalanced):
        write_chunk(hub.engine, chunk)


def test_a_chunk_with_marks_is_recognized_when_it_comes_again(hub):
    """A repeated load has no second effect."""
    hub.load(payments(1))
    transfer = begin_transfer(hub.engine, "tax", "payment")

    first = mark(hub, payments(1, minutes=5), transfer_id=transfer, is_last=False)
    again = mark(hub, payments(1, minutes=5), transfer_id=transfer, is_last=False)

    assert (1, False) == (first.deleted, first.skipped)
    assert (0, True) == (again.deleted, again.skipped)


def test_what_a_complete_snapshot_leaves_out_is_deleted(hub):
    """Tombstone, history and outbox as with a mark."""
    hub.load(payments(30), subscribers=OFFICE)

    done = snap(hub, payments(28))

    assert (28, 2, 2) == (done.same, done.deleted, done.queued)
    assert 28 == len(stored(hub))
    assert 2 == hub.one("SELECT count(*) FROM data.payment_v1_history")
    assert in_balance(hub)


def test_a_snapshot_says_nothing_about_what_changed_after_it(hub):
    """A row that was stored meanwhile is not absent, it is newer."""
    hub.load(payments(3, minutes=90))
    assert 0 == snap(hub, payments(1), minutes=60).deleted


def test_a_row_that_a_later_snapshot_has_again_comes_back_unchanged(hub):
    """The source's mistake heals by itself, also with the old change time."""
    hub.load(payments(3))
    snap(hub, payments(2))

    back = snap(hub, payments(3), minutes=120)

    assert (1, 0) == (back.changed, back.deleted)
    assert 3 == len(stored(hub))
    assert in_balance(hub)


def test_a_snapshot_that_would_delete_too_much_is_refused_as_a_whole(hub):
    """Half a list is a fault of the source's, not the end of half the records."""
    hub.load(payments(100))

    with pytest.raises(BatchRefused, match="60 of 101 stored records are not in the snapshot"):
        snap(hub, pl.concat([payments(40), payments(1, start=500)]))

    assert 100 == len(stored(hub))
    assert 0 == hub.one("SELECT count(*) FROM hub.tombstone")


def test_the_share_that_may_be_deleted_is_the_contracts(hub):
    """A dataset that turns over fast may say so."""
    hub.load(payments(100))
    loose = replace(PAYMENT, delete_share=0.7, delete_rows=0)
    strict = replace(PAYMENT, delete_share=0.0, delete_rows=1)

    with pytest.raises(BatchRefused):
        snap(hub, payments(98), contract=strict)
    assert 60 == snap(hub, payments(40), contract=loose).deleted


def test_an_empty_snapshot_of_a_small_table_deletes_at_most_the_allowed_rows(hub):
    """Twenty by default; `never_zero` refuses it before, where it is declared."""
    hub.load(payments(21))
    with pytest.raises(BatchRefused):
        snap(hub, payments(0))
    assert 21 == len(stored(hub))


def test_a_snapshot_says_nothing_about_records_of_another_system(hub):
    """Two systems provide the dataset; each has its own half of the table."""
    hub.load(payments(30))
    other = {
        "transfer_id": begin_transfer(hub.engine, "fund", "payment"),
        "lease": take_lease(hub.engine, "fund", "payment"),
    }
    hub.load(payments(100, start=500), **other)

    done = snap(hub, payments(29))

    assert 1 == done.deleted
    assert 129 == len(stored(hub))


def test_the_share_that_may_be_deleted_is_of_the_systems_own_records(hub):
    """The other system's many records do not hide that this one lost most of its few."""
    hub.load(payments(40))
    other = {
        "transfer_id": begin_transfer(hub.engine, "fund", "payment"),
        "lease": take_lease(hub.engine, "fund", "payment"),
    }
    hub.load(payments(900, start=500), **other)

    with pytest.raises(BatchRefused, match="tax/payment: 30 of 40 stored records"):
        snap(hub, payments(10))
