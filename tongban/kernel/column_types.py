"""Column types: the Polars type of each contract field, the same for every verb."""

from __future__ import annotations

import polars as pl

from tongban.kernel.contracts import Contract, Field

ZONE = "Asia/Shanghai"


def dtype_of(item: Field) -> pl.DataType:
    """The column type of one contract field; months stay text (yyyy-MM)."""
    match item.type:
        case "integer":
            return pl.Int64()
        case "decimal":
            return pl.Decimal(item.precision or 18, item.scale if item.scale is not None else 2)
        case "date":
            return pl.Date()
        case "datetime":
            return pl.Datetime("us", ZONE)
        case "boolean":
            return pl.Boolean()
        case _:
            return pl.String()


def columns_of(contract: Contract) -> dict[str, pl.DataType]:
    """Names and types of a contract's columns in the contract's order."""
    return {item.name: dtype_of(item) for item in contract.fields}
