"""The acceptance number catches the mistakes that people make."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.cases.number import SERIALS_PER_DAY, accept_no, is_accept_no

numbers = st.builds(
    accept_no,
    st.dates(date(2018, 10, 8), date(2099, 12, 31)),
    st.integers(1, SERIALS_PER_DAY - 1),
)


@given(numbers)
def test_every_issued_number_checks(number: str):
    """Check digits fit whatever the day and the serial."""
    assert is_accept_no(number)


@given(numbers, st.integers(0, 17), st.integers(1, 9))
def test_any_single_wrong_digit_is_caught(number: str, place: int, by: int):
    """One digit read wrong never gives another valid number."""
    digit = (int(number[place]) + by) % 10
    wrong = f"{number[:place]}{digit}{number[place + 1 :]}"

    assert not is_accept_no(wrong)


@given(numbers, st.integers(0, 16))
def test_any_swap_of_two_neighbours_is_caught(number: str, place: int):
    """Two digits heard in the wrong order never give another valid number."""
    one, two = number[place], number[place + 1]
    swapped = f"{number[:place]}{two}{one}{number[place + 2 :]}"

    assert (one == two) is is_accept_no(swapped)


@given(
    st.dates(date(2018, 1, 1), date(2099, 12, 31)), st.sets(st.integers(1, 999_999), max_size=50)
)
def test_no_two_cases_of_a_day_share_a_number(day: date, serials: set[int]):
    """Different serials give different numbers."""
    assert len(serials) == len({accept_no(day, serial) for serial in serials})


@pytest.mark.parametrize(
    "text", ["", "6208", "６２０８２６１１２４０００００１００", "6208261124000001AB"]
)
def test_text_that_is_no_number_is_refused(text: str):
    """Length, full-width digits and letters are looked at before the check digits."""
    assert not is_accept_no(text)


@pytest.mark.parametrize("serial", [0, SERIALS_PER_DAY])
def test_a_serial_outside_its_six_digits_is_refused(serial: int):
    """The millionth case of a day is an error, not a seven-digit serial."""
    with pytest.raises(ValueError, match="outside"):
        accept_no(date(2026, 11, 24), serial)
