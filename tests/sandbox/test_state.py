"""The state file keeps documents as they are served, and what each server must remember."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.datasets import BEIJING, DATASETS, key_of, read_stamp, stamp, to_beijing
from sandbox.errors import StateMissing
from sandbox.intake import (
    Accepted,
    add_fault,
    clear_faults,
    count_acceptances,
    count_accepted,
    faults,
    find_accepted,
    put_accepted,
    read_accepted,
    remember_nonce,
    use_fault,
)
from sandbox.plans import (
    Change,
    add_changes,
    add_pending,
    apply_changes,
    changes,
    mark_pending_done,
    pending_for,
)
from sandbox.state import (
    add_records,
    all_records,
    count_records,
    create_state,
    find_records,
    open_state,
    put_record,
    state_file,
    transaction,
)

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=BEIJING).replace(tzinfo=None)


@pytest.fixture
def state(tmp_path):
    """An empty state file of the tax system."""
    connection = create_state(tmp_path, "tax")
    yield connection
    connection.close()


def payment(number, **more):
    """A small tax document; its key is its number."""
    return {"DZSPHM": f"{number:018d}", "NSRMC": "欧阳𠅤", "GXSJ": "", **more}


def add_one_after_the_other(connection, *docs):
    """Add documents by separate statements."""
    for doc in docs:
        add_records(connection, "deed_tax_payment", [("2026-01-01T00:00:00", doc)])


def accepted(version="1", **more):
    """A pushed row that was accepted."""
    values = {
        "dataset": "sale_contract",
        "row_guid": "g1",
        "version": version,
        "digest": "d",
        "op": "I",
        "doc": {"a": 1},
        "receipt_no": f"R{version}",
        "received_at": "now",
    }
    return Accepted(**(values | more))


def test_a_missing_state_says_what_to_do(tmp_path):
    """The message names the command."""
    with pytest.raises(StateMissing, match="population"):
        open_state(tmp_path, "tax")


def test_a_document_comes_back_as_it_was_stored(state):
    """Characters outside the basic plane and nulls included."""
    doc = payment(1, share=None, amount=1.5)
    add_records(state, "deed_tax_payment", [("2026-01-01T00:00:00", doc)])

    assert [doc] == [row.doc for row in all_records(state, "deed_tax_payment")]


def test_a_put_record_replaces_the_row_of_its_key_and_stamps_it(state):
    """The same place in the queue, a new change time in both forms."""
    add_records(state, "deed_tax_payment", [("2026-01-01T00:00:00", payment(n)) for n in (1, 2)])

    put_record(state, "deed_tax_payment", payment(1, NSRMC="李四"), NOON)

    row = find_records(state, "deed_tax_payment", f"{1:018d}")[0]
    assert (0, "2026-11-20T12:00:00") == (row.seq, row.changed_at)
    assert ("李四", "20261120120000") == (row.doc["NSRMC"], row.doc["GXSJ"])


def test_a_put_record_with_a_new_key_goes_to_the_end(state):
    """An insert takes the next place."""
    add_records(state, "deed_tax_payment", [("2026-01-01T00:00:00", payment(1))])
    put_record(state, "deed_tax_payment", payment(2), NOON)

    assert [0, 1] == [row.seq for row in all_records(state, "deed_tax_payment")]


def test_both_rows_of_a_duplicate_are_replaced(state):
    """A duplicate stays a duplicate."""
    add_records(state, "deed_tax_payment", [("2026-01-01T00:00:00", payment(1))] * 2)
    put_record(state, "deed_tax_payment", payment(1, NSRMC="李四"), NOON)

    rows = find_records(state, "deed_tax_payment", f"{1:018d}")
    assert ["李四", "李四"] == [row.doc["NSRMC"] for row in rows]


def test_a_failed_transaction_leaves_nothing(state):
    """All or nothing."""
    unwritable = payment(2, amount=object())

    with pytest.raises(TypeError), transaction(state):
        add_one_after_the_other(state, payment(1), unwritable)

    assert {} == count_records(state)


def test_an_earlier_state_is_replaced_as_a_whole(tmp_path, state):
    """A new population starts from nothing."""
    add_records(state, "deed_tax_payment", [("2026-01-01T00:00:00", payment(1))])
    create_state(tmp_path, "tax").close()
    fresh = open_state(tmp_path, "tax")

    assert {} == count_records(fresh)
    assert state_file(tmp_path, "tax").is_file()
    fresh.close()


def test_a_trigger_fires_once(state):
    """A done row is not found again, others of the same kind are."""
    for key in ("HT1", "HT1", "HT2"):
        add_pending(state, "sale_contract", key, "deed_tax_payment", payment(1))
    for row in pending_for(state, "sale_contract", "HT1"):
        mark_pending_done(state, row.id)

    assert [] == pending_for(state, "sale_contract", "HT1")
    assert 1 == len(pending_for(state, "sale_contract", "HT2"))


def test_changes_are_applied_in_order_and_once(state):
    """The next call goes on where the last one ended."""
    plan = [Change(n, "deed_tax_payment", f"{n:018d}", payment(n), None) for n in (1, 2, 3)]
    add_changes(state, plan)

    first = [change.n for change in apply_changes(state, 2, NOON)]
    second = [change.n for change in apply_changes(state, 2, NOON)]

    assert ([1, 2], [3], []) == (first, second, changes(state, applied=False))
    assert [1, 2, 3] == [change.n for change in changes(state, applied=True)]


def test_the_last_accepted_version_is_kept_with_its_receipt(state):
    """The log counts both acceptances."""
    put_accepted(state, accepted("1"))
    put_accepted(state, accepted("2"))

    kept = find_accepted(state, "sale_contract", "g1")
    assert ("2", "R2", {"a": 1}) == (kept.version, kept.receipt_no, kept.doc)
    assert {"sale_contract": 1} == count_accepted(state)
    assert 2 == count_acceptances(state, "sale_contract", "g1")


def test_accepted_rows_are_read_by_dataset(state):
    """Or all of them, or the first few."""
    put_accepted(state, accepted(row_guid="b"))
    put_accepted(state, accepted(row_guid="a"))
    put_accepted(state, accepted(dataset="enterprise"))

    assert ["a", "b"] == [row.row_guid for row in read_accepted(state, "sale_contract")]
    assert 3 == len(read_accepted(state))
    assert 1 == len(read_accepted(state, limit=1))
    assert find_accepted(state, "enterprise", "nobody") is None


def test_a_counted_fault_ends_after_its_count(state):
    """A fault with a rate goes on until it is cleared."""
    add_fault(state, "error500", count=1)
    add_fault(state, "latency", rate=0.5, match="A020", seconds=2)
    use_fault(state, faults(state)[0].id)

    (left,) = faults(state)
    assert ("latency", 0.5, "A020", 2) == (left.kind, left.rate, left.match, left.seconds)
    clear_faults(state)
    assert [] == faults(state)


def test_a_nonce_is_new_once_until_it_expires(state):
    """Replays are seen inside their lifetime only."""
    assert remember_nonce(state, "n", now=100, lifetime_s=10)
    assert not remember_nonce(state, "n", now=109, lifetime_s=10)
    assert remember_nonce(state, "n", now=111, lifetime_s=10)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_change_time_survives_the_form_of_every_protocol(dataset):
    """Written and read back, it is the same second."""
    doc = {}

    assert "2026-11-20T12:00:00" == stamp(dataset, doc, NOON)
    assert read_stamp(dataset, doc) == NOON


def test_the_change_time_of_market_regulation_counts_milliseconds_of_utc():
    """Noon in Beijing is four o'clock in Greenwich."""
    doc = {}
    stamp("enterprise", doc, NOON)

    assert datetime(2026, 11, 20, 4, tzinfo=UTC).timestamp() * 1000 == doc["updatedAt"]


def test_moments_are_cut_to_whole_seconds_in_beijing():
    """Whatever zone they come in."""
    utc = datetime(2026, 11, 20, 4, 0, 0, 999, tzinfo=UTC)

    assert to_beijing(utc) == NOON == to_beijing(NOON.replace(tzinfo=BEIJING))


def test_composite_keys_are_joined_in_the_documented_order():
    """Person, kind and month."""
    doc = {"AAE002": "202610", "AAE140": "110", "AAC001": "7"}

    assert "7|110|202610" == key_of("contribution", doc)
