"""Stored rows, read in chunks from one snapshot and opened in memory.

COPY as text and Polars' CSV reader: about a microsecond a cell, and memory stays at one chunk.
Rows come in the order of their record ids, so that digests over them can be computed again.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl
from psycopg import sql
from sqlalchemy import Connection, Engine, text

from tongban.kernel.contracts import Contract, Field
from tongban.protect import KeyRing, open_frame
from tongban.store.datasets import DATA, INDEX_SUFFIX
from tongban.store.engine import driver_of

ROWS_PER_CHUNK = 20_000
_NULL = "\x01N"  # no text is this one: control characters do not pass normalization
_ZONE = "Asia/Shanghai"
_TRUE = ("true", "t")  # ours, PostgreSQL's
_SOURCES = text("""
    SELECT DISTINCT system FROM hub.transfer
     WHERE direction = 'pull' AND dataset = :dataset ORDER BY system
""")
_IS_OF = """(CAST(:system AS text) IS NULL
    OR transfer_id IN (SELECT transfer_id FROM hub.transfer WHERE system = :system))"""


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Some rows of one dataset, opened.

    Attributes:
        tokens: Record ids as hex: keyed digests that say nothing without the key.
        frame: The contract's columns in plain; never leaves memory.
        indexes: Blind indexes of indexed classified fields, as hex.
        content: What identifies these versions, for the digest of the audit's inputs.
    """

    tokens: pl.Series = field(repr=False)
    frame: pl.DataFrame = field(repr=False)
    indexes: pl.DataFrame = field(repr=False)
    content: bytes = field(repr=False)


@contextmanager
def snapshot(engine: Engine) -> Generator[Connection]:
    """One unchanging, read-only look at the database."""
    with engine.connect() as fresh:
        conn = fresh.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with conn.begin():
            # It rests while the second engine reads its snapshot, longer than a transfer would.
            conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield conn


def sources_of(conn: Connection, contract: Contract) -> tuple[str, ...]:
    """The systems that have ever brought rows of a dataset, ordered."""
    return tuple(conn.execute(_SOURCES, {"dataset": contract.dataset}).scalars())


def count_stored(conn: Connection, contract: Contract, system: str | None = None) -> int:
    """Rows of a dataset's table, or those of them that one system brought."""
    found: int = conn.execute(
        text(f'SELECT count(*) FROM {DATA}."{contract.table}" WHERE {_IS_OF}'),  # noqa: S608 - our own name
        {"system": system},
    ).scalar_one()
    return found


def read_stored(
    conn: Connection,
    contract: Contract,
    keyring: KeyRing,
    *,
    system: str | None = None,
    rows: int = ROWS_PER_CHUNK,
) -> Iterator[StoredRows]:
    """Every stored row of a dataset in chunks, in the order of record ids.

    With `system`, only those that this system brought.

    Raises:
        EnvelopeBroken: A classified value was changed in the database.
        KeyUnknown: A classified value names a key that the ring has not.
    """
    last = None
    while True:
        raw = _copied(conn, contract, system, after=last, rows=rows)
        if raw.is_empty():
            return
        last = raw["record_id"][-1]
        yield _opened(raw, contract, keyring)
        if raw.height < rows:
            return


def _copied(
    conn: Connection, contract: Contract, system: str | None, *, after: str | None, rows: int
) -> pl.DataFrame:
    """The next rows as columns of text."""
    columns: dict[str, sql.Composable] = {
        "record_id": sql.SQL("replace(record_id::text, '-', '')"),
        "row_digest": sql.SQL("encode(row_digest, 'hex')"),
        "version": sql.SQL("version"),
    }
    for item in contract.fields:
        columns[item.name] = _as_text(item)
        if item.index and item.is_classified:
            name = item.name + INDEX_SUFFIX
            columns[name] = sql.SQL("encode({}, 'hex')").format(sql.Identifier(name))
    where: sql.Composable = sql.SQL("WHERE true")
    if after is not None:
        where += sql.SQL(" AND record_id > {}::uuid").format(sql.Literal(after))
    if system is not None:
        where += sql.SQL(
            " AND transfer_id IN (SELECT transfer_id FROM hub.transfer WHERE system = {})"
        ).format(sql.Literal(system))
    statement = sql.SQL(
        "COPY (SELECT {} FROM {} {} ORDER BY record_id LIMIT {}) TO STDOUT (FORMAT csv, NULL {})"
    ).format(
        sql.SQL(", ").join(columns.values()),
        sql.Identifier(DATA, contract.table),
        where,
        sql.Literal(rows),
        sql.Literal(_NULL),
    )
    buffer = io.BytesIO()
    with driver_of(conn).cursor() as cursor, cursor.copy(statement) as copy:
        for part in copy:
            buffer.write(part)
    schema = dict.fromkeys(columns, pl.String)
    if not buffer.tell():
        return pl.DataFrame(schema=schema)
    buffer.seek(0)
    return pl.read_csv(
        buffer,
        has_header=False,
        schema=schema,
        null_values=[_NULL],
        empty_string_is_null=False,
    )


def _as_text(item: Field) -> sql.Composable:
    """A column in a text form without a doubt."""
    name = sql.Identifier(item.name)
    if item.is_classified:
        return sql.SQL("encode({}, 'hex')").format(name)
    if item.type == "datetime":
        return sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(name)
    return name


def _opened(raw: pl.DataFrame, contract: Contract, keyring: KeyRing) -> StoredRows:
    """Text columns in the contract's types, envelopes opened."""
    columns = [raw["record_id"]]
    for item in contract.fields:
        texts = raw[item.name]
        columns.append(texts.str.decode("hex") if item.is_classified else typed(texts, item))
    plain = open_frame(pl.DataFrame(columns), contract, keyring)
    indexes = raw.select(
        name for name in raw.columns if name.endswith(INDEX_SUFFIX) and name not in contract.by_name
    )
    content = raw.select(
        pl.concat_str("record_id", "version", "row_digest", separator=":")
    ).to_series()
    return StoredRows(
        tokens=raw["record_id"],
        frame=plain,
        indexes=indexes,
        content="\n".join(content.to_list()).encode() + b"\n",
    )


def typed(texts: pl.Series, item: Field) -> pl.Series:
    """Canonical text in the contract's type: moments are microseconds since 1970.

    Text that an older contract wrote in another type becomes null: an error of Polars would quote
    the value.
    """
    match item.type:
        case "integer":
            return texts.cast(pl.Int64, strict=False)
        case "decimal":
            return texts.cast(pl.Decimal(item.precision or 38, item.scale or 0), strict=False)
        case "date":
            return texts.str.to_date("%Y-%m-%d", strict=False)
        case "datetime":
            moments = texts.cast(pl.Int64, strict=False).cast(pl.Datetime("us", "UTC"))
            return moments.dt.convert_time_zone(_ZONE)
        case "boolean":
            flags = pl.when(pl.col("text").is_not_null()).then(pl.col("text").is_in(_TRUE))
            return texts.to_frame("text").select(flags.alias(texts.name)).to_series()
        case _:
            return texts
