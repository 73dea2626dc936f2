"""People: synthetic identifiers and names; the area code 620899 never existed.

Numbers carry right check digits, so that contracts accept them, and belong to nobody.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from tongban.kernel.identifiers import (
    credit_code_check_character,
    organisation_code_check_character,
    resident_id_check_character,
)

AREA: Final = "620899"
_FAMILY = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗"
_GIVEN = (
    "秀英",
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "强",
    "磊",
    "洋",
    "艳",
    "勇",
    "军",
    "杰",
    "娟",
    "涛",
)
_FIRST_BIRTH = date(1955, 1, 1)


def name_of(number: int) -> str:
    """A usual name."""
    return _FAMILY[number % len(_FAMILY)] + _GIVEN[number // len(_FAMILY) % len(_GIVEN)]


def resident_id_of(number: int) -> str:
    """A resident ID with a right check character (GB 11643-1999), another up to 13 million."""
    born = _FIRST_BIRTH + timedelta(days=number % 15_000)
    body = f"{AREA}{born:%Y%m%d}{number // 15_000 % 900 + 1:03d}"
    return body + resident_id_check_character(body)


def credit_code_of(number: int) -> str:
    """A credit code with both check characters right (GB 32100-2015)."""
    organisation = f"MF{number % 1_000_000:06d}"
    body = f"91{AREA}{organisation}{organisation_code_check_character(organisation)}"
    return body + credit_code_check_character(body)


def company_of(number: int) -> str:
    """A company's name."""
    return f"平凉市示范{number + 1}号商贸有限公司"


def phone_of(number: int) -> str:
    """A mobile number of a block that no operator gives out."""
    return f"1990899{number % 10_000:04d}"


def unit_no_of(number: int) -> str:
    """A real-estate unit number (GB/T 37346-2019)."""
    return f"{AREA}001001GB00001F{number // 10_000 % 10_000:04d}{number % 10_000:04d}"
