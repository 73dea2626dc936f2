"""Records: what the fake holds of each dataset, made so that the dataset's own contract accepts it.

Examples of the mapping that pass in full are varied: new keys, people and moments, the rest as it
is. What a variation breaks falls back to new keys alone. Without such examples, values are made
from the contract's types. Lists inside a record get their own records from the child's mapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from tongban.kernel.catalog import Catalog
from tongban.kernel.mappings import FieldMapping
from tongban.kernel.mappings import Mapping as DatasetMapping
from tongban.kernel.records import BEIJING
from tongban.kernel.systems import System
from tongban.normalize import apply
from tongban.onboarding.fake import people
from tongban.onboarding.fake.values import Maker, first_format, written
from tongban.onboarding.yamltext import nested
from tongban.rows import DatasetPlan, compile_dataset
from tongban.validate import check

SPAN = timedelta(days=30)  # over which the changes of the fake lie, up to its start
MOST_CHILDREN = 2
_DIGITS = re.compile(r"[0-9]+(?=[^0-9]*$)")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the department would send it."""

    changed: datetime
    document: Row = field(repr=False)


@dataclass(frozen=True, slots=True)
class Holding:
    """All records of one dataset, oldest change first, and how many of them are right."""

    dataset: str
    records: tuple[Record, ...] = field(repr=False)
    accepted: int


def make_holding(
    catalog: Catalog, system: System, dataset: str, *, rows: int, now: datetime | None = None
) -> Holding:
    """Make the records of one dataset with the lists inside them.

    Raises:
        ConfigInvalid: Mapping or contract cannot be compiled; the fake knows nothing else.
    """
    moment = now or datetime.now(BEIJING)
    moments = [moment - SPAN * (rows - number) / rows for number in range(rows)]
    flat, accepted = _flat_rows(catalog, system.system, dataset, moments)
    children = [name for name, item in system.datasets.items() if item.shares_pages_of == dataset]
    lists = [_Children(catalog, system.system, name) for name in children]
    records = []
    for number, (row, changed) in enumerate(zip(flat, moments, strict=True)):
        document = nested({k: v for k, v in row.items() if v is not None})
        for each in lists:
            each.put_into(document, row, number, changed)
        records.append(Record(changed, document))
    return Holding(dataset, tuple(records), accepted)


def _flat_rows(
    catalog: Catalog, system: str, dataset: str, moments: Sequence[datetime]
) -> tuple[list[Row], int]:
    """One flat row per moment, and how many of them the contract accepts."""
    plan = compile_dataset(catalog, system, dataset)
    mapping = catalog.mapping(system, dataset)
    maker = Maker(plan.contract, catalog.codes, system)
    bases = accepted_examples(plan, mapping)
    if not bases:
        rows = [_made(mapping, maker, number, at) for number, at in enumerate(moments)]
        return rows, sum(judged(plan, rows))
    kinds = _kinds(plan, mapping)
    full = [_varied(bases[n % len(bases)], kinds, n, at) for n, at in enumerate(moments)]
    least = {
        name: kind for name, kind in kinds.items() if kind == "key" or kind.startswith("moment")
    }
    careful = [_varied(bases[n % len(bases)], least, n, at) for n, at in enumerate(moments)]
    good, also = judged(plan, full), judged(plan, careful)
    rows = [
        a if ok or not fine else b for a, b, ok, fine in zip(full, careful, good, also, strict=True)
    ]
    return rows, sum(ok or fine for ok, fine in zip(good, also, strict=True))


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


def _kinds(plan: DatasetPlan, mapping: DatasetMapping) -> dict[str, str]:
    """Source field → how it differs between records; the rest stays as the example has it."""
    found: dict[str, str] = {}
    for item in mapping.fields.values():
        if len(item.sources) != 1:
            continue
        kind = _kind(plan, item)
        if kind:
            found[item.sources[0]] = kind
    fed = {source for item in mapping.fields.values() for source in item.sources}
    return found | {source: "key" for source in mapping.source_key if source not in fed}


