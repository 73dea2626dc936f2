"""Masks: enough to recognize, never enough to know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel.errors import ConfigInvalid
from tongban.protect import mask
from tongban.protect.mask import KINDS

PLAIN = st.text(st.characters(blacklist_characters="*", blacklist_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("resident_id", "620899198503140011", "620899********0011"),
        ("resident_id", "620802850314001", "620802*****4001"),
        ("resident_id", "E12345678", "E***8"),
        ("name", "张三", "张*"),
        ("name", "欧阳小明", "欧***"),
        ("name", "古丽娜扎尔·买买提", "古***"),
        ("name", "张", "张*"),
        ("phone", "13812345678", "138****5678"),
        ("address", "平凉市崆峒区南河路1号", "平凉市崆峒区***"),
        ("address", "南河路1号", "***"),
        ("amount", "500000.00", "***"),
        ("code", "91620802MA0000015X", "91************015X"),
        ("code", "1234", "***"),
        ("text", "任何内容", "***"),
        ("bank_account", "6222020111122223333", "***************3333"),
        ("bank_account", "12345", "1***5"),
        ("date", "1985-03-14", "1985-**-**"),
        ("date", "14.3.1985", "***"),
        ("email", "li.si@example.cn", "l***@***"),
        ("email", "li.si", "***"),
        ("plate", "甘L12345", "甘L***5"),
        ("plate", "L1", "***"),
    ],
)
def test_value_is_shown_as_its_kind_allows(kind, value, shown):
    """One example for every rule."""
    assert shown == mask(kind, value)


@given(kind=st.sampled_from(sorted(KINDS)), value=PLAIN)
def test_masked_text_never_contains_the_plain_one(kind, value):
    """Whatever the length."""
    shown = mask(kind, value)

    assert value not in shown or (kind == "name" and len(value) == 1)


@given(kind=st.sampled_from(["resident_id", "phone", "code"]), value=PLAIN)
def test_at_least_four_characters_stay_hidden(kind, value):
    """Short values hide nearly all of theirs."""
    shown = mask(kind, value)

    assert len(value) - len(shown.replace("*", "")) >= min(len(value), 3)


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_stays_nothing(value):
    """A missing value is not a hidden one."""
    assert value == mask("name", value)


def test_unknown_kind_is_refused_with_a_suggestion():
    """A typo in a contract."""
    with pytest.raises(ConfigInvalid, match="resident_id"):
        mask("residentid", "1")
