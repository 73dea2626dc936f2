"""Contracts and batches for the tests of validation, made without files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import columns_of
from tongban.kernel.contracts import Contract, Field, Rule

NO_CODES = CodeTables(Path("nowhere"))


@dataclass(frozen=True)
class Batch:
    """What normalizing would give."""

    frame: pl.DataFrame
    failures: dict[str, pl.Series] = field(default_factory=dict)
    code_failures: dict[str, pl.Series] = field(default_factory=dict)

    @property
    def source_key(self) -> pl.Series:
        """Keys k0, k1, and so on."""
        return pl.Series([f"k{i}" for i in range(self.frame.height)], dtype=pl.String)


def contract(
    *fields: Field, rules: tuple[Rule, ...] = (), share: float = 1.0, rows: int = 0
) -> Contract:
    """A contract over these fields; the first one is the key."""
    return Contract(
        dataset="thing",
        version="1.0.0",
        label="事物",
        owner="tax",
        key=(fields[0].name,),
        fields=fields,
        rules=rules,
        changed_at=None,
        dirty_share=share,
        dirty_rows=rows,
        rectification_days=5,
        digest="0" * 64,
        path=Path("nowhere/v1.yaml"),
    )


def rule(kind: str, rule_id: str = "the_rule", severity: str = "error", **params: Any) -> Rule:
    """A rule over the fields that its parameters name."""
    named = [
        params[k] for k in ("field", "left", "right", "total", "result", "number") if k in params
    ]
    named += params.get("fields", [])
    fields = tuple(dict.fromkeys(str(name) for name in named))
    return Rule(
        id=rule_id,
        kind=kind,
        fields=fields,
        params=params,
        severity=severity,  # type: ignore[arg-type]
        dimension="conformity",
        description=kind,
    )


def batch(made: Contract, **columns: list[Any]) -> Batch:
    """Columns of a contract; those not given are empty."""
    height = len(next(iter(columns.values())))
    frame = pl.DataFrame(
        {
            name: pl.Series(columns.get(name, [None] * height), dtype=dtype, strict=False)
            for name, dtype in columns_of(made).items()
        }
    )
    return Batch(frame)


def failed(given: Batch, name: str, *rows: int, code: bool = False) -> Batch:
    """The same batch, in which these rows of a field could not be converted."""
    flags = pl.Series([i in rows for i in range(given.frame.height)], dtype=pl.Boolean)
    frame = given.frame.with_columns(pl.when(~flags).then(pl.col(name)).alias(name))
    if code:
        return replace(given, frame=frame, code_failures={name: flags})
    return replace(given, frame=frame, failures={name: flags})
