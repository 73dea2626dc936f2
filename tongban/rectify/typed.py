"""Typed: corrected rows, all text, as the contract's columns — no mapping, no guessing.

A file of corrections is written in the contract's own words, so there is nothing to map: each text
becomes its field's type, or it is a failure that the contract's own rules then name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import dtype_of
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.records import BEIJING

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "是": True, "否": False}


@dataclass(frozen=True, slots=True)
class TypedRows:
    """Rows in the contract's types, and which of their texts were lost."""

    frame: pl.DataFrame = field(repr=False)
    failures: Mapping[str, pl.Series] = field(repr=False)
    code_failures: Mapping[str, pl.Series] = field(repr=False)

    def take(self, rows: Sequence[int]) -> TypedRows:
        """Some of the rows, in that order."""
        chosen = list(rows)
        return TypedRows(
            self.frame[chosen],
            {name: flags[chosen] for name, flags in self.failures.items()},
            {name: flags[chosen] for name, flags in self.code_failures.items()},
        )


def typed(
    rows: Sequence[Mapping[str, str | None]], contract: Contract, codes: CodeTables
) -> TypedRows:
    """Read every text as its field's type."""
    columns: list[pl.Series] = []
    failures: dict[str, pl.Series] = {}
    code_failures: dict[str, pl.Series] = {}
    for item in contract.fields:
        texts = [row.get(item.name) for row in rows]
        values = [_value(item, text) for text in texts]
        columns.append(pl.Series(item.name, values, dtype=dtype_of(item), strict=False))
        lost = [
            text is not None and value is None for text, value in zip(texts, values, strict=True)
        ]
        if any(lost):
            failures[item.name] = pl.Series(item.name, lost, dtype=pl.Boolean)
        if item.code_table is not None:
            known = codes.known(item.code_table)
            strange = [value is not None and value not in known for value in values]
            if any(strange):
                code_failures[item.name] = pl.Series(item.name, strange, dtype=pl.Boolean)
    return TypedRows(pl.DataFrame(columns), failures, code_failures)


def _value(item: Field, text: str | None) -> Any:
    """One value, or None when the text is not of the type."""
    if text is None:
        return None
    try:
        return _read(item, text)
    except (ValueError, InvalidOperation, OverflowError):
        return None


def _read(item: Field, text: str) -> Any:
    """One value.

    Raises:
        ValueError, InvalidOperation: The text is not of the type.
    """
    reader = _READERS.get(item.type)
    return text if reader is None else reader(item, text)


def _decimal(item: Field, text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or value != round(value, item.scale if item.scale is not None else 2):
        raise ValueError(item.name)  # rounding is not ours to do
    return value


def _date(item: Field, text: str) -> date:
    if len(text) not in {len("2018-10-08"), len("2018-10-08 00:00:00")}:
        raise ValueError(item.name)
    return date.fromisoformat(text[:10])


def _moment(_: Field, text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def _month(_: Field, text: str) -> str:
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=BEIJING).strftime("%Y-%m")


_READERS: dict[str, Callable[[Field, str], Any]] = {
    "integer": lambda _, text: int(text),
    "decimal": _decimal,
    "date": _date,
    "datetime": _moment,
    "boolean": lambda _, text: _BOOLEANS.get(text.strip().lower()),
    "month": _month,
}
