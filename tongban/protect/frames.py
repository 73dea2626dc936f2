"""Frames: a validated frame made ready for the store, and a stored frame made readable.

Digests and ids are computed for every row; values are sealed only for the rows that the store
asks for, since most rows of most transfers have not changed and are never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from tongban.kernel.contracts import Contract, Field
from tongban.protect.columns import open_column, seal_column
from tongban.protect.digest import as_text, record_ids, row_digests
from tongban.protect.index import blind_index
from tongban.protect.keyring import KeyRing

INDEX_SUFFIX = "_index"


@dataclass(frozen=True, slots=True)
class ProtectedFrame:
    """Accepted rows of one chunk, one per key; plain values never leave this object.

    Attributes:
        ids: Distinct rows sorted by `record_id`: `ord` (row of the frame), `record_id` and
            `row_digest` (lower hex), `changed_at`.
        duplicates: Rows that gave way to a newer row of the same key.
    """

    contract: Contract
    ids: pl.DataFrame = field(repr=False)
    duplicates: int
    _frame: pl.DataFrame = field(repr=False)
    _keyring: KeyRing = field(repr=False)

    @property
    def height(self) -> int:
        """Number of distinct rows."""
        return self.ids.height

    def sealed(self, rows: pl.Series | None = None) -> pl.DataFrame:
        """Columns of the dataset's table for some rows, ready to be written.

        Args:
            rows: Values of `ids["ord"]`; None for all rows. Order is kept.

        Returns:
            `record_id`, `row_digest` (hex), `changed_at`, contract columns (classified ones as
            envelopes) and `<field>_index` columns of indexed classified fields.
        """
        ids = self.ids
        if rows is not None:
            ids = rows.to_frame("ord").join(ids, on="ord", how="left", maintain_order="left")
        plain = self._frame[ids["ord"]]
        keys = _bytes(ids["record_id"])
        columns = [ids["record_id"], ids["row_digest"]]
        if "changed_at" not in self.contract.by_name:
            columns.append(ids["changed_at"])
        for item in self.contract.fields:
            if item.name not in plain.columns:
                continue
            if not item.is_classified:
                columns.append(plain[item.name])
                continue
            texts = _texts(plain, item)
            sealed = seal_column(self._keyring, texts, self.contract.dataset, item.name, keys)
            columns.append(pl.Series(item.name, sealed, dtype=pl.Binary))
            if item.index:
                found = blind_index(self._keyring, item.index, texts)
                columns.append(pl.Series(item.name + INDEX_SUFFIX, found, dtype=pl.Binary))
        return pl.DataFrame(columns)


def protect_frame(
    frame: pl.DataFrame,
    contract: Contract,
    keyring: KeyRing,
    *,
    children: Sequence[tuple[ProtectedFrame, Mapping[str, str]]] = (),
) -> ProtectedFrame:
    """Compute ids and digests of accepted rows, and drop older rows of the same key.

    Args:
        frame: Contract columns in the contract's types; key fields not null.
        contract: The dataset's contract.
        keyring: Gives the keys, now and when rows are sealed.
        children: Records that are part of these (child field → field here): a change in a child
            then is a change of its parent, so that the parent is delivered again.
    """
    extra = _children_text(frame, children) if children else None
    ids = pl.DataFrame(
        {
            "ord": pl.int_range(frame.height, dtype=pl.Int64, eager=True),
            "record_id": _hex(record_ids(keyring, contract, frame)),
            "row_digest": _hex(row_digests(keyring, contract, frame, extra)),
            "changed_at": changed_at(frame, contract),
        }
    ).sort("record_id", "changed_at", "ord")
    # The newest row of a key is the last of its run; of equally new ones the last received.
    kept = ids.filter((pl.col("record_id") != pl.col("record_id").shift(-1)).fill_null(value=True))
    return ProtectedFrame(
        contract=contract,
        ids=kept,
        duplicates=ids.height - kept.height,
        _frame=frame,
        _keyring=keyring,
    )


def open_frame(
    frame: pl.DataFrame,
    contract: Contract,
    keyring: KeyRing,
    fields: Iterable[str] | None = None,
) -> pl.DataFrame:
    """Make stored rows readable: only the named fields, in the contract's types.

    Args:
        frame: Columns as stored, with `record_id` as 16 bytes or as hex text.
        contract: The dataset's contract.
        keyring: Must hold the keys that the envelopes name.
        fields: Which fields; None for all that the frame has.

    Raises:
        KeyUnknown: An envelope names a key that the ring has not.
        EnvelopeBroken: An envelope was changed, cut, or belongs to another record.
    """
    wanted = [f for f in contract.fields if f.name in frame.columns]
    if fields is not None:
        names = set(fields)
        wanted = [f for f in wanted if f.name in names]
    keys = _bytes(frame["record_id"])
    columns = [
        _typed(
            pl.Series(
                item.name,
                open_column(keyring, frame[item.name].to_list(), contract.dataset, item.name, keys),
                dtype=pl.String,
            ),
            item,
        )
        if item.is_classified
        else frame[item.name]
        for item in wanted
    ]
    return pl.DataFrame(columns)


def _children_text(
    frame: pl.DataFrame, children: Sequence[tuple[ProtectedFrame, Mapping[str, str]]]
) -> pl.Series:
    """Per row, the digests of all its children in one order-free text."""
    result = pl.Series("$children", [""] * frame.height, dtype=pl.String)
    for child, on in children:
        rows = child._frame[child.ids["ord"]].select(*on).with_columns(child.ids["row_digest"])  # noqa: SLF001
        together = rows.group_by(list(on)).agg(pl.col("row_digest").sort().str.join(""))
        found = frame.select(*on.values()).join(
            together,
            left_on=list(on.values()),
            right_on=list(on),
            how="left",
            maintain_order="left",
        )
        result = result + "|" + found["row_digest"].fill_null("")
    return result


def changed_at(frame: pl.DataFrame, contract: Contract) -> pl.Series:
    """The source's change time, null where the contract has none."""
    if contract.changed_at is None:
        return pl.Series("changed_at", [None] * frame.height, dtype=pl.Datetime("us", "UTC"))
    found = frame[contract.changed_at]
    if isinstance(found.dtype, pl.Date):
        found = found.cast(pl.Datetime("us"))
    if isinstance(found.dtype, pl.Datetime) and found.dtype.time_zone is None:
        found = found.dt.replace_time_zone("Asia/Shanghai", ambiguous="earliest")
    return found.dt.convert_time_zone("UTC").dt.cast_time_unit("us").alias("changed_at")


def _texts(plain: pl.DataFrame, item: Field) -> list[str | None]:
    texts: list[str | None] = (
        plain.select(as_text(item, plain.schema[item.name])).to_series().to_list()
    )
    return texts


def _typed(texts: pl.Series, item: Field) -> pl.Series:
    """Opened text in the contract's type."""
    if item.type == "integer":
        return texts.cast(pl.Int64)
    if item.type == "decimal":
        return texts.cast(pl.Decimal(item.precision or 38, item.scale or 0))
    if item.type == "date":
        return texts.str.to_date("%Y-%m-%d")
    if item.type == "datetime":
        moments = texts.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        return moments.dt.convert_time_zone("Asia/Shanghai")
    if item.type == "boolean":
        return texts == "true"
    return texts


def _hex(values: list[bytes]) -> pl.Series:
    """Digests as lower hex, one call for all."""
    return pl.Series(values, dtype=pl.Binary).bin.encode("hex")


def _bytes(ids: pl.Series) -> list[bytes]:
    """Record ids as 16 bytes each."""
    if ids.dtype == pl.String:
        ids = ids.str.replace_all("-", "", literal=True).str.decode("hex")
    values: list[bytes] = ids.to_list()
    return values
