"""Loading chunks: what is written, what is not, and that the counts always balance."""

from __future__ import annotations

import traceback
from dataclasses import replace

import polars as pl
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.store.samples import PARTY, PAYMENT, SALE, T0, parties, payments, sales
from tongban.kernel.errors import DatabaseUnavailable
from tongban.protect import protect_frame
from tongban.store.cursors import read_cursor
from tongban.store.engine import DatabaseRefused, open_engine, transaction
from tongban.store.load import ChunkDiffers, CountsUnbalanced, write_chunk
from tongban.store.migrate import migrate
from tongban.store.transfers import (
    TransferClosed,
    begin_transfer,
    fail_transfer,
    landed,
    read_transfer,
)

pytestmark = pytest.mark.postgres
SECRET = "a value"


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
    """Equal content writes nothing, not even a new tuple."""
    hub.load(payments(3))
    before = hub.rows("SELECT xmin::text, * FROM data.payment_v1 ORDER BY ticket_no")

    outcome = hub.load(payments(3))

    assert (0, 0, 3, 0, 0) == counts(outcome)
    assert before == hub.rows("SELECT xmin::text, * FROM data.payment_v1 ORDER BY ticket_no")


def test_values_arrive_in_their_types_and_nulls_stay_null(hub):
    """COPY through text loses nothing."""
    hub.load(payments(1))

    assert [("T000000", None, "100.00", T0, True, None, "2026-03", T0)] == hub.rows(
        "SELECT ticket_no, contract_no, paid_amount::text, paid_at, is_first, floors, period,"
        " changed_at FROM data.payment_v1"
    )


@pytest.mark.parametrize(
    "value",
    ['a"b', "a,b", "a\nb", "\\N", "\\.", "'", "甘（2018）", "a\tb", "\\x41", "null", " "],
)
def test_awkward_text_arrives_as_it_is(hub, value):
    """Quotes, separators and null words of the transport are only text."""
    hub.load(payments(2).with_columns(contract_no=pl.lit(value)))

    assert [(value,)] * 2 == hub.rows("SELECT contract_no FROM data.payment_v1")


def test_classified_values_are_not_in_the_table(hub):
    """Envelopes and blind indexes only."""
    hub.load(payments(1))

    ((whole,),) = hub.rows("SELECT t::text FROM data.payment_v1 t")
    name, number = hub.rows("SELECT payer_name, payer_id_no_index FROM data.payment_v1")[0]

    assert "张0" not in whole
    assert "张0".encode().hex() not in whole
    assert 33 + len("张0".encode()) == len(name)
    assert 16 == len(number)


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


def test_history_says_what_was_known_at_any_moment(hub):
    """Recorded and replaced moments meet without a gap."""
    hub.load(payments(1))
    hub.load(payments(1, minutes=5, amount="2.00"))

    assert hub.one(
        "SELECT h.replaced_at = t.stored_at FROM data.payment_v1_history h"
        " JOIN data.payment_v1 t USING (record_id)"
    )


def test_older_change_never_overwrites_newer_content(hub):
    """A late page of an old window does no harm."""
    hub.load(payments(1, minutes=5, amount="2.00"))

    outcome = hub.load(payments(1, minutes=1, amount="1.00"))

    assert (0, 0, 1, 0, 0) == counts(outcome)
    assert 1 == outcome.stale
    assert "2.00" == hub.one("SELECT paid_amount::text FROM data.payment_v1")


def test_touched_record_keeps_its_version_and_goes_to_nobody(hub):
    """The source saved it again without a change."""
    hub.load(payments(1), subscribers=("office",))

    outcome = hub.load(payments(1, minutes=9), subscribers=("office",))

    assert (0, 0, 1, 0, 0) == counts(outcome)
    assert (1, 0) == (outcome.touched, outcome.queued)
    assert 1 == hub.one("SELECT version FROM data.payment_v1")


def test_touch_still_guards_against_older_content(hub):
    """A is confirmed at minute 9, so B of minute 5 is outdated."""
    hub.load(payments(1))
    hub.load(payments(1, minutes=9))

    outcome = hub.load(payments(1, minutes=5, amount="5.00"))

    assert 1 == outcome.stale
    assert "100.00" == hub.one("SELECT paid_amount::text FROM data.payment_v1")


def test_replay_of_an_equally_old_version_does_not_bring_it_back(hub):
    """A, B, A with one change time: the replay of A changes nothing."""
    hub.load(payments(1, amount="1.00"))
    hub.load(payments(1, amount="2.00"))

    outcome = hub.load(payments(1, amount="1.00"))

    assert 1 == outcome.stale
    assert "2.00" == hub.one("SELECT paid_amount::text FROM data.payment_v1")


