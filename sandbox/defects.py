"""Defects: the ways in which a record can be wrong, each one small function on one document.

Every factory returns an injector. An injector changes the document in place and says True, or finds
that its defect does not fit this record and says False with the document untouched. Where defects
are put, and what the hub should make of them, is in `sandbox.sites`.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from sandbox.datasets import Document, read_stamp, stamp
from sandbox.identifiers import break_check, fifteen_digit_id
from sandbox.names import SURNAMES

Injector = Callable[[Document, Random, date], bool]

FULL_WIDTH = str.maketrans(string.digits, "０１２３４５６７８９")
NO_SUCH_MONTH = "202313"
OLD_EVENT_DAYS = 60


def bad_check_digit(field: str) -> Injector:
    """Break the check digit of a resident ID or a credit code."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        if len(doc[field] or "") != 18:
            return False
        doc[field] = break_check(doc[field])
        return True

    return inject


def missing_required(field: str) -> Injector:
    """Leave a required field blank: an empty text, or null where the service knows numbers."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        if doc.get(field) in {None, ""}:
            return False
        doc[field] = "" if isinstance(doc[field], str) else None
        return True

    return inject


def unknown_code(**values: str) -> Injector:
    """Set fields to codes that are in no table."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        doc.update(values)
        return True

    return inject


def wrong_unit(field: str, factor: Decimal) -> Injector:
    """Give a price in the other unit: 元 for 万元, or the reverse."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        if not doc.get(field) or Decimal(str(doc[field])) <= 0:
            return False
        doc[field] = _scaled(doc[field], factor)
        return True

    return inject


def full_width_digits(field: str) -> Injector:
    """Write the digits of a number full-width, as some input methods do."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        wide = (doc[field] or "").translate(FULL_WIDTH)
        if wide == (doc[field] or ""):
            return False
        doc[field] = wide
        return True

    return inject


def fifteen_digit(field: str) -> Injector:
    """Give the ID of somebody born in the 1900s in its old form of 15 digits."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        number = doc[field] or ""
        if len(number) != 18 or not number[:17].isdigit() or number[6:8] != "19":
            return False
        doc[field] = fifteen_digit_id(number)
        return True

    return inject


def lower_case_x(field: str) -> Injector:
    """Write the check character X of a resident ID in lower case."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        number = doc[field] or ""
        if len(number) != 18 or not number[:17].isdigit() or number[17] != "X":
            return False
        doc[field] = number[:17] + "x"
        return True

    return inject


def blanks_in_name(field: str) -> Injector:
    """Put a blank before, after or inside a Chinese name."""

    def inject(doc: Document, random: Random, _today: date) -> bool:
        name = doc[field] or ""
        if len(name) < 2 or "·" in name:
            return False
        spaced = f"{name[0]} {name[1:]}" if len(name) <= 3 else f" {name}"
        doc[field] = random.choice((f" {name}", f"{name}\u3000", f"{name} ", spaced))
        return True

    return inject


def bad_date(field: str) -> Injector:
    """Name the 30th of February."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        value = doc.get(field) or ""
        if not value:
            return False
        dashed = value[4] == "-"
        doc[field] = "2023-02-30" + value[10:] if dashed else "20230230" + value[8:]
        return True

    return inject


def future_date(field: str) -> Injector:
    """Move an event two to four years ahead of the anchor day."""

    def inject(doc: Document, random: Random, today: date) -> bool:
        value = doc.get(field) or ""
        if not value or value[4:].replace("-", "").startswith("0229"):
            return False
        doc[field] = f"{today.year + random.randint(2, 4)}{value[4:]}"
        return True

    return inject


def negative_amount(field: str) -> Injector:
    """Turn an amount negative."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        value = doc.get(field)
        if not value or Decimal(str(value)) <= 0:
            return False
        doc[field] = f"-{value}" if isinstance(value, str) else -value
        return True

    return inject


