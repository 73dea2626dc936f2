"""Shapes of single fields in pushed rows, as far as a department looks at them.

Departments check what they must store: dates, amounts, unit numbers, id lengths. Deep checks
(check digits, code tables) are the hub's own work before it pushes. Nothing here keeps a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

UNIT_NO = re.compile(r"\d{12}[GJZ][A-Z]\d{5}[FLQW]\d{8}")  # GB/T 37346-2019
CREDIT_CODE = re.compile(r"[0-9A-HJ-NP-RTUWXY]{18}")  # GB 32100-2015
AMOUNT = re.compile(r"\d{1,16}(\.\d{1,6})?")


def matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """Make a shape from a pattern over the whole value."""
    return lambda text: pattern.fullmatch(text) is not None


def one_of(*values: str) -> Callable[[str], bool]:
    """Make a shape from a closed list."""
    allowed = frozenset(values)
    return lambda text: text in allowed


def date_form(form: str) -> Callable[[str], bool]:
    """Make a shape from a `strptime` form; the date must exist."""

    def fits(text: str) -> bool:
        try:
            # Reading and writing back refuses missing leading zeros, which strptime lets pass.
            return datetime.strptime(text, form).strftime(form) == text  # noqa: DTZ007
        except ValueError:
            return False

    return fits


is_unit_no = matches(UNIT_NO)
is_credit_code = matches(CREDIT_CODE)
is_amount = matches(AMOUNT)
is_compact_date = date_form("%Y%m%d")
is_compact_time = date_form("%Y%m%d%H%M%S")
is_spaced_time = date_form("%Y-%m-%d %H:%M:%S")
is_dashed_date = date_form("%Y-%m-%d")
