"""The acceptance number (受理号): one number for one case in all departments.

    6208 261124 000017 34
    │    │      │      └─ two check digits, ISO 7064 MOD 97-10
    │    │      └──────── serial of the day, six digits
    │    └─────────────── day of issue, yymmdd, Asia/Shanghai
    └──────────────────── first four digits of the city's area code

The check digits catch every single wrong digit and every swap of two neighbours, the two
mistakes that people make when they read a number over the telephone.

Source: ISO/IEC 7064 (MOD 97-10); docs/decisions/0007-acceptance-number.md.
"""

from __future__ import annotations

from datetime import date, datetime

AREA = "6208"  # Pingliang, GB/T 2260
LENGTH = 18
SERIALS_PER_DAY = 1_000_000
_MODULUS = 97


def accept_no(day: date, serial: int) -> str:
    """Make the number of the `serial`-th case (from 1) of a day.

    Raises:
        ValueError: The serial does not fit six digits.
    """
    if not 0 < serial < SERIALS_PER_DAY:
        raise ValueError(f"serial {serial} is outside 1..{SERIALS_PER_DAY - 1}")
    body = f"{AREA}{day:%y%m%d}{serial:06d}"
    return f"{body}{_MODULUS + 1 - int(body) * 100 % _MODULUS:02d}"


def is_accept_no(text: str) -> bool:
    """Whether the text has the form and the check digits of an acceptance number."""
    if len(text) != LENGTH or not (text.isascii() and text.isdigit()):
        return False
    return int(text) % _MODULUS == 1


def parts_of(number: str) -> tuple[date, int]:
    """Day of issue and serial of an acceptance number.

    Raises:
        ValueError: It is no acceptance number.
    """
    if not is_accept_no(number):
        raise ValueError("not an acceptance number")
    day = datetime.strptime(f"20{number[4:10]}", "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    return day, int(number[10:16])
