"""Digests: the id of a record from its key, and the digest of its content.

`record_id` is a keyed hash of dataset and key in the shape of a UUID (version 8, RFC 9562): the
same in every run, and it tells nothing about the key. `row_digest` is a keyed hash over every
field but the change time; two rows are equal content if and only if it is equal. A field that is
null takes no part, so that a new optional field in a contract changes no old digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import polars as pl

from tongban.kernel.contracts import Contract, Field
from tongban.protect.index import INDEX_LENGTH, keyed_digest
from tongban.protect.keyring import KeyRing

SEPARATOR = "\x1f"
_TO_VERSION_8 = bytes((byte & 0x0F) | 0x80 for byte in range(256))
_TO_VARIANT = bytes((byte & 0x3F) | 0x80 for byte in range(256))


def as_text(field: Field, dtype: pl.DataType) -> pl.Expr:
    """The field as the text that is hashed and sealed; one text per value, null stays null."""
    column = pl.col(field.name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.epoch("us").cast(pl.String)
    if isinstance(dtype, pl.Date) and field.type == "month":
        return column.dt.to_string("%Y-%m")
    if field.type == "decimal" and field.scale is not None and dtype.is_numeric():
        return column.cast(pl.Decimal(38, field.scale)).cast(pl.String)
    return column if dtype == pl.String else column.cast(pl.String)


def record_ids(keyring: KeyRing, contract: Contract, frame: pl.DataFrame) -> list[bytes]:
    """16 bytes per row from dataset and key fields, in row order."""
    texts = [as_text(contract.field(name), frame.schema[name]) for name in contract.key]
    return _ids_of(keyring, contract.dataset, _joined(frame, texts).cast(pl.Binary).to_list())


def record_id_of(keyring: KeyRing, contract: Contract, key: Mapping[str, str]) -> UUID:
    """The record id that belongs to one key, given as text in contract form."""
    frame = pl.DataFrame({name: [key[name]] for name in contract.key})
    return UUID(bytes=record_ids(keyring, contract, frame)[0])


def row_digests(
    keyring: KeyRing, contract: Contract, frame: pl.DataFrame, extra: pl.Series | None = None
) -> list[bytes]:
    """16 bytes per row over every field but the change time.

    Args:
        keyring: Gives the digest key of the dataset.
        contract: Which fields count.
        frame: Contract columns; a field that it has not is taken as null.
        extra: More text per row that belongs to the content (digests of a record's children).
    """
    names = sorted(f.name for f in contract.fields if f.name != contract.changed_at)
    texts = [
        pl.lit(f"{name}=") + as_text(contract.field(name), frame.schema[name])
        for name in names
        if name in frame.columns
    ]
    if extra is not None:
        frame = frame.with_columns(extra.alias("$extra"))
        texts.append(pl.lit("$children=") + pl.col("$extra"))
    digest = keyed_digest(keyring.derived(f"row:{contract.dataset}"))
    return [digest(row) for row in _joined(frame, texts).cast(pl.Binary).to_list()]


def _joined(frame: pl.DataFrame, texts: Sequence[pl.Expr]) -> pl.Series:
    """The texts of each row joined so that different rows always give different texts."""
    columns = [text.alias(f"${i}") for i, text in enumerate(texts)]
    parts = frame.select(columns)
    joined = parts.select(
        pl.concat_str(pl.all(), separator=SEPARATOR, ignore_nulls=True)
    ).to_series()
    found = joined.str.count_matches(SEPARATOR, literal=True)
    if found.sum() == frame.height * (len(columns) - 1) - sum(parts.null_count().row(0)):
        return joined
    # A value holds the separator (or a row is empty): such rows are written as JSON, which escapes
    # it, behind more separators than any other row begins with.
    present = parts.select(pl.sum_horizontal(pl.all().is_not_null())).to_series()
    written = parts.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return (SEPARATOR * len(columns) + written).zip_with(found != present - 1, joined)


def _ids_of(keyring: KeyRing, dataset: str, keys: Sequence[bytes]) -> list[bytes]:
    """Keyed digests as UUIDs; the fixed bits are set for all rows at once."""
    digest = keyed_digest(keyring.derived(f"record:{dataset}"))
    joined = bytearray(b"".join([digest(key) for key in keys]))
    joined[6::INDEX_LENGTH] = joined[6::INDEX_LENGTH].translate(_TO_VERSION_8)
    joined[8::INDEX_LENGTH] = joined[8::INDEX_LENGTH].translate(_TO_VARIANT)
    whole = bytes(joined)
    return [whole[at : at + INDEX_LENGTH] for at in range(0, len(whole), INDEX_LENGTH)]
