"""Records of one chunk: compare by digest first, then write only what is new or changed.

Inside the transaction of `tongban.store.load`. Only ids, digests and change times travel for
every row; equal rows never leave the client. Verdicts:

    new      no record of that key            → COPYed into the table
    changed  other content, not older         → old version to history, version + 1
    touched  equal content, newer time        → `confirmed_at`, else nothing
    same     equal content                    → nothing
    stale    other content, older; or equally old and replaced before (a replay) → nothing
    returned deleted before and newer      → as new, its versions go on; counted as changed
    again    this same transfer wrote the stored version already → nothing, a duplicate
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import polars as pl
from sqlalchemy import Connection, TextClause, text

from tongban.kernel.contracts import Contract
from tongban.store.copy import copy_frame
from tongban.store.datasets import DATA, HISTORY_SUFFIX, versioned_columns
from tongban.store.leaves import CHANGED, NEW, packed, packed_sql

_HUB_COLUMNS = ("record_id", "version", "transfer_id", "stored_at", "confirmed_at")

_TEMPORARY = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS chunk_key (
        pos integer, record_id uuid, row_digest bytea, changed_at timestamptz
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS chunk_verdict (
        pos integer, record_id uuid, changed_at timestamptz, verdict text
    ) ON COMMIT DELETE ROWS;
""")
# The keys of a chunk are few against the table: probe its primary key, never scan it.
_PROBE = text("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
_PLAN_FREELY = text("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")

_JUDGE = """
    INSERT INTO chunk_verdict
    SELECT k.pos, k.record_id, k.changed_at, CASE
        WHEN t.record_id IS NULL THEN 'new'
        WHEN t.row_digest = k.row_digest AND k.changed_at > greatest(t.changed_at, t.confirmed_at)
            THEN 'touched'
        WHEN t.transfer_id = :transfer_id AND (t.row_digest = k.row_digest
            OR k.changed_at < greatest(t.changed_at, t.confirmed_at)) THEN 'again'
        WHEN k.changed_at < greatest(t.changed_at, t.confirmed_at) THEN 'stale'
        WHEN k.changed_at = greatest(t.changed_at, t.confirmed_at) AND EXISTS (
            SELECT FROM {history} h WHERE h.record_id = k.record_id
               AND h.row_digest = k.row_digest AND h.changed_at = k.changed_at) THEN 'stale'
        ELSE 'changed' END
      FROM chunk_key k LEFT JOIN {table} t ON t.record_id = k.record_id
     WHERE t.record_id IS NULL OR t.row_digest <> k.row_digest OR t.transfer_id = :transfer_id
        OR k.changed_at > greatest(t.changed_at, t.confirmed_at)
"""
# Only where something of the dataset was deleted: a row that is not newer stays deleted.
_ANY_DELETED = text("""
    SELECT EXISTS (SELECT FROM hub.tombstone WHERE dataset = :dataset AND returned_at IS NULL)
""")
_STAY_DELETED = text("""
    UPDATE chunk_verdict v SET verdict = 'stale' FROM hub.tombstone d
     WHERE d.dataset = :dataset AND d.record_id = v.record_id AND d.returned_at IS NULL
       AND v.verdict = 'new' AND v.changed_at <= d.changed_at
""")
_RETURN = """
    WITH back AS (
        UPDATE hub.tombstone d SET returned_at = now() FROM chunk_verdict v
         WHERE d.dataset = :dataset AND d.record_id = v.record_id AND d.returned_at IS NULL
           AND v.verdict = 'new'
        RETURNING d.record_id, d.version),
    renumbered AS (
        UPDATE {table} t SET version = b.version + 1 FROM back b WHERE t.record_id = b.record_id)
    SELECT count(*) FROM back
"""
_VERDICTS = text("""
    SELECT verdict, count(*), CASE WHEN verdict IN ('new', 'changed')
           THEN string_agg(pos::text, ',') END
      FROM chunk_verdict GROUP BY verdict
""")
_TOUCH = """
    UPDATE {table} t SET confirmed_at = v.changed_at
      FROM chunk_verdict v
     WHERE v.verdict = 'touched' AND t.record_id = v.record_id
       AND v.changed_at > greatest(t.changed_at, t.confirmed_at)
"""
_QUEUE_NEW = text("""
    INSERT INTO hub.outbox (target, dataset, record_id, version)
    SELECT target, :dataset, v.record_id, 1
      FROM chunk_verdict v CROSS JOIN unnest(CAST(:targets AS text[])) target
     WHERE v.verdict = 'new' ORDER BY v.pos
""")
_QUEUE_RETURNED = """
    INSERT INTO hub.outbox (target, dataset, record_id, version)
    SELECT target, :dataset, v.record_id, t.version
      FROM chunk_verdict v JOIN {table} t ON t.record_id = v.record_id
     CROSS JOIN unnest(CAST(:targets AS text[])) target
     WHERE v.verdict = 'new' ORDER BY v.pos
"""
_STAGE = (
    "CREATE TEMPORARY TABLE chunk_stage ON COMMIT DROP AS SELECT {columns} FROM {table} LIMIT 0"
)
_LOCK = """
    SELECT count(*) FROM (SELECT FROM {table} t JOIN chunk_stage s ON s.record_id = t.record_id
                           ORDER BY t.record_id FOR UPDATE OF t) locked
"""
_OVERTAKEN = """
    DELETE FROM chunk_stage s USING {table} t
     WHERE t.record_id = s.record_id AND (t.row_digest = s.row_digest
        OR s.changed_at < greatest(t.changed_at, t.confirmed_at))
"""
_ARCHIVE = """
    INSERT INTO {history} ({columns}, replaced_at)
    SELECT {old_columns}, now() FROM {table} t JOIN chunk_stage s ON s.record_id = t.record_id
"""
_REPLACE = """
    WITH done AS (
        UPDATE {table} t SET ({columns}) = ROW({new_columns}), version = t.version + 1,
               transfer_id = :transfer_id, stored_at = now(), confirmed_at = NULL
          FROM chunk_stage s WHERE t.record_id = s.record_id
        RETURNING t.record_id, t.version, t.row_digest)
    SELECT {leaves} FROM done
"""
_NEW_LEAVES = """
    SELECT {leaves} FROM chunk_verdict v JOIN {table} t ON t.record_id = v.record_id
     WHERE v.verdict = 'new'
"""
_QUEUE_CHANGED = """
    INSERT INTO hub.outbox (target, dataset, record_id, version)
    SELECT target, :dataset, t.record_id, t.version
      FROM chunk_stage s JOIN {table} t ON t.record_id = s.record_id
     CROSS JOIN unnest(CAST(:targets AS text[])) target
     ORDER BY t.record_id
"""


class Rows(Protocol):
    """What is needed of `tongban.store.load.ProtectedRows`."""

    @property
    def ids(self) -> pl.DataFrame:
        """Digests of the distinct rows."""
        ...

    def sealed(self, rows: pl.Series | None = None) -> pl.DataFrame:
        """The table's columns of some rows."""
        ...


@dataclass(frozen=True, slots=True)
class RowsWritten:
    """Verdicts of one chunk; `written` holds the leaves of new and changed rows."""

    total: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    stale: int = 0
    touched: int = 0
    again: int = 0
    queued: int = 0
    written: bytes = b""


def write_records(
    conn: Connection,
    contract: Contract,
    rows: Rows,
    transfer_id: UUID,
    subscribers: Sequence[str],
) -> RowsWritten:
    """Write the accepted rows of one chunk and queue what the subscribers must get."""
    names = _names(contract)
    conn.execute(_PROBE)
    dataset = {"dataset": contract.dataset}
    any_deleted = conn.execute(_ANY_DELETED, dataset).scalar_one()
    judged = _judge(conn, rows.ids, names, transfer_id, dataset if any_deleted else None)
    new, changed = judged["new"], judged["changed"]
    queued = returned = overtaken = 0
    written = packed(rows.ids["record_id"][new[1]], rows.ids["row_digest"][new[1]], 1, NEW)
    if new[0]:
        chosen = None if new[0] == rows.ids.height else rows.ids["ord"][new[1]]
        _copy_new(conn, contract, rows.sealed(chosen), transfer_id)
        statement = _QUEUE_NEW
        if any_deleted:
            returned = conn.execute(text(_RETURN.format(**names)), dataset).scalar_one()
            written = _leaves_of_new(conn, names)
            statement = text(_QUEUE_RETURNED.format(**names))
        queued += _queue(conn, statement, contract, subscribers)
    if changed[0]:
        sealed = rows.sealed(rows.ids["ord"][changed[1]])
        overtaken, replaced = _replace(conn, contract, sealed, transfer_id)
        written += replaced
        statement = text(_QUEUE_CHANGED.format(**names))
        queued += _queue(conn, statement, contract, subscribers)
    if judged["touched"][0]:
        conn.execute(text(_TOUCH.format(**names)))
    conn.execute(_PLAN_FREELY)
    total = rows.ids.height
    return RowsWritten(
        total=total,
        new=new[0] - returned,
        changed=changed[0] - overtaken + returned,
        same=total - new[0] - changed[0] + overtaken - judged["again"][0],
        stale=judged["stale"][0] + overtaken,
        touched=judged["touched"][0],
        again=judged["again"][0],
        queued=queued,
        written=written,
    )


def _names(contract: Contract) -> dict[str, str]:
    """Quoted table names for the statements above."""
    return {
        "table": f'{DATA}."{contract.table}"',
        "history": f'{DATA}."{contract.table}{HISTORY_SUFFIX}"',
    }


def _judge(
    conn: Connection,
    ids: pl.DataFrame,
    names: dict[str, str],
    transfer_id: UUID,
    deleted: dict[str, str] | None,
) -> dict[str, tuple[int, pl.Series]]:
    """Per verdict how many rows and, of those to be written, their positions in `ids`.

    `deleted` names the dataset where some record of it was deleted before.
    """
    conn.execute(_TEMPORARY)
    keys = ids.select("record_id", "row_digest", "changed_at").with_row_index("pos")
    copy_frame(conn, "chunk_key", keys)
    conn.execute(text(_JUDGE.format(**names)), {"transfer_id": transfer_id})
    if deleted is not None:
        conn.execute(_STAY_DELETED, deleted)
    nothing = pl.Series("pos", [], dtype=pl.Int64)
    judged = dict.fromkeys(("new", "changed", "touched", "stale", "again"), (0, nothing))
    for verdict, count, positions in conn.execute(_VERDICTS):
        found = nothing
        if positions is not None:
            found = pl.Series("pos", positions.split(",")).cast(pl.Int64).sort()
        judged[verdict] = (count, found)
    return judged


def _leaves_of_new(conn: Connection, names: dict[str, str]) -> bytes:
    """Leaves of new rows where some of them had been there before and go on counting."""
    statement = _NEW_LEAVES.format(**names, leaves=packed_sql("t.version", NEW))
    return bytes(conn.execute(text(statement)).scalar_one())


def _copy_new(conn: Connection, contract: Contract, frame: pl.DataFrame, transfer_id: UUID) -> None:
    """New rows go straight into the table."""
    marked = frame.with_columns(pl.lit(transfer_id.hex).alias("transfer_id"))
    copy_frame(conn, contract.table, marked, schema=DATA)


def _replace(
    conn: Connection, contract: Contract, frame: pl.DataFrame, transfer_id: UUID
) -> tuple[int, bytes]:
    """Changed rows: lock, drop those that were overtaken meanwhile, archive, update.

    Returns:
        How many were overtaken, and the leaves of the others.
    """
    names = _names(contract)
    content = [name for name in frame.columns if name not in _HUB_COLUMNS]
    everything = versioned_columns(contract)
    names |= {
        "columns": ", ".join(f'"{name}"' for name in content),
        "new_columns": ", ".join(f's."{name}"' for name in content),
        "leaves": packed_sql("done.version", CHANGED, "done"),
    }
    staged = {**names, "columns": f"record_id, {names['columns']}"}
    conn.execute(text(_STAGE.format(**staged)))
    copy_frame(conn, "chunk_stage", frame)
    conn.execute(text(_LOCK.format(**names)))
    overtaken = conn.execute(text(_OVERTAKEN.format(**names))).rowcount
    archived = {
        **names,
        "columns": ", ".join(f'"{name}"' for name in everything),
        "old_columns": ", ".join(f't."{name}"' for name in everything),
    }
    conn.execute(text(_ARCHIVE.format(**archived)))
    leaves = conn.execute(text(_REPLACE.format(**names)), {"transfer_id": transfer_id})
    return overtaken, bytes(leaves.scalar_one())


def _queue(
    conn: Connection, statement: TextClause, contract: Contract, subscribers: Sequence[str]
) -> int:
    """Outbox rows for every subscriber; gives how many."""
    if not subscribers:
        return 0
    facts = {"dataset": contract.dataset, "targets": list(subscribers)}
    return conn.execute(statement, facts).rowcount
