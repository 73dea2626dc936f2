"""What the mapping tests share: a small synthetic city, read from its state files without a server.

The documents are exactly those that the sandbox systems serve; `columns` brings them into the
shape that the connectors' decoders give (text columns named by their source paths).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.datasets import DATASETS
from sandbox.state import open_state
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.mappings import Mapping, load_mapping
from tongban.normalize import apply, compile_mapping
from tongban.validate import Validated, ValidatePlan, check, compile_contract

ROOT = Path(__file__).parents[2]
CODES = CodeTables(ROOT / "mappings" / "codes")
PULLED = tuple(
    (row.system, name, row.name)
    for row in DATASETS.values()
    for name in (row.name, row.child_dataset)
    if name
)
"""(system, dataset of the hub, dataset in whose documents it travels)."""


@dataclass(frozen=True)
class Pulled:
    """One dataset of the city after mapping and validation."""

    keys: pl.Series
    result: Validated
    plan: ValidatePlan
    unknown_fields: frozenset[str]


def documents(state_dir: Path, system: str, dataset: str) -> list[dict[str, Any]]:
    """Every served document of a dataset, in the order of the state file."""
    connection = open_state(state_dir, system)
    try:
        sql = "SELECT doc FROM record WHERE dataset = ? ORDER BY seq"
        return [json.loads(row[0]) for row in connection.execute(sql, (dataset,))]
    finally:
        connection.close()


def mapping_of(system: str, dataset: str) -> Mapping:
    """Load the mapping of the way in."""
    return load_mapping(ROOT / "mappings" / system / f"{dataset}.yaml", root=ROOT)


def contract_of(dataset: str) -> Contract:
    """Load the contract of a dataset."""
    return load_contract(ROOT / "contracts" / dataset / "v1.yaml", root=ROOT)


def flat_rows(document: dict[str, Any], explode: str | None) -> Iterator[dict[str, str | None]]:
    """A document as rows of text: one, or one per element of the exploded list."""
    plain = {name: _text(v) for name, v in document.items() if not isinstance(v, list)}
    if explode is None:
        yield plain
        return
    for element in document[explode.split(".")[0]]:
        yield {**plain, **{f"{explode}.{name}": _text(v) for name, v in element.items()}}


def columns(rows: list[dict[str, Any]], names: tuple[str, ...]) -> pl.DataFrame:
    """Rows as columns of text, null where the source had none."""
    return pl.DataFrame(
        {name: pl.Series(name, [r.get(name) for r in rows], dtype=pl.String) for name in names}
    )


def pull(state_dir: Path, system: str, dataset: str, parent: str) -> Pulled:
    """Map and validate one dataset of the city."""
    return pull_documents(documents(state_dir, system, parent), system, dataset)


def pull_documents(served: list[dict[str, Any]], system: str, dataset: str) -> Pulled:
    """Map and validate given source documents."""
    mapping, contract = mapping_of(system, dataset), contract_of(dataset)
    rows = [row for document in served for row in flat_rows(document, mapping.explode)]
    normalized = apply(
        compile_mapping(mapping, contract, CODES), columns(rows, mapping.shape.fields)
    )
    plan = compile_contract(contract, CODES)
    seen = {name for row in rows for name in row}
    return Pulled(
        keys=normalized.source_key,
        result=check(plan, normalized, refuse_dirty=False),
        plan=plan,
        unknown_fields=frozenset(seen - mapping.shape.known),
    )


def _text(value: Any) -> str | None:
    """A JSON value as the decoders write it."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
