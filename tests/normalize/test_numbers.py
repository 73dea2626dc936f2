"""Number operations: exact or failed, never rounded, never a float."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.normalize.one_operation import DECIMAL, SHARE, run
from tongban.kernel.errors import ConfigInvalid
from tongban.normalize import numbers


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("007", 7),
        ("12.0", 12),
        ("12.000", 12),
        (" 12 ", 12),
        ("12.5", None),
        ("1e3", None),
        ("1,200", None),
        ("１２", None),
        ("0x10", None),
        ("1_000", None),
        ("99999999999999999999", None),
        ("--1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_whole_number_is_read_or_fails(cell, expected):
    """Full-width digits are no digits here: \\d would have taken them."""  # noqa: D301
    assert [expected] == run("integer", [cell])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("89.12", "89.12"),
        ("89.1", "89.10"),
        ("89", "89.00"),
        ("89.", "89.00"),
        ("89.1200000", "89.12"),
        ("-0.5", "-0.50"),
        ("9999999999999999.99", "9999999999999999.99"),
        ("99999999999999999.99", None),  # one digit more than the contract's precision
        ("89.125", None),  # would round
        ("89.120000000001", None),
        ("1e3", None),
        ("1,000.00", None),
        (".", None),
        ("NaN", None),
        ("inf", None),
        ("８９", None),
        ("89.1.2", None),
        (None, None),
    ],
)
def test_a_decimal_is_exact_or_fails(cell, expected):
    """Digits beyond the scale fail unless they are zeros."""
    found = run("decimal", [cell], {"scale": 2}, field=DECIMAL)

    assert [None if expected is None else Decimal(expected)] == found


@pytest.mark.parametrize(
    ("unit", "cell", "expected"),
    [
        ("元", "560000", "560000.00"),
        ("元", "560,000.5", "560000.50"),
        ("元", "¥1,234,567.89", "1234567.89"),
        ("元", "￥12", "12.00"),
        ("元", "1,23", None),  # no thousands: what was meant is unknown
        ("元", "12,34,567", None),
        ("元", "12.345", None),
        ("元", "12万元", None),
        ("万元", "56.00005", "560000.50"),
        ("万元", "56.000050", "560000.50"),
        ("万元", "0.0001", "1.00"),
        ("万元", "0.0000001", None),  # a thousandth of 元
        ("万元", "1,200.5", "12005000.00"),
        ("万元", "-3", "-30000.00"),
        ("分", "12345", "123.45"),
        ("分", "5", "0.05"),
        ("分", "12.5", None),
        ("元", "9" * 40, None),
        ("万元", "9" * 30, None),
        ("元", None, None),
    ],
)
def test_money_of_every_unit_becomes_yuan_exactly(unit, cell, expected):
    """Currency sign and thousands separators are allowed where they are right."""
    found = run("money", [cell], {"unit": unit, "scale": 2}, field=DECIMAL)

    assert [None if expected is None else Decimal(expected)] == found


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6, allow_nan=False))
def test_ten_thousand_yuan_are_never_rounded(amount):
    """Six decimals of 万元 are exact to a hundredth of 元, or fail."""
    found = numbers.money(pl.Series([f"{amount:f}"]), "万元", 2)[0]
    exact = amount * 10_000

    assert found == (exact if exact == exact.quantize(Decimal("0.01")) else None)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("50%", "0.5"),
        ("50％", "0.5"),
        ("100%", "1"),
        ("33.33%", "0.3333"),
        ("1/2", "0.5"),
        ("1／3", "0.333333"),
        ("2/3", "0.666667"),
        ("1/1", "1"),
        ("0.5", "0.5"),
        ("1", "1"),
        ("0", "0"),
        ("50", None),  # percent or fifty-fold? not for us to say
        ("150%", None),
        ("3/2", None),
        ("1/0", None),
        ("0/0", None),
        ("-1/2", None),
        ("-0.5", None),
        ("一半", None),
        ("", None),
        (None, None),
    ],
)
def test_a_share_is_a_decimal_from_nought_to_one(cell, expected):
    """Percent, fraction or decimal; anything outside fails."""
    found = run("percent_or_fraction", [cell], field=SHARE)

    assert [None if expected is None else Decimal(expected)] == found


def test_a_share_may_be_told_to_come_as_bare_percent():
    """Market persons give 60 for 60 %."""
    found = run("percent_or_fraction", ["60", "100", "0.5"], {"plain": "percent"}, field=SHARE)

    assert [Decimal("0.6"), Decimal(1), Decimal("0.005")] == found


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("1", 5), ("5", 1), ("3", 3), ("0", None), ("6", None), ("x", None), (None, None)],
)
def test_a_scale_is_turned_round(cell, expected):
    """The substation's 1 is best, ours is 5; what is outside the scale fails."""
    assert [expected] == run("invert_scale", [cell], {"minimum": 1, "maximum": 5})


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("money", {"unit": "万圆"}, 'does not know the unit "万圆"'),
        ("money", {"unti": "元"}, 'no argument "unti", did you mean "unit"'),
        ("money", None, 'needs the argument "unit"'),
        ("decimal", {"scale": 4}, "the contract's field has 2 and would round"),
        ("decimal", {"scale": -1}, "needs a scale between 0 and 18"),
        ("invert_scale", {"minimum": 5, "maximum": 1}, "needs a minimum below its maximum"),
        ("percent_or_fraction", {"plain": "promille"}, 'does not know the plain "promille"'),
    ],
)
def test_an_impossible_unit_or_scale_is_refused_at_compile_time(name, args, message):
    """With the place in the mapping."""
    with pytest.raises(ConfigInvalid, match=message):
        run(name, ["1"], args, field=DECIMAL)


@given(st.lists(st.text(max_size=15), min_size=1, max_size=6))
def test_no_text_makes_a_number_operation_raise(cells):
    """Total: a number or null."""
    column = pl.Series(cells, dtype=pl.String)

    for found in (
        numbers.integer(column),
        numbers.decimal(column, 2),
        numbers.money(column, "万元", 2, 18),
        numbers.money(column, "分", 2, 18),
        numbers.share(column),
        numbers.inverted(column, 1, 5),
    ):
        assert len(cells) == len(found)
