"""Samples: what an auditor sees of a value, and what never."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.odcs import DATASETS, contract_of
from tongban.kernel.contracts import CLASSIFICATIONS, Field
from tongban.protect.mask import KINDS
from tongban.quality.samples import masked, sample_of
from tongban.validate import RowRule


def field(mask: str | None, classification: str = "sensitive") -> Field:
    """A text field."""
    return Field("x", "字段", "string", classification=classification, mask=mask)


@pytest.mark.parametrize(
    ("item", "value", "shown"),
    [
        (field("resident_id"), "620899199002280248", "620899********0248"),
        (field("name"), "李娜", "李*"),
        (field("amount", "restricted"), Decimal("560000.00"), "***"),
        (field(None, "internal"), "620899001001GB00001F00010001", "***（28 个字符）"),
        (field(None, "public"), "abc", "***（3 个字符）"),
        (field(None, "restricted"), "abc", "***"),
        (field(None, "sensitive"), "abc", "***"),
        (field(None, "internal"), Decimal("3.50"), "***"),
        (field(None, "internal"), date(2026, 3, 2), "***"),
        (field("name"), None, "（空）"),
        (field("name"), "", "（空）"),
    ],
)
def test_value_is_shown_by_its_mask_and_hidden_without_one(item, value, shown):
    """Fail-closed: no mask kind, no character."""
    assert shown == masked(item, value)


@given(
    st.sampled_from([None, *KINDS]),
    st.sampled_from(CLASSIFICATIONS),
    st.text(alphabet="0123456789X李娜王伟abc", min_size=4, max_size=40),
)
def test_sample_never_holds_the_value(kind, classification, value):
    """Whatever the field and the value."""
    assert value not in masked(field(kind, classification), value)


def test_value_that_normalizing_lost_is_said_to_be_unreadable():
    """It is not missing: the department did send something."""
    frame = pl.DataFrame({"changed_at": [None]}, schema={"changed_at": pl.Datetime("us", "UTC")})
    rule = RowRule("changed_at.type", "type", ("changed_at",), "error", "conformity", "", 0)

    found = sample_of(contract_of("taxpayer"), rule, "t", frame, 0)

    assert ["（无法识别）"] == [shown for _, shown in found.fields]


def test_sample_names_fields_as_people_do():
    """Labels, not column names."""
    frame = pl.DataFrame({"status": ["x"], "cleared_on": [None]})
    fields = ("status", "cleared_on")
    rule = RowRule("r", "required_when", fields, "error", "conformity", "", 0)
    contract = contract_of("taxpayer")

    found = sample_of(contract, rule, "t", frame, 0)

    assert [contract.field(name).label for name in fields] == [label for label, _ in found.fields]


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_encrypted_field_has_a_known_mask_or_is_hidden(dataset):
    """The project's own contracts, field by field."""
    for item in contract_of(dataset).classified:
        assert "秘密秘密秘密秘密" not in masked(item, "秘密秘密秘密秘密")