def _kind(plan: DatasetPlan, item: FieldMapping) -> str:
    names = {op.name for op in item.ops}
    target = plan.contract.by_name[item.target]
    rules = {rule.kind for rule in plan.contract.rules if item.target in rule.fields}
    if item.target == plan.contract.changed_at:
        formats = next((op.args for op in item.ops if op.name in {"datetime", "date"}), None)
        return f"moment:{first_format(formats)}"
    if "credit_code" in rules or "credit_code" in names:
        return "credit_code"
    is_code = target.code_table or "code" in names or "in" in rules
    if target.name in plan.contract.key and not is_code and target.type in {"string", "integer"}:
        return "unit_no" if "real_estate_unit" in rules else "key"
    if names & {"resident_id", "id_by_type"} or "resident_id" in rules:
        return "resident_id"
    return "name" if "person_name" in names else ""


def _varied(base: Row, kinds: Mapping[str, str], number: int, moment: datetime) -> Row:
    """A copy of an example with its own key, people and moment."""
    row = dict(base)
    for source, kind in kinds.items():
        value = row.get(source)
        if kind.startswith("moment"):
            pattern = kind.partition(":")[2]
            row[source] = _as_given(written(moment, pattern), value)
        elif value is not None:
            row[source] = _as_given(_another(str(value), kind, number), value)
    return row


def _as_given(text: str, value: Any) -> Any:
    """The text in the type that the example has."""
    return int(text) if type(value) is int and text.lstrip("-").isdigit() else text


def _another(value: str, kind: str, number: int) -> str:
    """A value of the same kind for another record; what is no such thing stays as it is."""
    if kind == "key":
        return numbered(value, number)
    if kind == "credit_code":
        return people.credit_code_of(number)
    if kind == "unit_no":
        return people.unit_no_of(number)
    if kind == "resident_id" and re.fullmatch(r"[0-9]{17}[0-9X]", value):
        return people.resident_id_of(number)
    if kind == "name" and 2 <= len(value.replace(" ", "")) <= 3:  # noqa: PLR2004 - a person's
        return people.name_of(number)
    return value


def numbered(value: str, number: int) -> str:
    """The value with another number at its last digits, as long as before."""
    found = _DIGITS.search(value)
    if found is None:
        return f"{value}{number + 1}"
    digits = found.group()
    modulus = 10 ** len(digits)
    shifted = f"{(int(digits) + number) % modulus:0{len(digits)}d}"
    return value[: found.start()] + shifted + value[found.end() :]


class _Children:
    """Makes the list inside each record that another dataset is read from."""

    def __init__(self, catalog: Catalog, system: str, dataset: str) -> None:
        self._plan = compile_dataset(catalog, system, dataset)
        self._mapping = catalog.mapping(system, dataset)
        self._maker = Maker(self._plan.contract, catalog.codes, system)
        self._bases = accepted_examples(self._plan, self._mapping)
        self._kinds = _kinds(self._plan, self._mapping)
        self._path = self._mapping.explode or ""

    def put_into(self, document: Row, parent: Row, number: int, changed: datetime) -> None:
        """Add the list, with one or two elements, to a record."""
        if not self._path:
            return
        items = []
        for position in range(1 + number % MOST_CHILDREN):
            at = number * MOST_CHILDREN + position
            if self._bases:
                row = _varied(self._bases[at % len(self._bases)], self._kinds, at, changed)
            else:
                row = _made(self._mapping, self._maker, at, changed)
            prefix = f"{self._path}."
            own = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
            for source in self._mapping.source_key:
                if source.startswith(prefix):
                    name = source.removeprefix(prefix)
                    own[name] = _as_given(str(position + 1), own.get(name))
            items.append(nested({k: v for k, v in own.items() if v is not None}))
            for source, value in row.items():  # what the parent's own mapping does not read
                if not source.startswith(prefix) and source not in parent and value is not None:
                    document.setdefault(source, value)
        _put(document, self._path, items)


def _put(document: Row, path: str, value: Any) -> None:
    """Set a value at a dotted path."""
    *heads, last = path.split(".")
    for head in heads:
        document = document.setdefault(head, {})
    document[last] = value
