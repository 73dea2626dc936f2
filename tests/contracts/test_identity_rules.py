"""People and companies: what counts as a wrong number, and what only looks odd."""

from __future__ import annotations

import pytest

from tests.contracts.odcs import CODES, batch_of, contract_of, good_rows
from tongban.validate import check, compile_contract

RULE = "sale_contract_party.id_no_valid"
CONTRACT = contract_of("sale_contract_party")
PLAN = compile_contract(CONTRACT, CODES)
# The vectors of GB 11643 and the few synthetic ones of the design; nobody else's number.
ODD_BUT_RIGHT = {
    "the standard's own example": "11010519491231002X",
    "the standard's other example": "440524188001010014",
    "area code of today, born before it existed": "620802198503140012",
    "area code of the former prefecture": "622701198503140012",
    "former county of the prefecture": "622726197201010020",
    "leap day": "620802200002290186",
}


def _findings(id_type: str, id_no: str | None) -> list[str]:
    row = {**good_rows("sale_contract_party")[0], "id_type": id_type, "id_no": id_no}
    return list(check(PLAN, batch_of(CONTRACT, [row]), refuse_dirty=False).findings)


@pytest.mark.parametrize("number", ODD_BUT_RIGHT.values(), ids=ODD_BUT_RIGHT.keys())
def test_area_code_of_a_resident_id_is_never_an_error(number):
    """Cards keep the code of their first issue, or are issued long after birth."""
    assert [] == _findings("111", number)


@pytest.mark.parametrize(
    "number",
    [
        "620802198502300010",  # 30 February; its check digit is right
        "620802198503140013",
        "62080219850314001",
        "620802850314001",  # 15 digits: normalizing makes 18 of them, a contract sees none
        "62089919850314001١",  # an Arabic digit
        "11010519491231002x",
    ],
)
def test_wrong_resident_id_is_quarantined(number):
    """Whatever is not in normal form after normalizing is wrong."""
    assert [RULE] == _findings("111", number)


def test_missing_number_is_one_finding():
    """Null passes every rule but the one about presence."""
    assert ["id_no.required"] == _findings("111", None)


@pytest.mark.parametrize("id_type", ["414", "516", "114"])
def test_other_papers_have_no_check_digit(id_type):
    """A passport of nine characters is neither a short ID nor a credit code."""
    assert [] == _findings(id_type, "E12345678")


def test_eighteen_digits_of_a_passport_are_not_read_as_an_id():
    """The check follows the type of the paper, not the length of the number."""
    assert [] == _findings("414", "620802198503140013")


@pytest.mark.parametrize(
    "number",
    [
        "91350100M000100Y43",  # the standard's example
        "91620802MA0000015X",
        "91620802MA00004960",  # remainder 0: the check character is 0 and not a 32nd letter
        "92620821MA000004XQ",  # the inner check character is X
    ],
)
def test_valid_credit_codes_pass(number):
    """Both check characters of GB 32100 are computed, their edges included."""
    assert [] == _findings("001", number)


@pytest.mark.parametrize(
    "number", ["91350100M000100Y44", "91620802MA0000015O", "91620802MA0000025X", "116208000138900"]
)
def test_wrong_credit_codes_are_quarantined(number):
    """Wrong check character, a letter outside the alphabet, a wrong inner code, too short."""
    assert [RULE] == _findings("001", number)
