"""Changes: what will be different at the departments after each call to advance.

Most changes touch one harmless field, some insert a record, a few bring a new defect, a few mend an
earlier one. No change touches what another department states too (names, prices, parties), so a
difference between two departments always stays an injected defect.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sandbox.city.build import City
from sandbox.datasets import SYSTEMS, Document, datasets_of, key_of
from sandbox.injection import Injected, RecordId, spoil
from sandbox.inserts import INSERTABLE, new_record
from sandbox.plans import Change
from sandbox.sites import Site, all_sites
from sandbox.state import to_json
from sandbox.truth import TruthLine

PREPARED_SHARE = 0.10  # of all records: ten calls of the default size
FEWEST = 40
KINDS = ("update", "insert", "spoil", "mend")
WEIGHTS = (87, 6, 3, 4)
ONLY_UPDATES = 5  # so that one small call of a demo brings nothing bad

Update = Callable[[Document, Random], None]


def _set(**choices: tuple[object, ...]) -> Update:
    """Set fields to another one of the given values."""

    def update(doc: Document, random: Random) -> None:
        for name, values in choices.items():
            doc[name] = random.choice([value for value in values if value != doc.get(name)])

    return update


def _append(name: str, text: str) -> Update:
    """Append a remark to a text."""

    def update(doc: Document, _random: Random) -> None:
        doc[name] = f"{doc[name] or ''}{text}"

    return update


def _next_version(doc: Document, _random: Random) -> None:
    doc["version"] += 1


def _toggle_status(doc: Document, _random: Random) -> None:
    """Switch a taxpayer between normal and abnormal; a cancelled one gets its settlement noted."""
    if doc["NSRZTDM"] == "07":
        doc["DJJGDM"] = "16208990100"
    else:
        doc["NSRZTDM"] = "05" if doc["NSRZTDM"] == "03" else "03"


def _stop_or_resume(doc: Document, _random: Random) -> None:
    stopped = doc["AAC008"] != "1"
    doc["AAC008"], doc["AAC031"] = ("1", "1") if stopped else ("2", "2")


UPDATES: dict[str, Update] = {
    "deed_tax_payment": _set(SJBH=("SJ0000000901", "SJ0000000902", "-1")),
    "taxpayer": _toggle_status,
    "real_estate_right": _set(DBR=("赵登簿", "孙登簿", "周登簿")),
    "mortgage": _set(DYQR=("甘肃示范银行泾水支行", "示范工商银行望山支行")),
    "right_status": _set(YYZT=("0", "1")),
    "sale_contract": _set(agency=("平凉示范置业经纪有限公司", "平凉望山示范经纪有限公司", None)),
    "house_unit": _append("projectName", "二期"),
    "unit_insurance": _set(AAB034=("62089901", "62089902")),
    "person_insurance": _stop_or_resume,
    "contribution": _set(AAE180=("4120.00", "5230.00", "6340.00")),
    "enterprise": _append("opscope", "新增：会议及展览服务。"),
    "enterprise_person": _set(tel=("13900000001", "13900000002", "13900000003")),
    "online_application": _set(phone=("13900000004", "13900000005")),
    "evaluation": _append("content", "（已回访）"),
    "service_item": _next_version,
}


@dataclass(slots=True)
class _Book:
    """The growing list of one system's changes."""

    system: str
    changes: list[Change] = field(default_factory=list)
    lines: list[TruthLine] = field(default_factory=list)
    to_mend: list[tuple[str, Document]] = field(default_factory=list)  # next one first

    def add(self, dataset: str, doc: Document, line: TruthLine | None = None) -> None:
        number = len(self.changes) + 1
        defect = line.defect if line else None
        self.changes.append(Change(number, dataset, key_of(dataset, doc), doc, defect))
        if line:
            self.lines.append(line)


def plan_changes(
    city: City, injected: Injected, *, with_defects: bool = True
) -> tuple[dict[str, list[Change]], list[TruthLine]]:
    """Prepare the later changes of all systems; with new defects only if asked for.

    Returns:
        The numbered changes of each system, and the truth lines of those that bring a defect.
    """
    plans: dict[str, list[Change]] = {}
    lines: list[TruthLine] = []
    touched = set(injected.taken)
    for system in SYSTEMS:
        book = _plan_system(city, injected, system, touched, with_defects=with_defects)
        plans[system] = book.changes
        lines += book.lines
    return plans, lines


def _plan_system(
    city: City, injected: Injected, system: str, touched: set[RecordId], *, with_defects: bool
) -> _Book:
    random = city.random(f"changes of {system}")
    names = [name for name in datasets_of(system) if city.records[name]]
    sizes = [len(city.records[name]) for name in names]
    sites = {
        name: [
            s
            for s in all_sites()
            if with_defects and s.dataset == name and s.expect == "quarantined"
        ]
        for name in names
    }
    book = _Book(system, to_mend=_mendable(city, injected, system, random))
    wanted = max(FEWEST, round(sum(sizes) * PREPARED_SHARE))
    for at in range(wanted):
        kind = "update" if at < ONLY_UPDATES else random.choices(KINDS, WEIGHTS)[0]
        name = random.choices(names, sizes)[0]
        if kind == "mend" and book.to_mend:
            book.add(*book.to_mend.pop(0))
        elif kind == "insert":
            name = random.choice(INSERTABLE[system])
            doc = new_record(name, city, random, len(book.changes) + 1, touched)
            if doc is not None:
                book.add(name, doc)
        else:
            _touch(city, book, random, name, touched, sites[name] if kind == "spoil" else [])
    return book


def _touch(
    city: City, book: _Book, random: Random, name: str, touched: set[RecordId], sites: list[Site]
) -> None:
    """Change one record that nothing else changes: harmlessly, or for the worse if sites say so."""
    for _ in range(20):
        source = random.choice(city.records[name])
        record = (name, key_of(name, source))
        if record in touched:
            continue
        doc = json.loads(to_json(source))
        line = None
        if sites:
            line = spoil(random.choice(sites), doc, random, city, batch=len(book.changes) + 1)
            if line is None:
                continue
            if random.random() < 0.5:
                book.to_mend.append((name, json.loads(to_json(source))))
        else:
            UPDATES[name](doc, random)
        touched.add(record)
        book.add(name, doc, line)
        return


def _mendable(
    city: City, injected: Injected, system: str, random: Random
) -> list[tuple[str, Document]]:
    """List the clean documents of base records that a contract refuses, in random order."""
    found = {
        line.record
        for line in injected.lines
        if line.system == system and line.expect == "quarantined"
    }
    wrong = sorted(found & injected.clean.keys() - city.protected)
    random.shuffle(wrong)
    return [(dataset, injected.clean[dataset, key]) for dataset, key in wrong]
