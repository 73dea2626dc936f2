"""Names are short and random, and some are of the kind that breaks naive systems."""

from __future__ import annotations

from random import Random

import pytest

from sandbox import names


@pytest.fixture(scope="module")
def many():
    """Five thousand names."""
    random = Random(1)
    return [names.person_name(random, is_male=at % 2 == 0) for at in range(5000)]


def test_names_hold_no_blank_and_have_two_characters_or_more(many):
    """A blank is always an injected defect."""
    assert [] == [name for name in many if len(name) < 2 or name.split() != [name]]


def test_some_names_carry_the_middle_dot(many):
    """Names of minorities keep it."""
    assert any("·" in name for name in many)


def test_some_names_have_a_double_surname(many):
    """The first character alone is not always the surname."""
    assert any(name[:2] in names.DOUBLE_SURNAMES for name in many)


def test_some_names_need_four_bytes_a_character(many):
    """Outside the basic plane, yet inside GB18030."""
    rare = [name for name in many if names.RARE_CHARACTER in name]

    assert rare
    assert rare[0] == rare[0].encode("gb18030").decode("gb18030")


def test_usual_names_are_varied(many):
    """No name dominates."""
    assert len(set(many)) > 3000


@pytest.mark.parametrize("make", [names.brand, names.estate])
def test_trade_names_and_estates_are_never_empty(make):
    """They become part of other names."""
    assert all(len(make(Random(seed))) >= 2 for seed in range(50))
