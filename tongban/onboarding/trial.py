"""Trial: a mapping tried on a sample, before it is anybody's; nothing is asked and nothing stored.

The sample is a page as the department gives it, read by the system's own decoder, or a plain JSON
list of records. Values are masked as the contract says, before and after; there is no way to see
them whole, since whoever has the sample can look into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from connectors import open_connector
from tongban.kernel.catalog import Catalog, load_catalog
from tongban.kernel.connections import Connection
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import Mapping, check_mapping, load_mapping
from tongban.kernel.records import Decoded
from tongban.normalize import apply, compile_mapping
from tongban.onboarding.preview import PreviewRow, judged
from tongban.rows import DatasetPlan
from tongban.validate import compile_contract

NOWHERE = "http://127.0.0.1:9"  # the connector only decodes; it never opens a socket


@dataclass(frozen=True, slots=True)
class TrialField:
    """One field of one row; values masked.

    Attributes:
        before: The sources' values as they came, in the order of `sources`.
        failed: Operations that lost the value.
        rules: Rules that the row breaks in this field.
    """

    field: str
    sources: list[str]
    before: list[str | None]
    operations: list[str]
    after: str | None
    failed: list[str]
    rules: list[str]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One row; `outcome` is accepted, warned or quarantined."""

    outcome: str
    fields: list[TrialField]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a sample.

    Attributes:
        total: Rows of the sample; `rows` are the first of them.
        unknown_fields: Names in the sample that the mapping neither uses nor ignores.
    """

    system: str
    dataset: str
    total: int
    unknown_fields: list[str]
    rows: list[TrialRow]

    @property
    def is_clean(self) -> bool:
        """Whether there were rows, none would be quarantined and no operation failed."""
        return bool(self.rows) and not any(
            row.outcome == "quarantined" or any(cell.failed for cell in row.fields)
            for row in self.rows
        )


def try_sample(
    root: Path,
    mapping_file: Path,
    sample: Path,
    *,
    contract_file: Path | None = None,
    rows: int = 5,
) -> Trial:
    """Bring a sample's first rows through a mapping and its contract.

    Args:
        root: Project folder; the mapping need not lie in it.
        mapping_file: A mapping of the way in.
        sample: A page by the system's protocol, or a JSON list of records.
        contract_file: The contract; that of the catalog when not given.
        rows: At most so many.

    Raises:
        ConfigInvalid: Mapping, contract and code tables do not fit together, or the sample cannot
            be read.
        AnswerUnreadable: The page is not what the system's protocol says.
    """
    catalog = load_catalog(root)
    mapping, plan = compile_files(catalog, mapping_file, contract_file)
    decoded = _decoded(catalog, mapping, sample)
    frame = decoded.frame.head(rows)
    made = judged(plan, mapping, frame)
    return Trial(
        system=mapping.system,
        dataset=mapping.dataset,
        total=decoded.frame.height,
        unknown_fields=sorted(decoded.unknown_fields),
        rows=[
            TrialRow(row.outcome, list(_fields(mapping, plan, row, frame[i])))
            for i, row in enumerate(made)
        ],
    )


def compile_files(
    catalog: Catalog, mapping_file: Path, contract_file: Path | None = None
) -> tuple[Mapping, DatasetPlan]:
    """A mapping's file and its contract, checked and compiled as for loading.

    Raises:
        ConfigInvalid: They do not fit together; with file:line and a suggestion.
    """
    mapping = load_mapping(mapping_file.absolute(), root=catalog.root)
    contract: Contract = (
        load_contract(contract_file.absolute(), root=catalog.root)
        if contract_file is not None
        else catalog.contract(mapping.dataset)
    )
    check_mapping(mapping, contract, root=catalog.root)
    return mapping, DatasetPlan(
        dataset=contract.dataset,
        contract=contract,
        shape=mapping.shape,
        normalize=compile_mapping(mapping, contract, catalog.codes),
        validate=compile_contract(contract, catalog.codes),
    )


def _fields(
    mapping: Mapping, plan: DatasetPlan, row: PreviewRow, given: pl.DataFrame
) -> Iterator[TrialField]:
    """Each field of one row; a row alone tells which operation failed."""
    lost = apply(plan.normalize, given).failed_operations
    for item in plan.contract.fields:
        made = mapping.fields.get(item.name)
        sources = list(made.sources) if made is not None else []
        yield TrialField(
            field=item.name,
            sources=sources,
            before=[row.source.get(name) for name in sources],
            operations=[op.name for op in made.ops] if made is not None else [],
            after=row.target.get(item.name),
            failed=list(lost.get(item.name, ())),
            rules=[str(found["rule"]) for found in row.findings if found["field"] == item.name],
        )


def _decoded(catalog: Catalog, mapping: Mapping, sample: Path) -> Decoded:
    """A sample as columns of text."""
    try:
        body = sample.read_bytes()
    except OSError as exc:
        raise ConfigInvalid(f"{sample}: {exc.strerror or 'cannot be read'}") from exc
    records = _records(body)
    if records is not None:
        return _listed(mapping, records)
    system = catalog.system(mapping.system)
    name = catalog.name_of(mapping.dataset)
    if name not in system.datasets:
        raise ConfigInvalid(
            f"{mapping.system} does not declare the dataset {name}, so its page cannot be decoded; "
            "give the sample as a JSON list of records"
        )
    here = Connection(system.connection, NOWHERE)
    with open_connector(system, here, catalog.root) as connector:
        return connector.decode(name, body, mapping.shape)


def _records(body: bytes) -> list[dict[str, Any]] | None:
    """The records of a plain JSON list; None where the sample is anything else."""
    try:
        data = json.loads(body, parse_float=str, parse_int=str)  # digits as they were written
    except (ValueError, UnicodeDecodeError):
        return None
    if isinstance(data, list) and data and all(isinstance(item, dict) for item in data):
        return data
    return None


def _listed(mapping: Mapping, records: list[dict[str, Any]]) -> Decoded:
    """Records as columns; nested ones by their dotted paths, one row per exploded element."""
    rows = [row for record in records for row in _rows(record, mapping.explode)]
    names = {name for row in rows for name in row}
    fields = mapping.shape.fields
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in fields},
        schema=dict.fromkeys(fields, pl.String),
    )
    return Decoded(frame, frozenset(names - mapping.shape.known))


def _rows(record: dict[str, Any], explode: str | None) -> Iterator[dict[str, str | None]]:
    """One record flat, or one per element of the exploded list."""
    flat = dict(_flat(record, ""))
    elements = flat.pop(explode, None) if explode is not None else None
    plain = {name: _text(value) for name, value in flat.items()}
    if not isinstance(elements, list):
        yield plain
        return
    for element in elements:
        below = dict(_flat(element, f"{explode}.")) if isinstance(element, dict) else {}
        yield plain | {name: _text(value) for name, value in below.items()}


def _flat(record: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
