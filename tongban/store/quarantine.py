"""Quarantine: refused rows, sealed, at most one open row per key.

Inside the transaction of `tongban.store.load`. A row that comes again unchanged is counted, a
newer refused row replaces the open one, an accepted row that is not older resolves it, and a
refused row that is older than what is stored opens nothing, nor does one that breaks only rules
which a person has waived for its record. Closed rows stay.
"""

from __future__ import annotations

from uuid import UUID

import polars as pl
from sqlalchemy import Connection, text

from tongban.store.copy import copy_frame
from tongban.store.datasets import DATA

_TEMPORARY = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS chunk_quarantine (
        key_index uuid, row_digest bytea, has_key boolean, changed_at timestamptz,
        row_sealed bytea, findings jsonb
    ) ON COMMIT DELETE ROWS
""")
_ANY_OPEN = text("""
    SELECT EXISTS (SELECT FROM hub.quarantine WHERE dataset = :dataset AND state = 'open')
""")
_RESOLVE = text("""
    UPDATE hub.quarantine q
       SET state = 'resolved', closed_at = now(), closed_by = :transfer_id
      FROM chunk_key k
     WHERE q.dataset = :dataset AND q.state = 'open' AND q.key_index = k.record_id
       AND coalesce(k.changed_at >= q.changed_at, true)
       AND NOT EXISTS (SELECT FROM chunk_quarantine c WHERE c.key_index = q.key_index)
""")
_SEEN_AGAIN = text("""
    UPDATE hub.quarantine q
       SET times_seen = q.times_seen + 1, seen_at = now(), findings = c.findings
      FROM chunk_quarantine c
     WHERE q.dataset = :dataset AND q.state = 'open' AND q.key_index = c.key_index
       AND q.row_digest = c.row_digest
""")
_REPLACED = text("""
    UPDATE hub.quarantine q
       SET state = 'replaced', closed_at = now(), closed_by = :transfer_id
      FROM chunk_quarantine c
     WHERE q.dataset = :dataset AND q.state = 'open' AND q.key_index = c.key_index
       AND q.row_digest <> c.row_digest AND coalesce(c.changed_at >= q.changed_at, true)
""")
_OPEN = """
    INSERT INTO hub.quarantine (system, dataset, transfer_id, key_index, has_key, changed_at,
                                row_digest, row_sealed, findings)
    SELECT :system, :dataset, :transfer_id, c.key_index, c.has_key, c.changed_at,
           c.row_digest, c.row_sealed, c.findings
      FROM chunk_quarantine c
     WHERE NOT EXISTS (SELECT FROM hub.quarantine q WHERE q.dataset = :dataset
                          AND q.state = 'open' AND q.key_index = c.key_index)
       AND NOT EXISTS (SELECT FROM {table} t WHERE t.record_id = c.key_index
                          AND greatest(t.changed_at, t.confirmed_at) > c.changed_at)
       AND NOT (EXISTS (SELECT FROM hub.waiver w
                         WHERE w.dataset = :dataset AND w.record_id = c.key_index)
                AND NOT EXISTS (
                    SELECT FROM jsonb_array_elements(c.findings) f
                     WHERE NOT EXISTS (
                        SELECT FROM hub.waiver w
                         WHERE w.dataset = :dataset AND w.record_id = c.key_index
                           AND w.rule = f->>'rule'
                           AND w.expires_on >= (now() AT TIME ZONE 'Asia/Shanghai')::date)))
"""


def write_quarantine(
    conn: Connection,
    system: str,
    dataset: str,
    refused: pl.DataFrame | None,
    transfer_id: UUID,
    *,
    table: str,
    has_accepted: bool,
) -> None:
    """Open, count, replace and resolve quarantine rows of one chunk.

    Args:
        conn: Inside the chunk's transaction, after its records were written.
        system: Where the rows come from.
        dataset: Which dataset.
        refused: From `protect_quarantine`, or None.
        transfer_id: The transfer of the chunk.
        table: The dataset's table in the schema `data`.
        has_accepted: The chunk has accepted rows, whose keys are in `chunk_key`.
    """
    facts = {"dataset": dataset, "transfer_id": transfer_id}
    conn.execute(_TEMPORARY)
    if refused is not None and not refused.is_empty():
        copy_frame(conn, "chunk_quarantine", _newest_per_key(refused))
    if has_accepted and conn.execute(_ANY_OPEN, facts).scalar_one():
        conn.execute(_RESOLVE, facts)
    if refused is None or refused.is_empty():
        return
    conn.execute(_SEEN_AGAIN, facts)
    conn.execute(_REPLACED, facts)
    conn.execute(text(_OPEN.format(table=f'{DATA}."{table}"')), {**facts, "system": system})


def _newest_per_key(refused: pl.DataFrame) -> pl.DataFrame:
    """One row per key, the newest or the last received."""
    return refused.sort("changed_at", maintain_order=True).unique(
        "key_index", keep="last", maintain_order=True
    )
