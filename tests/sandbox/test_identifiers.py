"""Identifiers carry the check digits of their standards, as python-stdnum computes them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2, mod_11_10

from sandbox import identifiers as ids

BIRTHS = st.dates(date(1900, 1, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("birth", "sequence", "area", "expected"),
    [
        (date(1985, 3, 14), 1, "620802", "620802198503140012"),
        (date(1972, 11, 5), 42, "620825", "620825197211050429"),
        (date(2000, 2, 29), 18, "620802", "620802200002290186"),
        (date(1985, 3, 14), 1, "622701", "622701198503140012"),
        (date(1972, 1, 1), 2, "622726", "622726197201010020"),
        (date(1949, 12, 31), 2, "110105", "11010519491231002X"),
        (date(1880, 1, 1), 1, "440524", "440524188001010014"),
        (date(1985, 3, 14), 1, "620899", "620899198503140011"),
    ],
)
def test_resident_ids_match_the_published_vectors(birth, sequence, area, expected):
    """The standard's printed examples and the project's synthetic vectors."""
    assert expected == ids.resident_id(birth, sequence, area)


@given(BIRTHS, st.integers(1, 995))
def test_resident_ids_pass_iso_7064_mod_11_2(birth, sequence):
    """Stdnum's general MOD 11-2 agrees; its cn.ric is not used, it rejects real old numbers."""
    number = ids.resident_id(birth, sequence)

    assert 18 == len(number)
    assert mod_11_2.is_valid(number)
    assert "620899" == number[:6]


def test_the_old_form_drops_century_and_check():
    """620802 850314 001 is how the number was written before 1999."""
    assert "620802850314001" == ids.fifteen_digit_id("620802198503140012")


def test_nobody_born_later_has_an_old_form():
    """15-digit numbers were never given to people born after 1999."""
    with pytest.raises(ValueError, match="1900"):
        ids.fifteen_digit_id(ids.resident_id(date(2000, 2, 29), 18))


@pytest.mark.parametrize(
    ("kind", "area", "body", "expected"),
    [
        ("91", "620802", "MA000001", "91620802MA0000015X"),
        ("92", "620802", "MA000002", "92620802MA0000023M"),
        ("93", "620825", "MA000003", "93620825MA0000031P"),
        ("91", "620826", "MA71XK0P", "91620826MA71XK0PXF"),
        ("11", "620800", "01389000", "116208000138900067"),
        ("91", "620802", "MA000049", "91620802MA00004960"),
        ("92", "620821", "MA000004", "92620821MA000004XQ"),
        ("91", "350100", "M000100Y", "91350100M000100Y43"),
    ],
)
def test_credit_codes_match_the_published_vectors(kind, area, body, expected):
    """Among them the remainder 0, where "31 − m" has no letter, and an inner check X."""
    assert expected == ids.credit_code(kind, body, area)


@given(st.integers(0, 31**6 - 1), st.sampled_from(["91", "92", "93"]))
def test_credit_codes_pass_the_independent_check(number, kind):
    """Stdnum computes the outer check the same way."""
    code = ids.credit_code(kind, ids.organisation_body(number))

    assert uscc.is_valid(code)
    assert "620899MA" == code[2:10]


def test_the_organisation_code_matches_the_standard_example():
    """GB 11714 prints D2143569-X."""
    assert "D2143569X" == ids.organisation_code("D2143569")


@given(st.integers(0, 31**6 - 2))
def test_running_numbers_give_different_organisations(number):
    """No two companies share a code."""
    assert ids.organisation_body(number) != ids.organisation_body(number + 1)


def test_the_registration_number_matches_the_vector():
    """GS 15-2006 with the serial 1 of Kongtong."""
    assert "620802000000011" == ids.registration_no(1, "620802")


@given(st.integers(0, 99_999_999))
def test_registration_numbers_pass_iso_7064_mod_11_10(sequence):
    """Stdnum's general MOD 11,10 agrees."""
    assert mod_11_10.is_valid(ids.registration_no(sequence))


def test_unit_numbers_have_28_characters_in_the_order_of_the_standard():
    """County, cadastral areas, feature code, parcel, building and unit."""
    assert "620899001001GB00001F00010001" == ids.unit_no(1001, 1, 1, 1)
    assert 28 == len(ids.unit_no(20999, 99999, 9999, 9999))


def test_certificates_are_written_in_their_canonical_form():
    """Rights and proofs differ in one word."""
    assert "甘（2018）平凉市不动产权第0000001号" == ids.certificate_no(2018, 1)
    assert "甘（2018）平凉市不动产证明第0000001号" == ids.mortgage_proof_no(2018, 1)


@given(BIRTHS, st.integers(1, 995))
def test_a_broken_check_is_never_right_by_chance(birth, sequence):
    """Exactly one check character is right, so another one is wrong."""
    broken = ids.break_check(ids.resident_id(birth, sequence))

    assert 18 == len(broken)
    assert not mod_11_2.is_valid(broken)


@given(st.integers(0, 31**6 - 1))
def test_a_broken_credit_code_fails_the_independent_check(number):
    """The same holds for credit codes."""
    assert not uscc.is_valid(ids.break_check(ids.credit_code("91", ids.organisation_body(number))))
