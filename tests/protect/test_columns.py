"""Columns, blind indexes and digests: fast, exact, and bound to their place."""

from __future__ import annotations

import time
import uuid
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.samples import PARTY, PAYMENT, contract, parties, payments
from tongban.kernel.contracts import Field
from tongban.kernel.errors import EnvelopeBroken
from tongban.protect import (
    blind_index,
    blind_index_of,
    open_column,
    record_id_of,
    seal_column,
)
from tongban.protect.digest import record_ids, row_digests

TEXT = st.one_of(st.none(), st.text(max_size=30))
SAME_RING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TWO = contract(
    "two",
    (Field("a", "甲", "string", required=True), Field("b", "乙", "string", required=True)),
    ("a", "b"),
    changed_at=None,
)


def ids(count):
    """Record ids."""
    return [bytes([i % 256]) * 16 for i in range(count)]


@SAME_RING
@given(values=st.lists(TEXT, max_size=20))
def test_column_opens_to_what_was_sealed(keyring, values):
    """Null stays null, empty stays empty."""
    sealed = seal_column(keyring, values, "payment", "name", ids(len(values)))

    assert values == open_column(keyring, sealed, "payment", "name", ids(len(values)))


@pytest.mark.parametrize(
    ("dataset", "field", "record"),
    [("sale", "name", 0), ("payment", "phone", 0), ("payment", "name", 1)],
)
def test_envelope_of_another_place_does_not_open(keyring, dataset, field, record):
    """A clerk with database rights cannot move a value to another person."""
    sealed = seal_column(keyring, ["张三"], "payment", "name", ids(1))

    with pytest.raises(EnvelopeBroken):
        open_column(keyring, sealed, dataset, field, ids(2)[record:][:1])


def test_message_of_a_broken_envelope_has_its_column_and_no_value(keyring):
    """Where, not what."""
    sealed = seal_column(keyring, ["张三"], "payment", "name", ids(1))

    with pytest.raises(EnvelopeBroken, match=r"payment\.name") as caught:
        open_column(keyring, sealed, "payment", "name", [b"x" * 16])

    assert "张三" not in str(caught.value)


def test_every_value_has_a_nonce_of_its_own(keyring):
    """One random call for all, never one nonce for two."""
    sealed = seal_column(keyring, ["同"] * 1000, "payment", "name", ids(1000))

    assert 1000 == len({envelope[5:17] for envelope in sealed if envelope})


@SAME_RING
@given(a=st.text(max_size=20), b=st.text(max_size=20))
def test_equal_values_have_equal_indexes_and_others_do_not(keyring, a, b):
    """The join works, and only the join."""
    left, right = blind_index(keyring, "subject", [a, b])

    assert (a == b) == (left == right)


def test_same_number_has_the_same_index_whatever_the_dataset(keyring):
    """One number for all departments."""
    assert (
        blind_index_of(keyring, "subject", "620802198503140012")
        == (blind_index(keyring, "subject", ["620802198503140012"])[0])
    )


def test_index_of_another_kind_differs(keyring):
    """A unit number never meets a person."""
    assert blind_index(keyring, "subject", ["1"]) != blind_index(keyring, "unit", ["1"])


def test_null_has_no_index(keyring):
    """Else all people without a number would be one person."""
    assert [None] == blind_index(keyring, "subject", [None])


def test_index_of_another_installation_differs(keyring, tmp_path):
    """A stolen index column cannot be tried against a list of numbers."""
    from tongban.protect import KeyRing

    other = KeyRing.open(tmp_path, {})

    assert blind_index(keyring, "subject", ["1"]) != blind_index(other, "subject", ["1"])


def test_record_id_is_a_uuid_of_version_eight(keyring):
    """Departments check the form."""
    found = uuid.UUID(bytes=record_ids(keyring, PAYMENT, payments(1))[0])

    assert (8, uuid.RFC_4122) == (found.version, found.variant)


def test_record_id_can_be_computed_from_the_key_alone(keyring):
    """For a lookup without the row."""
    frame = parties(2)
    expected = uuid.UUID(bytes=record_ids(keyring, PARTY, frame)[1])

    assert expected == record_id_of(keyring, PARTY, {"contract_no": "C00000", "party_no": "2"})


