"""What the contract tests share: the files, the official schema, and rows of examples as frames."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import columns_of
from tongban.kernel.contracts import Contract, Field, load_contract

ROOT = Path(__file__).parents[2]
CODES = CodeTables(ROOT / "mappings" / "codes")
DATASETS = tuple(sorted(path.parent.name for path in (ROOT / "contracts").glob("*/v1.yaml")))


@dataclass(frozen=True)
class ExampleBatch:
    """Example rows in the shape that normalizing gives; nothing failed on the way."""

    frame: pl.DataFrame
    source_key: pl.Series
    failures: dict[str, pl.Series] = field(default_factory=dict)
    code_failures: dict[str, pl.Series] = field(default_factory=dict)


def contract_of(dataset: str) -> Contract:
    """Load the contract of a dataset."""
    return load_contract(ROOT / "contracts" / dataset / "v1.yaml", root=ROOT)


def document_of(dataset: str) -> dict[str, Any]:
    """Read a contract as plain YAML, as another tool would."""
    text = (ROOT / "contracts" / dataset / "v1.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def official_schema() -> dict[str, Any]:
    """Read the ODCS JSON Schema that lies in the wheel."""
    folder = resources.files("open_data_contract_standard")
    schema: dict[str, Any] = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    return schema


def good_rows(dataset: str) -> list[dict[str, Any]]:
    """Rows that the contract must let pass."""
    return _examples(dataset, "good.json")


def bad_rows(dataset: str) -> list[dict[str, Any]]:
    """Rows that the contract must find, each with the ids of the rules that it breaks."""
    return _examples(dataset, "bad.json")


def batch_of(contract: Contract, rows: list[dict[str, Any]]) -> ExampleBatch:
    """Turn example rows into a batch of the contract's columns."""
    types = columns_of(contract)
    columns = {
        item.name: pl.Series(
            item.name, [_typed(item, row[item.name]) for row in rows], dtype=types[item.name]
        )
        for item in contract.fields
    }
    keys = pl.Series("key", [str(at) for at in range(len(rows))])
    return ExampleBatch(pl.DataFrame(columns), keys)


def _examples(dataset: str, name: str) -> list[dict[str, Any]]:
    path = ROOT / "contracts" / dataset / "examples" / name
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def _typed(item: Field, value: Any) -> Any:
    """Read a value of JSON as the field's type."""
    if value is None:
        return None
    match item.type:
        case "decimal":
            return Decimal(value)
        case "date":
            return date.fromisoformat(value)
        case "datetime":
            return datetime.fromisoformat(value)
        case _:
            return value
