"""Kept columns: the little of each dataset that comparisons between departments need.

Names are kept as hashes, so that no plain name outlives its chunk; persons are blind indexes.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tongban.quality.refused import RefusedRows
from tongban.quality.stored import StoredRows

NEEDED: dict[str, tuple[str, ...]] = {
    "sale_contract": ("contract_no", "unit_no", "total_price", "recorded_at", "status"),
    "sale_contract_party": ("contract_no", "role", "name", "id_no_index", "share"),
    "deed_tax_payment": (
        "contract_no", "payer_name", "payer_id_no_index", "tax_kind", "tax_base", "status",
        "paid_at",
    ),
    "real_estate_right": (
        "business_no", "contract_no", "price", "registered_at", "registration_type", "right_status",
    ),
    "right_holder": ("business_no", "name", "id_no_index", "share"),
    "taxpayer": ("credit_code", "taxpayer_name"),
    "unit_insurance": ("credit_code", "unit_name"),
    "enterprise": ("credit_code", "name"),
}  # fmt: skip
"""Dataset → columns that the checks need; everything else is forgotten at once."""
_NAMES = ("name", "payer_name", "taxpayer_name", "unit_name")
_KEYS_OF_REFUSED = ("contract_no", "business_no", "unit_no")

Frames = Mapping[str, pl.DataFrame]


class Kept:
    """The few columns that comparisons need, gathered while an audit reads everything."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pl.DataFrame]] = {name: [] for name in NEEDED}
        self._refused: dict[str, pl.DataFrame] = {}
        self._frames: dict[str, pl.DataFrame] | None = None

    def add(self, dataset: str, rows: StoredRows) -> None:
        """Keep what is needed of one chunk; names become hashes."""
        if dataset not in NEEDED:
            return
        columns = [rows.tokens.alias("token")]
        for name in NEEDED[dataset]:
            column = rows.indexes[name] if name in rows.indexes.columns else rows.frame[name]
            columns.append(column.hash().alias(name) if name in _NAMES else column)
        self._parts[dataset].append(pl.DataFrame(columns))

    def add_refused(self, dataset: str, rows: RefusedRows) -> None:
        """Keep the keys of refused rows, to know what is incomplete without them."""
        if dataset in NEEDED:
            names = [name for name in _KEYS_OF_REFUSED if name in rows.frame.columns]
            self._refused[dataset] = rows.frame.select(names)

    @property
    def frames(self) -> Frames:
        """Dataset → token and needed columns of all stored rows."""
        if self._frames is None:
            self._frames = {
                name: pl.concat(parts) if parts else pl.DataFrame()
                for name, parts in self._parts.items()
            }
        return self._frames

    @property
    def refused(self) -> Frames:
        """Dataset → keys of its refused rows."""
        return self._refused
