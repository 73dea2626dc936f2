"""Deletes: records that their source has deleted, inside the transaction of `tongban.store.load`.

The record leaves its table, its last version goes to the history, `hub.tombstone` keeps the version
that the deletion is, and every subscriber gets an outbox row for it, to be sent with op D. A row
that is not newer than the deletion never brings the record back; a newer one does, and goes on
counting its versions.

A source tells deletions by marked rows, or by leaving rows out of a complete snapshot. The second
may be a mistake of the source's, so a share of its records at which it is refused stands in the
contract. A snapshot says nothing about records that another system provided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy import Connection, text

from tongban.kernel.contracts import Contract
from tongban.kernel.errors import BatchRefused
from tongban.store.copy import copy_frame
from tongban.store.datasets import DATA, HISTORY_SUFFIX, versioned_columns
from tongban.store.leaves import DELETED, packed_sql


class MassDelete(BatchRefused):
    """A snapshot leaves out more records than the contract lets go at once; nothing was written."""

    code = "fatal.mass_delete"


_TEMPORARY = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS chunk_gone (record_id uuid, changed_at timestamptz)
        ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS snapshot_seen (record_id uuid) ON COMMIT DELETE ROWS;
""")
_CLEAR = text("DELETE FROM chunk_gone")
# Equal moments: the source marked the very version that we have.
_STALE = """
    DELETE FROM chunk_gone g USING {table} t
     WHERE t.record_id = g.record_id AND g.changed_at < greatest(t.changed_at, t.confirmed_at)
"""
# The last known change, less the smallest time: the same row may come back in a later snapshot.
_ABSENT = """
    INSERT INTO chunk_gone
    SELECT t.record_id, greatest(t.changed_at, t.confirmed_at) - interval '1 microsecond'
      FROM {table} t
     WHERE NOT EXISTS (SELECT FROM snapshot_seen s WHERE s.record_id = t.record_id)
       AND coalesce(greatest(t.changed_at, t.confirmed_at) < :at, true)
       AND t.transfer_id IN (SELECT transfer_id FROM hub.transfer WHERE system = :system)
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM chunk_gone),
           (SELECT count(*) FROM {table} t
             WHERE t.transfer_id IN (SELECT transfer_id FROM hub.transfer WHERE system = :system))
"""
_LOCK = """
    SELECT count(*) FROM (SELECT FROM {table} t JOIN chunk_gone g ON g.record_id = t.record_id
                           ORDER BY t.record_id FOR UPDATE OF t) locked
"""
_BURY = """
    INSERT INTO hub.tombstone (dataset, record_id, version, changed_at, transfer_id)
    SELECT :dataset, t.record_id, t.version + 1, g.changed_at, :transfer_id
      FROM {table} t JOIN chunk_gone g ON g.record_id = t.record_id
"""
_QUEUE = """
    INSERT INTO hub.outbox (target, dataset, record_id, version)
    SELECT target, :dataset, t.record_id, t.version + 1
      FROM {table} t JOIN chunk_gone g ON g.record_id = t.record_id
     CROSS JOIN unnest(CAST(:targets AS text[])) target
     ORDER BY t.record_id
"""
_ARCHIVE = """
    INSERT INTO {history} ({columns}, replaced_at)
    SELECT {old_columns}, now() FROM {table} t JOIN chunk_gone g ON g.record_id = t.record_id
"""
# A row that was refused needs no correction any more, unless it is newer than the deletion.
_CLOSE_REFUSED = text("""
    UPDATE hub.quarantine q
       SET state = 'resolved', closed_at = now(), closed_by = :transfer_id
      FROM chunk_gone g
     WHERE q.dataset = :dataset AND q.state = 'open' AND q.key_index = g.record_id
       AND q.has_key AND coalesce(g.changed_at >= q.changed_at, true)
""")
_DELETE = """
    WITH gone AS (
        DELETE FROM {table} t USING chunk_gone g WHERE g.record_id = t.record_id
        RETURNING t.record_id, t.version + 1 AS version, t.row_digest)
    SELECT count(*), {leaves} FROM gone
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a source has at one moment, known by its record ids.

    Attributes:
        seen: Record ids (hex) of every row that came, refused ones included.
        at: When the source was asked; what changed later is not expected in it.
    """

    seen: pl.Series = field(repr=False)
    at: datetime


