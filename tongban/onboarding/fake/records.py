"""Records: what the fake holds of each dataset, made so that the dataset's own contract accepts it.

Examples of the mapping that pass in full are varied; what a variation breaks falls back to new keys
alone. Without such examples, values are made from the contract's types. Lists inside a record get
their own records from the child's mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from tongban.kernel.catalog import Catalog
from tongban.kernel.mappings import Mapping as DatasetMapping
from tongban.kernel.systems import System
from tongban.normalize import apply
from tongban.onboarding.fake.days import Days, Stand, stands
from tongban.onboarding.fake.values import Maker
from tongban.onboarding.fake.variation import Row, Variation, as_given
from tongban.onboarding.yamltext import nested
from tongban.rows import DatasetPlan, compile_dataset
from tongban.validate import check

MOST_CHILDREN = 2


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the department would send it."""

    changed: datetime
    document: Row = field(repr=False)


@dataclass(frozen=True, slots=True)
class Holding:
    """All records of one dataset, oldest change first, and how many of them are right.

    `inside` counts the records of the datasets that are read from its pages.
    """

    dataset: str
    records: tuple[Record, ...] = field(repr=False)
    accepted: int
    inside: dict[str, int] = field(default_factory=dict)


def make_holding(
    catalog: Catalog, system: System, dataset: str, *, rows: int, days: Days
) -> Holding:
    """Make the records of one dataset with the lists inside them.

    Raises:
        ConfigInvalid: Mapping or contract cannot be compiled; the fake knows nothing else.
    """
    held = stands(rows, days, f"{system.system}|{dataset}")
    flat, accepted = _flat_rows(catalog, system.system, dataset, held, days.seed)
    children = [name for name, item in system.datasets.items() if item.shares_pages_of == dataset]
    lists = [_Children(catalog, system.system, name, days.seed) for name in children]
    records = []
    for row, stand in zip(flat, held, strict=True):
        document = nested({k: v for k, v in row.items() if v is not None})
        for each in lists:
            each.put_into(document, row, stand)
        records.append(Record(stand.changed, document))
    inside = {each.dataset: each.made for each in lists}
    return Holding(dataset, tuple(records), accepted, inside)


def _flat_rows(
    catalog: Catalog, system: str, dataset: str, held: Sequence[Stand], seed: int
) -> tuple[list[Row], int]:
    """One flat row per stand, and how many of them the contract accepts."""
    plan = compile_dataset(catalog, system, dataset)
    mapping = catalog.mapping(system, dataset)
    bases = accepted_examples(plan, mapping)
    if not bases:
        maker = Maker(plan.contract, catalog.codes, system)
        rows = [_made(mapping, maker, stand.number, stand.changed) for stand in held]
        return rows, sum(judged(plan, rows))
    vary = Variation(plan, mapping, bases, seed)
    rows = [vary.turned(stand) for stand in held]
    good = judged(plan, rows)
    others: list[Callable[[Stand], Row]] = [
        *(partial(vary.turned, step=step) for step in range(1, len(bases))),
        *(vary.row, vary.careful),
    ]
    for another in others:  # what a variation breaks falls back
        wrong = [at for at, is_good in enumerate(good) if not is_good]
        instead = [another(held[at]) for at in wrong]
        for at, row, fits in zip(wrong, instead, judged(plan, instead), strict=True):
            if fits:
                rows[at], good[at] = row, True
    return rows, sum(good)


def accepted_examples(plan: DatasetPlan, mapping: DatasetMapping) -> list[Row]:
    """Examples of a mapping that its contract accepts as they stand."""
    given = [dict(item.get("given") or {}) for item in mapping.examples]
    return [row for row, ok in zip(given, judged(plan, given), strict=True) if ok]


def judged(plan: DatasetPlan, rows: Sequence[Row]) -> list[bool]:
    """For each flat row whether mapping and contract let it pass."""
    if not rows:
        return []
    columns = [
        pl.Series(name, [_cell(row.get(name)) for row in rows], dtype=pl.String)
        for name in plan.shape.fields
    ]
    found = check(plan.validate, apply(plan.normalize, pl.DataFrame(columns)), refuse_dirty=False)
    good = set(found.accepted_rows.to_list())
    return [number in good for number in range(len(rows))]


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _made(mapping: DatasetMapping, maker: Maker, number: int, moment: datetime) -> Row:
    """A row from the contract's types alone."""
    row: Row = {}
    for item in mapping.fields.values():
        for source in item.sources[:1]:
            row.setdefault(source, maker.value(item, number, moment))
    for source in mapping.source_key:
        row.setdefault(source, f"{number + 1:06d}")
    return row


class _Children:
    """Makes the list inside each record that another dataset is read from."""

    def __init__(self, catalog: Catalog, system: str, dataset: str, seed: int) -> None:
        plan = compile_dataset(catalog, system, dataset)
        self.dataset = dataset
        self.made = 0
        self._mapping = catalog.mapping(system, dataset)
        self._maker = Maker(plan.contract, catalog.codes, system)
        bases = accepted_examples(plan, self._mapping)
        self._vary = Variation(plan, self._mapping, bases, seed) if bases else None
        self._path = self._mapping.explode or ""

    def put_into(self, document: Row, parent: Row, stand: Stand) -> None:
        """Add the list, with one or two elements, to a record."""
        if not self._path:
            return
        items = []
        for position in range(1 + stand.number % MOST_CHILDREN):
            at = stand.number * MOST_CHILDREN + position
            if self._vary is not None:
                row = self._vary.row(stand, number=at)
            else:
                row = _made(self._mapping, self._maker, at, stand.changed)
            prefix = f"{self._path}."
            own = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
            for source in self._mapping.source_key:
                if source.startswith(prefix):
                    name = source.removeprefix(prefix)
                    own[name] = as_given(str(position + 1), own.get(name))
            items.append(nested({k: v for k, v in own.items() if v is not None}))
            for source, value in row.items():  # what the parent's own mapping does not read
                if not source.startswith(prefix) and source not in parent and value is not None:
                    document.setdefault(source, value)
        self.made += len(items)
        _put(document, self._path, items)


def _put(document: Row, path: str, value: Any) -> None:
    """Set a value at a dotted path."""
    *heads, last = path.split(".")
    for head in heads:
        document = document.setdefault(head, {})
    document[last] = value