def moved_day(field: str, reference: str, days: int) -> Injector:
    """Put the day of `field` `days` from the day of `reference`; both in their own form."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        value, other = doc.get(field) or "", doc.get(reference) or ""
        if not value or not other:
            return False
        form, length = ("%Y-%m-%d", 10) if value[4] == "-" else ("%Y%m%d", 8)
        compact = other.replace("-", "")[:8]
        day = datetime.strptime(compact, "%Y%m%d") + timedelta(days=days)  # noqa: DTZ007
        doc[field] = day.strftime(form) + value[length:]
        return True

    return inject


def ended_before_begun(doc: Document, _random: Random, _today: date) -> bool:
    """Let a licence run out a day before it begins (epoch milliseconds)."""
    doc["opto"] = doc["opfrom"] - 86_400_000
    return True


def area_mismatch(doc: Document, random: Random, _today: date) -> bool:
    """Let the total area exceed own and shared area by more than half a square metre."""
    excess = Decimal(random.randint(60, 500)) / 100
    doc["JZMJ"] = str(Decimal(doc["JZMJ"]) + excess)
    return True


def bad_month(field: str) -> Injector:
    """Name the 13th month of 2023."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        doc[field] = NO_SUCH_MONTH
        return True

    return inject


def unit_no_malformed(field: str) -> Injector:
    """Lose one of the 28 characters of a real-estate unit number."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        if len(doc[field] or "") != 28:
            return False
        doc[field] = doc[field][:-1]
        return True

    return inject


def paid_above_due(paid: str, due: str) -> Injector:
    """Pay a hundred 元 more than is due."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        doc[paid] = str(Decimal(doc[due]) + 100)
        return True

    return inject


def other_surname(field: str) -> Injector:
    """Give a person another surname than the other departments know."""

    def inject(doc: Document, random: Random, _today: date) -> bool:
        name = doc[field]
        if len(name) > 3 or "·" in name:
            return False
        surname = random.choice(SURNAMES)
        while surname == name[0]:
            surname = random.choice(SURNAMES)
        doc[field] = surname + name[1:]
        return True

    return inject


def other_company_name(field: str) -> Injector:
    """Give a company another name than market regulation knows."""

    def inject(doc: Document, _random: Random, _today: date) -> bool:
        doc[field] = doc[field].replace("平凉市", "平凉新", 1)
        return True

    return inject


def other_tax_base(doc: Document, _random: Random, _today: date) -> bool:
    """Tax a sale on 80 % of the price of its contract; the tax itself is computed right."""
    if doc["SZDM"] != "10119" or doc["ZTBZ"] != "1" or doc["ZJLX"] != "201":
        return False
    cent = Decimal("0.01")
    base = (Decimal(doc["JSJE"]) * Decimal("0.8")).quantize(cent)
    due = (base * Decimal(doc["SL"])).quantize(cent, "ROUND_HALF_UP")
    relief = due if Decimal(doc["JMSE"]) > 0 else Decimal("0.00")
    doc |= {"JSJE": str(base), "HJSE": str(due), "JMSE": str(relief), "SJJE": str(due - relief)}
    return True


def other_registered_price(doc: Document, _random: Random, _today: date) -> bool:
    """Register a bought unit at 80 % of the price of its contract."""
    if not doc.get("FDCJYHTH") or doc["QSZT"] != "1":
        return False
    doc["FDCJYJG"] = _scaled(doc["FDCJYJG"], Decimal("0.8"))
    return True


def late_change(dataset: str, event_field: str) -> Injector:
    """Let a record change lately although what it tells happened long before."""

    def inject(doc: Document, random: Random, today: date) -> bool:
        event = (doc.get(event_field) or "").replace("-", "")[:6]
        limit = today - timedelta(days=OLD_EVENT_DAYS)
        if not event or event >= f"{limit:%Y%m}":
            return False
        days = random.randint(3, 9)
        old = read_stamp(dataset, doc)
        late = datetime.combine(today - timedelta(days=days), old.time())
        if old >= late:
            return False
        stamp(dataset, doc, late)
        return True

    return inject


def _scaled(value: str | float, factor: Decimal) -> str | float:
    """Multiply and keep the form: six places in a text, two in a number."""
    result = Decimal(str(value)) * factor
    if isinstance(value, str):
        return str(result.quantize(Decimal("0.000001")))
    return float(result.quantize(Decimal("0.01")))
