"""Inserts: new records that appear at the departments after the base population.

Each one is like an existing neighbour, with a key of its own and yesterday's date, and as valid as
that neighbour. Running numbers start where the base population cannot reach.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.city.build import City
from sandbox.city.timeline import add_years
from sandbox.datasets import Document, key_of
from sandbox.identifiers import mortgage_proof_no
from sandbox.state import to_json

INSERTABLE = {
    "tax": ("deed_tax_payment",),
    "registration": ("mortgage",),
    "housing": ("house_unit",),
    "social": ("contribution", "person_insurance"),
    "market": ("enterprise_person",),
    "substation": ("evaluation",),
}
TRIES = 60


@dataclass(frozen=True, slots=True)
class _Moment:
    """When the record appears: the day, the last closed book month, and a running number."""

    day: date
    month: str
    number: int


def new_record(
    dataset: str, city: City, random: Random, number: int, used: set[tuple[str, str]]
) -> Document | None:
    """Make one new record of `dataset`, or None if no neighbour serves as its model.

    Args:
        dataset: A dataset named in `INSERTABLE`.
        city: The city; its records are not changed.
        random: The stream to pick from.
        number: The change number, different for every call of one system.
        used: Records that are no models (they may be wrong) and keys that are taken; the new key
            is added.
    """
    today = city.timeline.today
    last_month = today.replace(day=1) - timedelta(days=1)
    moment = _Moment(today - timedelta(days=1), f"{last_month:%Y%m}", number)
    for _ in range(TRIES):
        model = random.choice(city.records[dataset])
        if (dataset, key_of(dataset, model)) in used:
            continue
        doc = json.loads(to_json(model))
        if not _MAKERS[dataset](doc, moment):
            continue
        record = (dataset, key_of(dataset, doc))
        if record not in used:
            used.add(record)
            return doc  # type: ignore[no-any-return] # json.loads is untyped
    return None


def _payment(doc: Document, at: _Moment) -> bool:
    if doc["SZDM"] == "10119" or doc["ZTBZ"] != "1":
        return False
    doc |= {
        "DZSPHM": f"3620899{at.day:%y}8{at.number:08d}",
        "SZDM": "10113",
        "JKRQ": f"{at.day:%Y%m%d}100000",
    }
    return True


def _mortgage(doc: Document, at: _Moment) -> bool:
    if doc["QSZT"] != "1":
        return False
    doc |= {
        "BDCDJZMH": mortgage_proof_no(at.day.year, 9_000_000 + at.number),
        "YWH": f"{at.day:%Y%m%d}99{at.number:06d}",
        "DJSJ": f"{at.day:%Y-%m-%d}T10:00:00+08:00",
        "ZWLXQSSJ": at.day.isoformat(),
        "ZWLXJSSJ": add_years(at.day, 10).isoformat(),
    }
    return True


def _house_unit(doc: Document, at: _Moment) -> bool:
    if doc["saleState"] != "1":
        return False
    door = f"{5000 + at.number % 5000:04d}"
    doc |= {
        "houseCode": f"FW6208999{at.number:09d}",
        "unitNo": doc["unitNo"][:-4] + door,
        "room": door,
    }
    return True


def _contribution(doc: Document, at: _Moment) -> bool:
    doc |= {"AAE002": at.month, "AAE003": at.month}
    return True


def _person_insurance(doc: Document, _at: _Moment) -> bool:
    if doc["AAE140"] != "110":
        return False
    doc["AAE140"] = "510"
    return True


def _enterprise_person(doc: Document, at: _Moment) -> bool:
    doc |= {"personid": f"P6208999{at.number:09d}", "position": "监事", "share": None}
    return True


def _evaluation(doc: Document, at: _Moment) -> bool:
    doc |= {
        "evalNo": f"PJ{at.day:%Y%m%d}9{at.number:07d}",
        "evalTime": f"{at.day:%Y%m%d}110000",
        "content": "",
    }
    return True


_MAKERS: dict[str, Callable[[Document, _Moment], bool]] = {
    "deed_tax_payment": _payment,
    "mortgage": _mortgage,
    "house_unit": _house_unit,
    "contribution": _contribution,
    "person_insurance": _person_insurance,
    "enterprise_person": _enterprise_person,
    "evaluation": _evaluation,
}