def test_record_id_depends_on_the_dataset(keyring):
    """The same ticket number in two datasets is two records."""
    other = contract("other")

    assert record_ids(keyring, PAYMENT, payments(1)) != record_ids(keyring, other, payments(1))


@SAME_RING
@given(
    rows=st.lists(
        st.tuples(st.text("ab\x1f=", max_size=4), st.text("ab\x1f=", max_size=4)),
        min_size=2,
        max_size=12,
        unique=True,
    )
)
def test_different_rows_never_share_id_or_digest(keyring, rows):
    """Not even when values hold the separator."""
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")

    assert len(rows) == len(set(record_ids(keyring, TWO, frame)))
    assert len(rows) == len(set(row_digests(keyring, TWO, frame)))


def test_digest_ignores_the_change_time(keyring):
    """Saved again without a change."""
    assert row_digests(keyring, PAYMENT, payments(2)) == row_digests(
        keyring, PAYMENT, payments(2, minutes=5)
    )


@pytest.mark.parametrize("field", ["paid_amount", "payer_name", "is_first", "paid_at", "floors"])
def test_digest_sees_a_change_in_any_other_field(keyring, field):
    """Classified fields too."""
    frame = payments(1, start=1)
    changed = frame.with_columns(pl.lit(None, frame.schema[field]).alias(field))

    assert row_digests(keyring, PAYMENT, frame) != row_digests(keyring, PAYMENT, changed)


def test_digest_is_the_same_when_a_contract_gains_an_optional_field(keyring):
    """Else the first pull after it would rewrite every record."""
    wider = contract(fields=(*PAYMENT.fields, Field("remark", "备注", "string")))
    frame = payments(2)

    assert row_digests(keyring, PAYMENT, frame) == row_digests(
        keyring, wider, frame.with_columns(remark=pl.lit(None, pl.String))
    )


def test_digest_does_not_depend_on_the_order_of_the_fields(keyring):
    """A contract may be tidied up."""
    turned = contract(fields=PAYMENT.fields[::-1])

    assert row_digests(keyring, PAYMENT, payments(2)) == row_digests(keyring, turned, payments(2))


def test_digest_does_not_depend_on_how_a_decimal_was_scaled(keyring):
    """100 and 100.00 are one amount."""
    frame = payments(1)
    wide = frame.with_columns(pl.lit(Decimal("100.0000")).alias("paid_amount"))

    assert row_digests(keyring, PAYMENT, frame) == row_digests(keyring, PAYMENT, wide)


@pytest.mark.slow
def test_sealing_stays_within_its_budget(keyring):
    """1.5 µs of CPU a value on a quiet machine; ten times that here, where nothing is quiet."""
    values = [f"62089919850314{i:04d}" for i in range(20_000)]
    keys = ids(20_000)
    started = time.process_time()
    seal_column(keyring, values, "payment", "name", keys)

    assert 15e-6 > (time.process_time() - started) / len(values)


def test_column_that_was_sealed_with_two_keys_opens(tmp_path):
    """In the middle of a rotation."""
    from tongban.protect import KeyRing

    ring = KeyRing.open(tmp_path, {})
    old = seal_column(ring, ["甲", None], "payment", "name", ids(4)[:2])
    ring.add_key("payment")
    new = seal_column(ring, ["乙", "丙"], "payment", "name", ids(4)[2:])

    assert ["甲", None, "乙", "丙"] == open_column(ring, old + new, "payment", "name", ids(4))


@pytest.mark.parametrize("length", [0, 3, 5, 17, 32, 34])
def test_cut_envelope_in_a_column_is_named(keyring, length):
    """A truncated bytea never stops a worker without a word."""
    sealed = seal_column(keyring, ["张三", "李四"], "payment", "name", ids(2))

    with pytest.raises(EnvelopeBroken, match=r"payment\.name"):
        open_column(keyring, [sealed[0], sealed[1][:length]], "payment", "name", ids(2))
