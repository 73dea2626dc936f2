"""Run one mapping operation over a few cells, the way a compiled mapping would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Field
from tongban.kernel.mappings import Op
from tongban.normalize.operations import compile_operation
from tongban.normalize.steps import Setting
from tongban.normalize.text import clean

DECIMAL = Field(name="amount", label="金额", type="decimal", precision=18, scale=2)
SHARE = Field(name="share", label="份额", type="decimal", precision=9, scale=6)
TEXT = Field(name="thing", label="事物", type="string")


def run(
    name: str,
    cells: list[str | None],
    args: Any = None,
    *,
    field: Field = TEXT,
    codes: Path = Path("nowhere"),
    columns: dict[str, list[str | None]] | None = None,
) -> list[Any]:
    """Give the cells after cleaning and one operation."""
    op = Op(name=name, args=args, where="mappings/tax/thing.yaml:7")
    step = compile_operation(op, "text", Setting(CodeTables(codes), "tax", field))
    sources = {key: pl.Series(value, dtype=pl.String) for key, value in (columns or {}).items()}
    return step.run(clean(pl.Series("thing", cells, dtype=pl.String)), sources).to_list()
