"""Row by row: the mapping and the rules as an engineer writes them by hand, for the naive peers.

One dict in, one dict out, or the name of the first rule that refuses it. Same result as the
benchmark's mapping and contract; a test holds both against each other.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from benchmarks.layout import FIELDS

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS = "10X98765432"
HALF_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)} | {0x3000: 0x20}
ID_TYPES = {"1": "111", "7": "001"}
CODES = {"gender": {"1", "2"}, "right_type": {"3", "4", "5", "6", "8"}, "area_code": {"620899"}}
BUSINESS_NO = re.compile(r"[0-9]{24}")
UNIT_NO = re.compile(r"[0-9]{6}[0-9]{3}[0-9]{3}[A-Z]{2}[0-9]{5}[FW][0-9]{8}")
PHONE = re.compile(r"1[3-9][0-9]{9}")


class Refused(ValueError):
    """A rule refuses the row; the text is the rule's name."""


def clean(row: dict[str, Any]) -> dict[str, Any]:
    """Normalize and check one source row.

    Raises:
        Refused: By the first rule that it breaks.
    """
    record: dict[str, Any] = {
        target: (row.get(source) or "").strip().strip("\u3000 ") or None
        for source, target in FIELDS.items()
    }
    record["id_type"] = ID_TYPES.get(record["id_type"] or "")
    record["id_no"] = (record["id_no"] or "").translate(HALF_WIDTH).upper()
    record["unit_no"] = (record["unit_no"] or "").translate(HALF_WIDTH).replace(" ", "").upper()
    record["address"] = (record["address"] or "").translate(HALF_WIDTH) or None
    record["area"] = amount(record["area"])
    record["price"] = amount(record["price"])
    for name in ("registered_on", "begins_on"):
        record[name] = day(record[name])
    if record["changed_at"]:
        record["changed_at"] = datetime.strptime(record["changed_at"], "%Y%m%d%H%M%S")  # noqa: DTZ007 - as in the source
    check(record)
    return record


def amount(text: str | None) -> Decimal | None:
    """A decimal from text with separators and currency signs."""
    if text is None:
        return None
    try:
        return Decimal(text.translate(HALF_WIDTH).replace(",", "").lstrip("¥¥"))  # noqa: B005 - characters
    except InvalidOperation:
        raise Refused("number.type") from None


def day(text: str | None) -> date | None:
    """A date from yyyyMMdd."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        raise Refused("date.type") from None


def check(record: dict[str, Any]) -> None:
    """The contract's rules.

    Raises:
        Refused: By the first that is broken.
    """
    for name, value in record.items():
        if value is None and name != "begins_on":
            raise Refused(f"{name}.required")
    _check_forms(record)
    _check_sense(record)


def _check_forms(record: dict[str, Any]) -> None:
    """Codes, patterns, lengths."""
    for name, known in CODES.items():
        if record[name] not in known:
            raise Refused(f"{name}.code")
    patterns = (("business_no", BUSINESS_NO), ("unit_no", UNIT_NO), ("phone", PHONE))
    for name, pattern in patterns:
        if not pattern.fullmatch(record[name]):
            raise Refused(f"{name}.pattern")
    if not 2 <= len(record["holder_name"]) <= 60 or not 4 <= len(record["address"]) <= 200:
        raise Refused("length")


def _check_sense(record: dict[str, Any]) -> None:
    """Ranges, dates, the resident ID."""
    if not 0 < record["area"] <= 1_000_000 or record["price"] < 0:
        raise Refused("range")
    if record["registered_on"] > date.today():  # noqa: DTZ011 - as scripts do
        raise Refused("registered_not_future")
    if record["begins_on"] and record["begins_on"] > record["registered_on"]:
        raise Refused("begins_before_registered")
    if record["id_type"] == "111" and not is_resident_id(record["id_no"]):
        raise Refused("id_valid")


def is_resident_id(text: str) -> bool:
    """GB 11643-1999: 18 characters, a real day of birth, a right check digit."""
    if len(text) != 18 or not text[:17].isdigit():
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, WEIGHTS, strict=False))
    if CHECK_DIGITS[total % 11] != text[17]:
        return False
    try:
        datetime.strptime(text[6:14], "%Y%m%d")  # noqa: DTZ007 - a day
    except ValueError:
        return False
    return True