def test_newest_row_of_a_key_counts_and_the_others_are_duplicates(hub):
    """One page carries a record twice."""
    frame = pl.concat([payments(2, minutes=3, amount="3.00"), payments(2)])

    outcome = hub.load(frame)

    assert (2, 0, 0, 0, 2) == counts(outcome)
    assert [("3.00",)] * 2 == hub.rows("SELECT paid_amount::text FROM data.payment_v1")


def test_key_that_comes_again_in_a_later_chunk_is_a_duplicate(hub):
    """Pages shifted while they were read."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(3), transfer_id=transfer, is_last=False)

    outcome = hub.load(payments(3, start=2), transfer_id=transfer, chunk_no=2)

    assert (2, 0, 0, 0, 1) == counts(outcome)


def test_older_row_of_a_key_in_a_later_chunk_is_a_duplicate(hub):
    """The order of the pages does not matter."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(1, minutes=5), transfer_id=transfer, is_last=False)

    outcome = hub.load(payments(1, amount="1.00"), transfer_id=transfer, chunk_no=2)

    assert (0, 0, 0, 0, 1) == counts(outcome)


def test_committed_chunk_is_skipped_when_it_comes_again(hub):
    """A load that is repeated has no second effect."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(3), transfer_id=transfer, is_last=False)

    again = hub.load(payments(3), transfer_id=transfer, is_last=False)
    hub.load(payments(3, start=3), transfer_id=transfer, chunk_no=2)

    assert again.skipped
    assert (6, 6, "finished") == tuple(
        read_transfer(hub.engine, transfer)[c] for c in ("read_rows", "new_rows", "state")
    )


def test_other_content_under_a_committed_number_is_refused(hub):
    """A repeated run must cut the pages as the first did."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(3), transfer_id=transfer, is_last=False)

    with pytest.raises(ChunkDiffers, match="begin a new transfer"):
        hub.load(payments(2), transfer_id=transfer, is_last=False)


def test_last_chunk_without_the_ones_before_is_refused(hub):
    """A hole in the middle never looks like a finished transfer."""
    with pytest.raises(CountsUnbalanced, match="only 1 of 2 are stored"):
        hub.load(payments(1), chunk_no=2)

    assert 0 == hub.one("SELECT count(*) FROM data.payment_v1")


def test_rows_lost_before_the_store_are_noticed(hub):
    """Decoded ten, arrived nine: nothing is written."""
    chunk = hub.chunk(payments(9))

    with pytest.raises(CountsUnbalanced, match="10 rows were decoded, 9 accepted"):
        write_chunk(hub.engine, replace(chunk, read=10))

    assert 0 == hub.one("SELECT count(*) FROM hub.transfer_chunk")


def test_database_refuses_to_finish_a_transfer_that_does_not_balance(hub):
    """The check stands even against our own mistakes."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(2), transfer_id=transfer, is_last=False)

    with pytest.raises(IntegrityError, match="pull_balance"), hub.engine.begin() as conn:
        conn.execute(text("UPDATE hub.transfer SET read_rows = 3, state = 'finished'"))


def test_finished_transfer_takes_no_further_chunk(hub):
    """Its counts are final."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(1), transfer_id=transfer)

    with pytest.raises(TransferClosed):
        hub.load(payments(1, start=5), transfer_id=transfer, chunk_no=2)

    assert 1 == hub.one("SELECT count(*) FROM data.payment_v1")


def test_transfer_without_rows_is_finished_by_an_empty_chunk(hub):
    """Nothing changed in the window."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(None, transfer_id=transfer, cursor_until=T0)

    assert "finished" == read_transfer(hub.engine, transfer)["state"]
    assert T0 == read_cursor(hub.engine, "tax", "payment")


def test_cursor_moves_with_the_last_chunk_only_and_never_back(hub):
    """What is not stored is asked again."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(1), transfer_id=transfer, is_last=False, cursor_until=T0)
    assert read_cursor(hub.engine, "tax", "payment") is None
    hub.load(payments(1, start=1), transfer_id=transfer, chunk_no=2, cursor_until=T0)
    hub.load(payments(1, start=2), cursor_until=T0.replace(year=2020))

    assert T0 == read_cursor(hub.engine, "tax", "payment")


def test_every_subscriber_gets_new_and_changed_rows_only(hub):
    """Equal rows go to nobody."""
    hub.load(payments(2), subscribers=("a", "b"))

    outcome = hub.load(
        pl.concat([payments(1), payments(1, start=1, minutes=1, amount="1.00")]),
        subscribers=("a", "b"),
    )

    assert 2 == outcome.queued
    assert [("a", 1, 2), ("a", 2, 1), ("b", 1, 2), ("b", 2, 1)] == hub.rows(
        "SELECT target, version, count(*) FROM hub.outbox GROUP BY 1, 2 ORDER BY 1, 2"
    )


