"""The golden corpus: rows of the exchange form, each with the rules that it breaks.

The YAML files beside are the data; every target runs the same rows. A case becomes a real contract
file, so that what is tested is what departments write. `{today}` and its kin stand for moments
that a row cannot name in advance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.records import BEIJING

CORPUS = Path(__file__).parent / "corpus"
CODES = CodeTables(Path(__file__).parents[2] / "mappings" / "codes")
NOW = datetime.now(BEIJING).replace(microsecond=0)
LOGICAL = {
    "decimal": "number",
    "datetime": "timestamp",
    "month": "string",
}
_OPTIONS = {
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "minimum": "minimum",
    "maximum": "maximum",
}


@dataclass(frozen=True)
class Row:
    """One record in its exchange form."""

    why: str
    values: dict[str, Any]
    breaks: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """Fields, rules and rows that belong together."""

    name: str
    kind: str
    fields: tuple[dict[str, Any], ...]
    rules: tuple[dict[str, Any], ...]
    rows: tuple[Row, ...]
    folder: Path

    @cached_property
    def contract(self) -> Contract:
        """The case as a loaded contract file."""
        dataset = "case_" + self.name.rpartition("-")[0]
        path = self.folder / "contracts" / f"{self.name}" / "v1.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            yaml.safe_dump(_document(self, dataset), allow_unicode=True), encoding="utf-8"
        )
        return load_contract(path)


def cases(folder: Path) -> list[Case]:
    """Every case of the corpus; contract files are written below `folder`."""
    found: list[Case] = []
    for path in sorted(CORPUS.glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        for number, item in enumerate(data["cases"]):
            rows = tuple(
                Row(
                    row["why"],
                    {"no": at, **{n: _moved(v) for n, v in row["values"].items()}},
                    tuple(row["breaks"]),
                )
                for at, row in enumerate(item["rows"])
            )
            found.append(
                Case(
                    f"{data['kind']}-{number}",
                    data["kind"],
                    ({"name": "no", "type": "integer", "key": True}, *item["fields"]),
                    tuple(item["rules"]),
                    rows,
                    folder,
                )
            )
    return found


def _moved(value: Any) -> Any:
    """A row's moment that depends on the clock; far enough away for a run over midnight."""
    moments = {
        "{today}": NOW.date().isoformat(),
        "{soon}": (NOW.date() + timedelta(days=2)).isoformat(),
        "{this_month}": NOW.strftime("%Y-%m"),
        "{a_later_month}": (NOW.replace(day=28) + timedelta(days=34)).strftime("%Y-%m"),
        "{now}": NOW.isoformat(),
        "{in_4_minutes}": (NOW + timedelta(minutes=4)).isoformat(),
        "{in_hours}": (NOW + timedelta(hours=9)).isoformat(),
    }
    return moments.get(value, value) if isinstance(value, str) else value


def _document(case: Case, dataset: str) -> dict[str, Any]:
    """The case as an ODCS document."""
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"tongban.{dataset}",
        "name": dataset,
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": f"{case.kind} {case.name}"},
        "schema": [
            {
                "name": dataset,
                "businessName": "样例",
                "properties": [_property(item) for item in case.fields],
                "quality": [_quality(rule) for rule in case.rules],
            }
        ],
        "customProperties": [{"property": "owner", "value": "tax"}],
    }


def _property(item: dict[str, Any]) -> dict[str, Any]:
    kind = item["type"]
    found: dict[str, Any] = {
        "name": item["name"],
        "businessName": item["name"],
        "logicalType": LOGICAL.get(kind, kind),
        "required": item.get("required", False),
        "primaryKey": item.get("key", False),
    }
    if kind == "decimal":
        found["physicalType"] = f"numeric({item['precision']},{item['scale']})"
    options = {theirs: item[ours] for ours, theirs in _OPTIONS.items() if ours in item}
    if options:
        found["logicalTypeOptions"] = options
    custom = {"codeTable": item.get("code_table"), "format": "month" if kind == "month" else None}
    listed = [{"property": name, "value": value} for name, value in custom.items() if value]
    return found | ({"customProperties": listed} if listed else {})


def _quality(rule: dict[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in rule.items() if name not in {"id", "severity"}}
    return {
        "name": rule["id"],
        "type": "custom",
        "engine": "tongban",
        "dimension": "conformity",
        "severity": rule.get("severity", "error"),
        "implementation": body,
    }
