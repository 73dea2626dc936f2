"""Mortgages: loans secured by a unit, in force or cancelled.

A mortgage belongs to a right in force and names its first holder as mortgagor. Amounts are 万元 in
one of two fields, by the kind of mortgage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from sandbox.city.rights import Right, ten_thousands
from sandbox.city.timeline import Timeline, add_years, at_work
from sandbox.datasets import Document, stamp
from sandbox.identifiers import mortgage_proof_no
from sandbox.names import BANKS


@dataclass(frozen=True, slots=True)
class Mortgage:
    """One mortgage; `cancelled` is None while it is in force."""

    number: int
    right: Right
    registered: datetime
    first_day: date
    years: int
    amount: int
    is_maximum: bool
    cancelled: datetime | None


def make_mortgage(random: Random, timeline: Timeline, number: int, right: Right) -> Mortgage:
    """Secure a loan of up to 70 % of the price on `right`."""
    owned = right.entered
    latest = timeline.today - timedelta(days=3)
    day = timeline.day_between(random, owned.date() + timedelta(days=1), latest)
    registered = max(at_work(random, day), owned + timedelta(minutes=5))
    cancelled = None
    if random.random() < 0.15 and (latest - day).days > 60:
        last = timeline.day_between(random, day + timedelta(days=30), latest)
        cancelled = at_work(random, last)
    return Mortgage(
        number=number,
        right=right,
        registered=registered,
        first_day=day - timedelta(days=random.randint(0, 10)),
        years=random.choice((3, 5, 10, 20, 30)),
        amount=right.price * random.randint(30, 70) // 100 // 1_000_000 * 1_000_000 + 1_000_000,
        is_maximum=random.random() < 0.2,
        cancelled=cancelled,
    )


def mortgage_document(random: Random, timeline: Timeline, mortgage: Mortgage) -> Document:
    """Write one mortgage; a field that does not apply is left out."""
    right = mortgage.right
    last_day = add_years(mortgage.first_day, mortgage.years)
    doc: Document = {
        "BDCDJZMH": mortgage_proof_no(mortgage.registered.year, mortgage.number),
        "YWH": f"{mortgage.registered:%Y%m%d}9{mortgage.number:07d}",
        "BDCDYH": right.house.unit_no,
        "DYR": right.holders.parties[0].name,
        "DYQR": random.choice(BANKS),
        "DYFS": "2" if mortgage.is_maximum else "1",
        "ZWLXQSSJ": mortgage.first_day.isoformat(),
        "ZWLXJSSJ": last_day.isoformat(),
        "DJSJ": f"{mortgage.registered:%Y-%m-%dT%H:%M:%S}+08:00",
        "QSZT": "2" if mortgage.cancelled else "1",
    }
    amount_field = "ZGZQSE" if mortgage.is_maximum else "BDBZZQSE"
    doc[amount_field] = ten_thousands(mortgage.amount)
    if mortgage.cancelled:
        doc["ZXSJ"] = f"{mortgage.cancelled:%Y-%m-%dT%H:%M:%S}+08:00"
    last = mortgage.cancelled or mortgage.registered
    stamp("mortgage", doc, timeline.change(random, last))
    return doc
