"""Refused rows, sealed: what the department sent and what we made of it, readable to nobody else.

The findings beside it name rules and fields, never a value. A row with a complete key is bound
to its record id; a row without one is bound to a digest of what was sent, so that the same
broken row that comes again is recognized.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from tongban.kernel.contracts import Contract
from tongban.protect.columns import open_column, seal_column
from tongban.protect.digest import as_text, record_ids
from tongban.protect.frames import changed_at
from tongban.protect.index import keyed_digest
from tongban.protect.keyring import KeyRing

ROW_FIELD = "$row"


def protect_quarantine(
    record: pl.DataFrame,
    given: pl.DataFrame,
    findings: pl.Series,
    contract: Contract,
    keyring: KeyRing,
) -> pl.DataFrame:
    """Seal refused rows for `LoadChunk.quarantine`.

    Args:
        record: Contract columns as far as they could be made, null where not.
        given: The same rows as the source sent them, all text.
        contract: The dataset's contract.
        keyring: Seals with the newest key of the dataset.
        findings: Per row a JSON list of `{"rule": …, "field": …}`; no values.

    Returns:
        `key_index`, `row_digest` (hex), `has_key`, `changed_at`, `row_sealed`, `findings`.
    """
    sent = given.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    texts = [as_text(f, record.schema[f.name]) for f in contract.fields if f.name in record.columns]
    made = record.select(pl.struct(texts).struct.json_encode()).to_series()
    rows = [
        f'{{"given":{a},"record":{b}}}' for a, b in zip(sent.to_list(), made.to_list(), strict=True)
    ]
    digest = keyed_digest(keyring.derived(f"quarantine:{contract.dataset}"))
    digests = [digest(row.encode()) for row in sent.to_list()]
    has_key = record.select(
        pl.all_horizontal(pl.col(name).is_not_null() for name in contract.key)
    ).to_series()
    # Equal rows without a whole key are one row, unless the part that is there tells them apart:
    # two systems that provide one dataset differ in it.
    parts = record.select(
        pl.concat_str(
            [pl.col(name).cast(pl.String) for name in contract.key],
            ignore_nulls=True,
            separator="|",
        )
    ).to_series()
    keys = [
        key if complete else (digest(f"{part}|{row}".encode()) if part else alone)
        for key, complete, alone, part, row in zip(
            record_ids(keyring, contract, record),
            has_key.to_list(),
            digests,
            parts.to_list(),
            sent.to_list(),
            strict=True,
        )
    ]
    sealed = seal_column(keyring, rows, contract.dataset, ROW_FIELD, keys)
    return pl.DataFrame(
        {
            "key_index": pl.Series(keys, dtype=pl.Binary).bin.encode("hex"),
            "row_digest": pl.Series(digests, dtype=pl.Binary).bin.encode("hex"),
            "has_key": has_key,
            "changed_at": changed_at(record, contract),
            "row_sealed": pl.Series(sealed, dtype=pl.Binary),
            "findings": findings,
        }
    )


def open_quarantine(
    keyring: KeyRing, dataset: str, key_index: bytes, row_sealed: bytes
) -> dict[str, Any]:
    """One refused row: `{"given": …, "record": …}`.

    Raises:
        KeyUnknown, EnvelopeBroken: As for every envelope.
    """
    text = open_column(keyring, [row_sealed], dataset, ROW_FIELD, [key_index])[0]
    found: dict[str, Any] = json.loads(text or "{}")
    return found