def test_failure_inside_the_transaction_leaves_nothing(hub):
    """Rows, outbox, counts and chunk number live and die together."""

    def fail(conn, outcome):  # noqa: ARG001
        raise ZeroDivisionError

    chunk = hub.chunk(payments(3), payments(1, start=7), subscribers=("a",))
    with pytest.raises(ZeroDivisionError):
        write_chunk(hub.engine, chunk, evidence=fail)

    assert [(0, 0, 0, 0, 0)] == hub.rows(
        "SELECT (SELECT count(*) FROM data.payment_v1), (SELECT count(*) FROM hub.outbox),"
        " (SELECT count(*) FROM hub.quarantine), (SELECT count(*) FROM hub.transfer_chunk),"
        " (SELECT sum(read_rows) FROM hub.transfer)"
    )


def test_failed_transfer_goes_on_where_it_stopped(hub):
    """Chunks that were committed stay, the rest follows."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    hub.load(payments(2), transfer_id=transfer, is_last=False)
    fail_transfer(hub.engine, transfer, code="retry.database_unavailable", message="gone")
    landed(hub.engine, transfer, pages=2, declared_rows=4, landing="tax/payment/1")
    hub.load(payments(2), transfer_id=transfer, is_last=False)
    hub.load(payments(2, start=2), transfer_id=transfer, chunk_no=2)

    row = read_transfer(hub.engine, transfer)
    assert ("finished", 4, 4, None) == (
        row["state"],
        row["read_rows"],
        row["new_rows"],
        row["error_code"],
    )


def test_findings_are_added_up_over_the_chunks(hub):
    """Rules that fail most are seen at once."""
    transfer = begin_transfer(hub.engine, "tax", "payment")
    key = ("payment.id", "error")
    hub.load(payments(1), transfer_id=transfer, is_last=False, findings={key: 2})
    hub.load(payments(1, start=1), transfer_id=transfer, chunk_no=2, findings={key: 3})

    assert [("payment.id", "error", 5)] == hub.rows(
        "SELECT rule, severity, rows FROM hub.transfer_finding"
    )


def test_required_null_is_a_defect_of_ours_and_is_said_without_the_row(hub):
    """The server's own message would quote the row."""
    frame = sales(1).with_columns(changed_at=pl.lit(None, pl.Datetime("us", "Asia/Shanghai")))

    with pytest.raises(CountsUnbalanced, match="SQLSTATE 23502") as caught:
        hub.load(frame, of=SALE)

    assert "C00000" not in str(caught.value)


def test_changed_child_makes_a_new_version_of_its_parent(hub):
    """A party of a contract changes: the contract goes out again."""

    def load_both(share, minutes):
        child = protect_frame(parties(1, share=share, minutes=minutes), PARTY, hub.keyring)
        hub.load(parties(1, share=share, minutes=minutes), of=PARTY)
        rows = protect_frame(
            sales(1, minutes=minutes),
            SALE,
            hub.keyring,
            children=[(child, {"contract_no": "contract_no"})],
        )
        chunk = replace(hub.chunk(None, of=SALE, subscribers=("a",)), rows=rows, read=1)
        return write_chunk(hub.engine, chunk)

    load_both("0.5", 0)
    outcome = load_both("0.4", 1)

    assert (1, 1) == (outcome.changed, outcome.queued)


def test_dataset_without_change_time_takes_the_last_arrival(hub, engine):
    """A snapshot source: A, B, A ends with A."""
    fields = tuple(f for f in PAYMENT.fields if f.name != "changed_at")
    snapshot = replace(PAYMENT, dataset="snapshot", fields=fields, changed_at=None, digest="9" * 64)
    migrate(engine, [snapshot])
    for amount in ("1.00", "2.00", "1.00"):
        hub.load(payments(1, amount=amount).drop("changed_at"), of=snapshot)

    assert [("1.00", 3)] == hub.rows("SELECT paid_amount::text, version FROM data.snapshot_v1")


def test_unreachable_database_says_try_again(hub):
    """Nothing was written, and the caller knows it."""
    chunk = hub.chunk(payments(1))
    nowhere = open_engine("postgresql://nobody:x@127.0.0.1:1/none")

    with pytest.raises(DatabaseUnavailable, match="nothing was written"):
        write_chunk(nowhere, chunk)


def test_error_of_the_database_never_quotes_a_row(hub):
    """The server's own message ends with the failing row."""
    statement = text("INSERT INTO hub.cursor (system, dataset, until) VALUES (:a, 'b', NULL)")

    with pytest.raises(DatabaseRefused, match='null value in column "until"') as caught:
        execute(hub.engine, statement, {"a": SECRET})

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def execute(engine, statement, parameters):
    """One statement the way all our code runs one."""
    with transaction(engine) as conn:
        conn.execute(statement, parameters)