class Seen:
    """The record ids of a snapshot, gathered chunk by chunk.

    A row that was refused is there all the same, if we know which record it is; a row without its
    key could be any record, so then nothing can be known to be absent.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._ids: list[pl.Series] = []
        self._is_complete = True

    def add(self, accepted: pl.Series, quarantine: pl.DataFrame | None) -> None:
        """Note the record ids of a chunk's accepted and refused rows."""
        self._ids.append(accepted)
        if quarantine is not None:
            self._ids.append(quarantine["key_index"])
            self._is_complete &= bool(quarantine["has_key"].all())

    def snapshot(self) -> Snapshot | None:
        """Give the snapshot, or None where some row could not be told."""
        return Snapshot(pl.concat(self._ids).unique(), self._at) if self._is_complete else None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted: how many records, outbox rows, and their leaves for the evidence."""

    records: int = 0
    queued: int = 0
    leaves: bytes = field(default=b"", repr=False)

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(
            records=self.records + other.records,
            queued=self.queued + other.queued,
            leaves=self.leaves + other.leaves,
        )


def delete_marked(
    conn: Connection,
    contract: Contract,
    gone: pl.DataFrame,
    transfer_id: UUID,
    subscribers: Sequence[str],
) -> Deleted:
    """Delete records that the source marks as deleted.

    Args:
        conn: The chunk's transaction, after its live rows were written.
        contract: The dataset's contract.
        gone: `record_id` (hex) and `changed_at`, the time of the deletion or null.
        transfer_id: Which transfer says so.
        subscribers: Targets that must be told.

    Returns:
        What was deleted; a record that is not stored, or changed later, is left alone.
    """
    names = _names(contract)
    begin_deletes(conn)
    copy_frame(conn, "chunk_gone", gone.select("record_id", "changed_at"))
    conn.execute(text(_STALE.format(**names)))
    return _delete(conn, contract, names, transfer_id, subscribers)


def delete_absent(
    conn: Connection,
    contract: Contract,
    snapshot: Snapshot,
    transfer_id: UUID,
    subscribers: Sequence[str],
    *,
    system: str,
) -> Deleted:
    """Delete records that `system` provided and that its complete snapshot has no longer.

    Raises:
        MassDelete: More than the contract's share of its records would be deleted; nothing of
            the chunk is written.
    """
    names = _names(contract)
    begin_deletes(conn)
    copy_frame(conn, "snapshot_seen", snapshot.seen.alias("record_id").to_frame())
    conn.execute(text(_ABSENT.format(**names)), {"at": snapshot.at, "system": system})
    gone, stored = conn.execute(text(_COUNTS.format(**names)), {"system": system}).one()
    if gone > max(contract.delete_rows, contract.delete_share * stored):
        raise MassDelete(
            f"{system}/{contract.dataset}: {gone} of {stored} stored records are not in the "
            "snapshot, the "
            f"contract allows {contract.delete_share:.0%} (from {contract.delete_rows} on); "
            "nothing is deleted; ask the department, then approve it or raise deleteLimit",
            system=system,
            dataset=contract.dataset,
            absent=gone,
            stored=stored,
        )
    return _delete(conn, contract, names, transfer_id, subscribers)


def begin_deletes(conn: Connection) -> None:
    """Make the empty tables in which what is to be deleted is gathered."""
    conn.execute(_TEMPORARY)
    conn.execute(_CLEAR)


def delete_gathered(
    conn: Connection, contract: Contract, transfer_id: UUID, subscribers: Sequence[str]
) -> Deleted:
    """Delete the records of a dataset that were gathered in `chunk_gone`."""
    return _delete(conn, contract, _names(contract), transfer_id, subscribers)


def _names(contract: Contract) -> dict[str, str]:
    """Quoted names for the statements above."""
    columns = versioned_columns(contract)
    return {
        "table": f'{DATA}."{contract.table}"',
        "history": f'{DATA}."{contract.table}{HISTORY_SUFFIX}"',
        "columns": ", ".join(f'"{name}"' for name in columns),
        "old_columns": ", ".join(f't."{name}"' for name in columns),
    }


def _delete(
    conn: Connection,
    contract: Contract,
    names: dict[str, str],
    transfer_id: UUID,
    subscribers: Sequence[str],
) -> Deleted:
    """Bury, queue, archive and delete what stands in `chunk_gone`."""
    facts = {"dataset": contract.dataset, "transfer_id": transfer_id}
    conn.execute(_CLOSE_REFUSED, facts)  # also of what was never stored
    if conn.execute(text(_LOCK.format(**names))).scalar_one() == 0:
        return Deleted()
    conn.execute(text(_BURY.format(**names)), facts)
    queued = 0
    if subscribers:
        targets = {"dataset": contract.dataset, "targets": list(subscribers)}
        queued = conn.execute(text(_QUEUE.format(**names)), targets).rowcount
    conn.execute(text(_ARCHIVE.format(**names)))
    leaves = packed_sql("gone.version", DELETED, "gone")
    records, written = conn.execute(text(_DELETE.format(**names, leaves=leaves))).one()
    return Deleted(records=records, queued=queued, leaves=bytes(written))
