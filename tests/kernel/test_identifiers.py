"""The scalar references of the national numbers, on printed examples, vectors and oracles."""

from __future__ import annotations

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc
from stdnum.iso7064 import mod_11_10, mod_37_36

from tongban.kernel import identifiers as ids

TODAY = date(2026, 11, 24)
VALID_RESIDENT_IDS = (
    "11010519491231002X",  # printed in GB 11643-1999
    "440524188001010014",  # printed in GB 11643-1999
    "620802198503140012",
    "620825197211050429",
    "620802200002290186",
    "622701198503140012",
    "622726197201010020",
    "620899198503140011",
)
VALID_CREDIT_CODES = (
    "91350100M000100Y43",  # printed in GB 32100-2015
    "91620802MA0000015X",
    "92620802MA0000023M",
    "93620825MA0000031P",
    "91620826MA71XK0PXF",
    "116208000138900067",
    "91620802MA00004960",  # the sum is a multiple of 31
    "92620821MA000004XQ",  # the inner check character is X
)


@pytest.mark.parametrize("text", VALID_RESIDENT_IDS)
def test_a_right_resident_id_is_valid_whatever_its_area_code(text):
    """The area code is a soft matter: current, former and never existing ones pass."""
    assert ids.resident_id_is_valid(text, today=TODAY)


@pytest.mark.parametrize("text", VALID_RESIDENT_IDS)
def test_a_resident_id_with_another_check_character_is_not_valid(text):
    """Each of the ten other check characters is wrong."""
    others = set("0123456789X") - {text[-1]}

    assert not [c for c in others if ids.resident_id_is_valid(text[:-1] + c, today=TODAY)]


@pytest.mark.parametrize(
    "text",
    [
        "620802198502300010",  # 30 February with a right check character
        "620802198513010010",
        "62080220991231001X",
        "62080219850314001",
        "6208021985031400122",
        "11010519491231002x",
        "１1010519491231002X",
        "平凉市崆峒区",  # six characters, eighteen bytes
        " 1010519491231002X",
        "11010519491231002X\n",
        "",
    ],
)
def test_what_is_no_resident_id_is_not_valid(text):
    """Unreal days, other lengths, lower case, full width, blanks and trailing newlines fail."""
    assert not ids.resident_id_is_valid(text, today=TODAY)


def test_a_birth_date_after_today_is_not_valid():
    """The same number is right from its birthday on."""
    born = date(2020, 5, 6)
    first = "62089920200506001"
    text = first + ids.resident_id_check_character(first)

    assert ids.resident_id_is_valid(text, today=born)
    assert not ids.resident_id_is_valid(text, today=date(2020, 5, 5))


def test_a_birth_date_is_read_from_a_right_number_only():
    """A wrong number has no birth date at all."""
    assert date(1985, 3, 14) == ids.resident_id_birth_date("620802198503140012")
    assert ids.resident_id_birth_date("620802198503140013") is None


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("620802850314001", "620802198503140012"),
        ("620802850314996", "62080218850314996" + "5"),
        ("620802850230001", None),
        ("62080285031400", None),
        ("62080285031400X", None),
    ],
)
def test_a_legacy_number_gets_its_century_and_check_character(short, long):
    """19, but 18 for the sequences of centenarians; unreal days give nothing."""
    found = ids.resident_id_from_15(short)

    if long is not None and short.endswith("996"):
        long = long[:17] + ids.resident_id_check_character(long[:17])
    assert long == found


@given(st.integers(min_value=0, max_value=10**15 - 1).map("{:015d}".format))
def test_a_lengthened_number_is_always_valid(short):
    """What comes out of the 15-digit form passes the check of the 18-character form."""
    long = ids.resident_id_from_15(short)

    assert long is None or ids.resident_id_is_valid(long, today=TODAY)


@given(st.text(alphabet=string.digits, min_size=17, max_size=17))
def test_the_check_character_agrees_with_stdnum(first):
    """MOD 11-2 the way python-stdnum computes it."""
    assert ric.calc_check_digit(first + "0") == ids.resident_id_check_character(first)


def test_stdnum_is_wrong_about_pingliang():
    """Known faults of the oracle: it wants the area code to exist in the birth year.

    Cards carry the code of their issue, and the standard's own second example is refused.
    """
    assert not ric.is_valid("440524188001010014")
    assert not ric.is_valid("620802198503140012")
    assert ids.resident_id_is_valid("620802198503140012", today=TODAY)


@pytest.mark.parametrize("text", VALID_CREDIT_CODES)
def test_a_right_credit_code_is_valid_in_all_three_ways(text):
    """Shape, outer and inner check character; python-stdnum agrees on the outer one."""
    assert ids.CreditCodeCheck(shape=True, outer=True, inner=True) == ids.credit_code(text)
    assert uscc.is_valid(text)


