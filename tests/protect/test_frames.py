"""Frames: sealed for the store, opened for those who may, one row per key."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
from polars.testing import assert_frame_equal

from tests.store.samples import PARTY, PAYMENT, SALE, T0, parties, payments, sales
from tongban.protect import (
    open_frame,
    open_quarantine,
    protect_frame,
    protect_quarantine,
)


def test_opened_frame_is_what_was_protected(keyring):
    """Types included."""
    frame = payments(7)

    opened = open_frame(protect_frame(frame, PAYMENT, keyring).sealed(), PAYMENT, keyring)

    assert_frame_equal(frame, opened.sort("ticket_no"), check_column_order=False)


def test_classified_fields_of_every_type_come_back_in_their_type(keyring):
    """A sensitive date is still a date."""
    from dataclasses import replace

    sensitive = replace(
        PAYMENT,
        fields=tuple(
            replace(f, classification="sensitive")
            if f.name not in {"ticket_no", "changed_at"}
            else f
            for f in PAYMENT.fields
        ),
    )
    frame = payments(7)

    sealed = protect_frame(frame, sensitive, keyring).sealed()
    opened = open_frame(sealed, sensitive, keyring)

    assert pl.Binary == sealed.schema["paid_amount"]
    assert_frame_equal(frame, opened.sort("ticket_no"), check_column_order=False)


def test_only_the_asked_fields_are_opened(keyring):
    """Least privilege begins here."""
    sealed = protect_frame(payments(2), PAYMENT, keyring).sealed()

    assert ["payer_name"] == open_frame(sealed, PAYMENT, keyring, ["payer_name"]).columns


def test_rows_come_sorted_by_record_id(keyring):
    """Index pages are written in order."""
    ids = protect_frame(payments(50), PAYMENT, keyring).ids["record_id"]

    assert ids.is_sorted()


def test_some_rows_are_sealed_in_the_order_they_were_asked_for(keyring):
    """Only what changed is encrypted."""
    protected = protect_frame(payments(5), PAYMENT, keyring)

    assert ["T000004", "T000001"] == list(protected.sealed(pl.Series([4, 1]))["ticket_no"])


def test_newest_row_of_a_key_is_kept(keyring):
    """And of equally new ones the last that was received."""
    frame = pl.concat(
        [payments(1, minutes=2, amount="2.00"), payments(1), payments(1, minutes=2, amount="3.00")]
    )

    protected = protect_frame(frame, PAYMENT, keyring)

    assert (1, 2) == (protected.height, protected.duplicates)
    assert ["3.00"] == list(protected.sealed()["paid_amount"].cast(pl.String))


def test_empty_frame_is_fine(keyring):
    """A window without changes."""
    protected = protect_frame(payments(0), PAYMENT, keyring)

    assert (0, 0) == (protected.height, protected.sealed().height)


def test_repr_shows_no_value(keyring):
    """It may end up in a log."""
    assert "张0" not in repr(protect_frame(payments(1), PAYMENT, keyring))


def test_parent_digest_follows_its_children_in_any_order(keyring):
    """Order in the page means nothing, content does."""

    def digest(child_frame):
        child = protect_frame(child_frame, PARTY, keyring)
        on = {"contract_no": "contract_no"}
        return protect_frame(sales(1), SALE, keyring, children=[(child, on)]).ids["row_digest"][0]

    base = digest(parties(2))

    assert base == digest(parties(2).reverse())
    assert base != digest(parties(2, share="0.4"))
    assert base != digest(parties(2).head(1))


def test_change_time_becomes_utc(keyring):
    """One instant, one value."""
    ids = protect_frame(payments(1), PAYMENT, keyring).ids

    assert [T0] == ids["changed_at"].to_list()
    assert pl.Datetime("us", "UTC") == ids.schema["changed_at"]


def test_refused_row_opens_for_its_department(keyring):
    """What it sent, and what we made of it."""
    record = payments(1)
    given = pl.DataFrame({"DZSPHM": ["T1"], "NSRMC": ["张三"]})
    rows = protect_quarantine(record, given, pl.Series(['[{"rule": "a"}]']), PAYMENT, keyring)

    key = bytes.fromhex(rows["key_index"][0])
    opened = open_quarantine(keyring, "payment", key, rows["row_sealed"][0])

    assert {"DZSPHM": "T1", "NSRMC": "张三"} == opened["given"]
    assert "张0" == opened["record"]["payer_name"]
    assert "张三" not in json.dumps(rows.drop("row_sealed").to_dicts(), default=str)


def test_refused_row_has_the_record_id_of_its_key(keyring):
    """So that a later good row of the same key resolves it."""
    frame = payments(1)
    rows = protect_quarantine(frame, frame.cast(pl.String), pl.Series(["[]"]), PAYMENT, keyring)

    assert rows["key_index"][0] == protect_frame(frame, PAYMENT, keyring).ids["record_id"][0]


def test_rows_without_a_key_do_not_collide(keyring):
    """Two broken rows are two rows."""
    frame = payments(2).with_columns(ticket_no=pl.lit(None, pl.String))
    given = pl.DataFrame({"a": ["1", "2"]})
    rows = protect_quarantine(frame, given, pl.Series(["[]", "[]"]), PAYMENT, keyring)

    assert [False, False] == rows["has_key"].to_list()
    assert 2 == rows["key_index"].n_unique()


def test_equal_rows_without_a_whole_key_differ_by_the_part_that_is_there(keyring):
    """Two systems provide the dataset and mark their keys with a constant each."""
    contract = replace(PAYMENT, key=("contract_no", "ticket_no"))
    frame = payments(2).with_columns(
        ticket_no=pl.lit(None, pl.String), contract_no=pl.Series(["north", "south"])
    )
    given = pl.DataFrame({"a": ["1", "1"]})
    rows = protect_quarantine(frame, given, pl.Series(["[]", "[]"]), contract, keyring)

    assert [False, False] == rows["has_key"].to_list()
    assert 2 == rows["key_index"].n_unique()
