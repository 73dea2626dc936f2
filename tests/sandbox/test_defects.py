"""Each injector makes a document wrong in its own way, or leaves it alone and says so."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from sandbox import defects as d
from tests.sandbox.conftest import TODAY

ID_WITH_X = "62089919850314003X"


def apply(injector, **doc):
    """Apply an injector to a small document and give the document, or None if it did not fit."""
    before = dict(doc)
    fits = injector(doc, Random(1), TODAY)
    assert fits == (doc != before)
    return doc if fits else None


def test_check_digit_is_broken():
    """Only the last character changes."""
    assert "620899198503140012" == apply(d.bad_check_digit("n"), n="620899198503140011")["n"]


def test_a_number_without_check_digit_cannot_be_broken():
    """Passports have none."""
    assert apply(d.bad_check_digit("n"), n="E12345678") is None


@pytest.mark.parametrize(("value", "blank"), [("张三", ""), (12.5, None)])
def test_a_required_field_goes_missing(value, blank):
    """Text becomes empty, a number null, as each protocol would have it."""
    assert {"f": blank} == apply(d.missing_required("f"), f=value)


def test_a_blank_field_cannot_go_missing():
    """It would not be a defect of ours."""
    assert apply(d.missing_required("f"), f="") is None


def test_codes_become_unknown_together():
    """A code and its text stay a pair."""
    injector = d.unknown_code(regstate="9", regstateCn="状态不详")

    assert {"regstate": "9", "regstateCn": "状态不详"} == apply(
        injector, regstate="1", regstateCn="存续"
    )


def test_a_price_in_yuan_where_ten_thousands_are_due():
    """The unit price leaves every plausible range."""
    doc = apply(d.wrong_unit("FDCJYJG", Decimal(10000)), FDCJYJG="53.109400")

    assert "531094.000000" == doc["FDCJYJG"]


def test_a_price_in_ten_thousands_where_yuan_are_due():
    """Numbers keep two places."""
    assert {"p": 47.9} == apply(d.wrong_unit("p", 1 / Decimal(10000)), p=479026.0)


def test_digits_become_full_width_and_letters_stay():
    """An X has no full-width twin here."""
    assert "６２X" == apply(d.full_width_digits("n"), n="62X")["n"]


def test_an_old_number_is_written_with_15_digits():
    """Only for somebody born in the 1900s."""
    assert "620899850314003" == apply(d.fifteen_digit("n"), n=ID_WITH_X)["n"]
    assert apply(d.fifteen_digit("n"), n="620899200002290185") is None
    assert apply(d.fifteen_digit("n"), n="91620899MA0000015E") is None


def test_x_becomes_lower_case():
    """Only the check character of a resident ID."""
    assert ID_WITH_X[:17] + "x" == apply(d.lower_case_x("n"), n=ID_WITH_X)["n"]
    assert apply(d.lower_case_x("n"), n="620899198503140011") is None


def test_a_name_gets_a_blank():
    """Taking the blanks away gives the name back."""
    assert "张三" == "".join(apply(d.blanks_in_name("n"), n="张三")["n"].split())
    assert apply(d.blanks_in_name("n"), n="古丽·艾力") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20240115093000", "20230230093000"),
        ("2024-01-15", "2023-02-30"),
        ("2024-01-15T09:30:00+08:00", "2023-02-30T09:30:00+08:00"),
        ("2024-01-15 09:30:00", "2023-02-30 09:30:00"),
    ],
)
def test_a_date_that_does_not_exist_keeps_the_form_of_its_field(value, expected):
    """The 30th of February in every notation."""
    assert expected == apply(d.bad_date("t"), t=value)["t"]


def test_a_date_moves_into_the_future():
    """Two to four years ahead; a leap day is left alone, it would not exist."""
    assert "2028" <= apply(d.future_date("t"), t="20240115093000")["t"][:4] <= "2030"
    assert apply(d.future_date("t"), t="2024-02-29 08:00:00") is None


@pytest.mark.parametrize(("value", "expected"), [("12.00", "-12.00"), (12.5, -12.5)])
def test_an_amount_turns_negative(value, expected):
    """Text and numbers alike."""
    assert expected == apply(d.negative_amount("a"), a=value)["a"]


@pytest.mark.parametrize("value", ["0.00", None, ""])
def test_nothing_cannot_turn_negative(value):
    """Minus zero is zero."""
    assert apply(d.negative_amount("a"), a=value) is None


def test_an_event_moves_before_the_one_it_follows():
    """Recorded three days before it was signed."""
    injector = d.moved_day("recordTime", "signTime", -3)
    doc = apply(injector, signTime="2026-03-02 10:00:00", recordTime="2026-03-03 11:00:00")

    assert "2026-02-27 11:00:00" == doc["recordTime"]


def test_a_draft_has_no_event_to_move():
    """A contract that was never recorded stays as it is."""
    injector = d.moved_day("recordTime", "signTime", -3)

    assert apply(injector, signTime="2026-03-02 10:00:00", recordTime=None) is None


def test_the_area_no_longer_adds_up():
    """By more than half a square metre."""
    doc = apply(d.area_mismatch, JZMJ="90.13", ZYJZMJ="80.48", FTJZMJ="9.65")

    assert Decimal("0.5") < Decimal(doc["JZMJ"]) - Decimal("90.13")


def test_the_month_does_not_exist():
    """There is no 13th month."""
    assert "202313" == apply(d.bad_month("m"), m="202403")["m"]


def test_a_unit_number_loses_a_character():
    """27 characters remain."""
    assert 27 == len(apply(d.unit_no_malformed("u"), u="620899001001GB00001F00010001")["u"])


def test_more_is_paid_than_is_due():
    """By a hundred."""
    assert "110.00" == apply(d.paid_above_due("paid", "due"), paid="5.00", due="10.00")["paid"]


def test_the_tax_on_another_base_is_computed_right():
    """No rule over one row can see it."""
    doc = apply(
        d.other_tax_base,
        SZDM="10119",
        ZTBZ="1",
        ZJLX="201",
        JSJE="479026.00",
        SL="0.0150",
        HJSE="7185.39",
        JMSE="0.00",
        SJJE="7185.39",
    )

    assert ("383220.80", "5748.31", "5748.31") == (doc["JSJE"], doc["HJSE"], doc["SJJE"])


def test_another_surname_keeps_the_given_name():
    """The person is somebody else for a comparison."""
    name = apply(d.other_surname("n"), n="张三丰")["n"]

    assert "三丰" == name[1:]
    assert "张" != name[0]


def test_a_change_comes_late():
    """The change time moves to the last days, the event stays."""
    injector = d.late_change("deed_tax_payment", "JKRQ")
    doc = apply(injector, JKRQ="20260110100000", GXSJ="20260110100500")

    assert "20260110100000" == doc["JKRQ"]
    assert "20261115100500" <= doc["GXSJ"] <= "20261121100500"


def test_a_fresh_event_cannot_come_late():
    """What happened last month is not old."""
    injector = d.late_change("deed_tax_payment", "JKRQ")

    assert apply(injector, JKRQ="20261110100000", GXSJ="20261110100500") is None
