"""Payload: nested documents, one digest per content, nothing lost in silence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.push.samples import CODES, PAYMENT_OUT, SALE_OUT, made, mapping_of
from tests.store.samples import PARTY, PAYMENT, SALE, parties, payments, sales
from tongban.kernel.errors import ConfigInvalid
from tongban.protect import mask
from tongban.push.payload import compile_push, digest_of, documents, matches

CONTRACTS = {"payment": PAYMENT, "sale": SALE, "sale_party": PARTY}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=10)
    | st.integers(-(10**12), 10**12).map(lambda cents: cents / 100),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(blacklist_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def plan_of(mapping):
    """A compiled mapping."""
    return compile_push(mapping, CONTRACTS, CODES, mask)


def one(mapping, frame):
    """The single document of a frame with one row."""
    (document,) = documents(plan_of(mapping), frame).data
    return document


@given(document=st.dictionaries(st.text(st.characters(blacklist_categories=["Cs"])), JSON))
def test_digest_is_that_of_the_canonical_json_which_any_receiver_computes(document):
    """Sorted keys, no blanks, nothing escaped needlessly, whatever the language."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    assert hashlib.sha256(text.encode()).digest() == digest_of(document)


def test_dotted_targets_become_nested_objects():
    """In the order of the mapping."""
    mapping = mapping_of(
        "payment",
        made("HEAD.NO", "ticket_no"),
        made("BODY.A.X", "contract_no"),
        made("BODY.B", "period"),
        made("HEAD.KIND", constant={"value": "7"}),
    )

    assert {
        "HEAD": {"NO": "T000001", "KIND": "7"},
        "BODY": {"A": {"X": "C00000"}, "B": "2026-03"},
    } == one(mapping, payments(1, start=1))


def test_values_without_operation_travel_in_json_types():
    """Moments and decimals as text, whole numbers and booleans as themselves."""
    names = ("paid_amount", "paid_at", "is_first", "floors", "period")
    mapping = mapping_of("payment", *(made(name, name) for name in names))

    assert {
        "paid_amount": "100.00",
        "paid_at": "2026-03-01T09:00:00+08:00",
        "is_first": False,
        "floors": 1,
        "period": "2026-03",
    } == one(mapping, payments(1, start=1))


def test_missing_value_stays_a_null_and_is_no_loss():
    """The receiver sees that we have none."""
    made_of = documents(plan_of(mapping_of("payment", made("c", "contract_no"))), payments(1))

    assert ([{"c": None}], [None]) == (made_of.data, made_of.lost)


def test_value_that_does_not_fit_is_named_as_lost():
    """Half a cent is not rounded away."""
    fields = tuple(replace(f, scale=3) if f.name == "paid_amount" else f for f in PAYMENT.fields)
    wide = {**CONTRACTS, "payment": replace(PAYMENT, fields=fields)}
    frame = payments(2).with_columns(
        pl.Series("paid_amount", [Decimal("1.000"), Decimal("1.005")], dtype=pl.Decimal(18, 3))
    )
    mapping = mapping_of("payment", made("sum", "paid_amount", decimal_text={"scale": 2}))

    lost = documents(compile_push(mapping, wide, CODES, mask), frame).lost

    assert [None, "sum"] == lost


def test_same_content_has_the_same_digest_in_every_run():
    """Else the receiver would take a repetition for a change."""
    plan = plan_of(PAYMENT_OUT)

    assert documents(plan, payments(3)).digests == documents(plan, payments(3)).digests


def test_children_keep_their_order_and_find_their_parent():
    """Also when some parents have none."""
    made_of = documents(plan_of(SALE_OUT), sales(3), [parties(2)])

    assert [["王0-1", "王0-2"], ["王1-1", "王1-2"], []] == [
        [party["NAME"] for party in item["LIST"]["PARTY"]] for item in made_of.data
    ]


def test_value_lost_in_a_child_is_the_parents_loss():
    """A contract is not sent with a party whose code is unknown."""
    mapping = replace(
        SALE_OUT,
        children={
            "P": replace(
                SALE_OUT.children["LIST.PARTY"],
                fields={"S": made("S", "name", code_out={"table": "usage"})},
            )
        },
    )

    assert ["S", "S", None] == documents(plan_of(mapping), sales(3), [parties(2)]).lost


def test_where_lets_only_named_values_out():
    """A null is not one of them."""
    frame = sales(3).with_columns(usage=pl.Series(["10", "99", None]))

    assert [True, False, False] == matches(plan_of(SALE_OUT), frame).to_list()


@pytest.mark.parametrize("source", ["$digest", "$unknown"])
def test_source_that_cannot_be_part_of_the_content_is_refused(source):
    """A document cannot hold its own digest."""
    with pytest.raises(ConfigInvalid, match="record template"):
        plan_of(mapping_of("payment", made("d", source)))


def test_plan_reads_no_more_than_it_needs():
    """Fields that do not leave are never opened."""
    assert ("contract_no", "usage") == plan_of(SALE_OUT).needed
    assert "payer_id_no" in plan_of(PAYMENT_OUT).needed
    assert "floors" not in plan_of(PAYMENT_OUT).needed
