"""Column types: the Polars type of each contract field, the same for every verb."""

from __future__ import annotations

from datetime import date

import polars as pl

from tongban.kernel.contracts import Contract, Field

ZONE = "Asia/Shanghai"
DAY_US = 86_400_000_000
EIGHT_HOURS_US = 8 * 3_600_000_000
# From 1992 on Asia/Shanghai is eight hours ahead of UTC and nothing else.
FIXED_OFFSET_SINCE_US = (date(1992, 1, 1) - date(1970, 1, 1)).days * DAY_US


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


def local_days(moments: pl.Series) -> pl.Series:
    """Beijing's calendar day of each moment; exact for the old clocks too, cheap for the new."""
    micros = moments.to_physical()
    earliest = micros.min()
    if isinstance(earliest, int) and earliest < FIXED_OFFSET_SINCE_US:
        return moments.dt.date()
    return ((micros + EIGHT_HOURS_US) // DAY_US).cast(pl.Int32).cast(pl.Date)