def test_the_two_check_characters_of_a_credit_code_are_reported_apart():
    """A code can be right outside and wrong inside, and the other way round."""
    inner_wrong = "91620802MA0000016"
    outer_fits = inner_wrong + ids.credit_code_check_character(inner_wrong)

    assert ids.CreditCodeCheck(shape=True, outer=True, inner=False) == ids.credit_code(outer_fits)
    assert ids.CreditCodeCheck(shape=True, outer=False, inner=True) == ids.credit_code(
        "91620802MA0000015Y"
    )


@pytest.mark.parametrize("letter", "IOSVZa-甲")
def test_a_letter_outside_the_alphabet_spoils_a_credit_code(letter):
    """GB 32100 leaves out I, O, S, V and Z."""
    text = "9162080" + "2" + letter + "A0000015X"

    assert ids.CreditCodeCheck(shape=False, outer=False, inner=False) == ids.credit_code(text)


@given(st.text(alphabet=ids.CREDIT_CODE_ALPHABET, min_size=17, max_size=17))
def test_the_outer_check_agrees_with_stdnum(first):
    """Also where the weighted sum is a multiple of 31, the usual mistake."""
    assert uscc.calc_check_digit(first) == ids.credit_code_check_character(first)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D2143569-X", True),  # printed in GB 11714
        ("D2143569X", True),
        ("D21435690", False),
        ("D2143569 X", False),
        ("D2143569--X", False),
        ("", False),
    ],
)
def test_an_organisation_code_has_eight_characters_and_a_check(text, expected):
    """With its printed hyphen or without."""
    assert expected == ids.organisation_code_is_valid(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("620802000000011", True),
        ("620802000000012", False),
        ("6208020000001", False),  # 13 digits, before 2007: no check
        ("62080200000001１", False),
        ("", False),
    ],
)
def test_a_registration_number_has_fifteen_digits_and_a_check(text, expected):
    """ISO 7064 MOD 11,10."""
    assert expected == ids.registration_no_is_valid(text)


@given(st.text(alphabet=string.digits, min_size=14, max_size=14))
def test_the_registration_check_agrees_with_stdnum(first):
    """MOD 11,10 the way python-stdnum computes it."""
    assert mod_11_10.calc_check_digit(first) == ids.registration_no_check_digit(first)


@given(st.text(alphabet=ids.MOD_37_36_ALPHABET, min_size=1, max_size=40))
def test_mod_37_36_agrees_with_stdnum(body):
    """The check of licences and of our acceptance numbers."""
    assert mod_37_36.calc_check_digit(body) == ids.mod_37_36_check_character(body)
    assert ids.mod_37_36_is_valid(ids.with_check_character(body))


@pytest.mark.parametrize("text", ["", "A", "AB\n", "a0", "甲乙"])
def test_mod_37_36_refuses_what_is_no_number(text):
    """Too short, lower case, other letters."""
    assert not ids.mod_37_36_is_valid(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("620802001001GB00001F00010001", True),
        ("620802001001GB00001W00000000", True),
        ("620802001001GB00001W00000001", False),
        ("620802001001XB00001F00010001", False),
        ("620802001001GB00001F0001000", False),
        ("620802001001gb00001f00010001", False),
        ("620802001001GB00001F0001000１", False),
    ],
)
def test_a_unit_code_has_its_letters_in_their_places(text, expected):
    """Bare land has no fixture number."""
    assert expected == ids.real_estate_unit_is_valid(text)


def test_a_unit_code_names_its_parcel():
    """The first nineteen characters are the parcel."""
    unit = ids.real_estate_unit("620802001001GB00001F00010001")

    assert unit is not None
    assert "620802001001GB00001" == unit.parcel_code
    assert ("620802", "G", "F") == (unit.county, unit.right_kind, unit.fixture)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1.2.156.3005.2.11100000MB03271699022.116208000138900067.620802GB00001F00010001.001.R",
            True,
        ),
        (
            "1.2.156.3005.2.11100000MB03271699022.116208000138900067.620802GB00001F00010001.001.S",
            False,
        ),
        ("1.2.156.3005.3.11100000MB03271699022.116208000138900067.X.001.R", False),
        ("", False),
    ],
)
def test_a_licence_id_has_its_parts_and_a_check(text, expected):
    """GB/T 36904: the check runs over the parts after the fixed root."""
    assert expected == ids.licence_id_is_valid(text)


@given(st.text(max_size=40))
def test_no_text_makes_a_check_raise(text):
    """Every check is total."""
    answers = [
        ids.resident_id_is_valid(text),
        ids.credit_code(text).is_valid,
        ids.organisation_code_is_valid(text),
        ids.registration_no_is_valid(text),
        ids.real_estate_unit_is_valid(text),
        ids.licence_id_is_valid(text),
        ids.mod_37_36_is_valid(text),
    ]

    assert all(isinstance(answer, bool) for answer in answers)
