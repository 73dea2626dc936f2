"""COPY: a Polars frame into a table, at the speed of Polars' CSV writer.

Measured for 18 columns with three envelopes: CSV written by Polars 1.7 µs of our CPU per row,
psycopg's binary row writer over 10. Binary travels as hex, moments as UTC with an explicit zone.
"""

from __future__ import annotations

import io

import polars as pl
from psycopg import sql
from sqlalchemy import Connection

from tongban.store.engine import driver_of

# Polars does not quote an empty text, so null needs a word of its own; no text is this one,
# since control characters do not pass normalization.
_NULL = "\x01N"
_HEX_COLUMNS = frozenset({"row_digest"})  # bytea that is hex text in the frame already


def copy_frame(
    conn: Connection, table: str, frame: pl.DataFrame, *, schema: str | None = None
) -> None:
    """Append a frame's rows to a table; column names are the table's."""
    if frame.is_empty():
        return
    buffer = io.BytesIO()
    frame.select(_as_copied(frame)).write_csv(buffer, include_header=False, null_value=_NULL)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL {})").format(
        sql.Identifier(*([schema] if schema else []), table),
        sql.SQL(", ").join(map(sql.Identifier, frame.columns)),
        sql.Literal(_NULL),
    )
    with driver_of(conn).cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getbuffer())


def _as_copied(frame: pl.DataFrame) -> list[pl.Expr]:
    """Each column in a text form that PostgreSQL reads without a doubt."""
    columns: list[pl.Expr] = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Binary):
            column = "\\x" + column.bin.encode("hex")
        elif name in _HEX_COLUMNS:
            column = "\\x" + column
        elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
            utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            column = utc.cast(pl.String) + "+00"
        columns.append(column.alias(name))
    return columns
