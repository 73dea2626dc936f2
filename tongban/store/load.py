"""Load: one chunk of a transfer, one transaction.

    write_chunk(engine, chunk) -> ChunkOutcome

The caller (`tongban.pipeline`) cuts a transfer into chunks of some 20,000 rows, numbers them
1, 2, 3 … and calls `write_chunk` in that order; a run that is repeated from the landing must cut
the same pages into the same chunks, and a chunk that was committed before is skipped. Children
that share their parent's pages are transfers of their own; write the children's chunk first.
A transfer without rows is finished by one empty chunk.

In the transaction: fencing token checked and lease renewed; chunk number taken; rows compared
by digest (equal content writes nothing, an older change never overwrites a newer one); new rows
COPYed, changed rows updated with their old version moved to history; quarantine rows; one outbox
row per subscriber for new and changed rows; counts; cursor on the last chunk; evidence.
Values are sealed here only for the rows that are written, through `ProtectedRows.sealed`.

A key that comes twice: inside a chunk the newest row counts and the others are duplicates; in a
later chunk of the same transfer it is a duplicate when this transfer wrote its newest version.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

from sqlalchemy import Connection, Engine, text

from tongban.kernel.errors import DatabaseUnavailable, Fatal, TongbanError
from tongban.store.chunk import ChunkOutcome, Evidence, LoadChunk, ProtectedRows
from tongban.store.cursors import advance_cursor
from tongban.store.deletes import Deleted, delete_absent, delete_marked
from tongban.store.drifts import hold_push
from tongban.store.engine import DatabaseRefused, transaction
from tongban.store.leases import hold_lease
from tongban.store.leaves import NO_VERSION, QUARANTINED, packed
from tongban.store.parts import delete_parts
from tongban.store.quarantine import write_quarantine
from tongban.store.records import RowsWritten, write_records
from tongban.store.transfers import add_counts

__all__ = [
    "ChunkDiffers",
    "ChunkOutcome",
    "CountsUnbalanced",
    "Evidence",
    "LoadChunk",
    "ProtectedRows",
    "write_chunk",
]

INTEGRITY = "23"
UNIQUE_VIOLATION = "23505"

_TAKE_CHUNK = text("""
    INSERT INTO hub.transfer_chunk (transfer_id, chunk_no, rows, digest)
    VALUES (:transfer_id, :chunk_no, :rows, :digest)
    ON CONFLICT DO NOTHING
""")
_CHUNK_DIGEST = text("""
    SELECT digest FROM hub.transfer_chunk WHERE transfer_id = :transfer_id AND chunk_no = :chunk_no
""")
_CHUNK_COUNT = text("SELECT count(*) FROM hub.transfer_chunk WHERE transfer_id = :transfer_id")
_ADD_FINDING = text("""
    INSERT INTO hub.transfer_finding AS f (transfer_id, rule, severity, rows)
    VALUES (:transfer_id, :rule, :severity, :rows)
    ON CONFLICT (transfer_id, rule, severity) DO UPDATE SET rows = f.rows + excluded.rows
""")


class CountsUnbalanced(Fatal):
    """Rows were lost or doubled between decoding and storing; nothing of the chunk was written."""

    code = "fatal.counts_unbalanced"


class ChunkDiffers(Fatal):
    """A repeated run cut or normalized the pages in another way than the run before."""

    code = "fatal.chunk_differs"


def write_chunk(
    engine: Engine, chunk: LoadChunk, *, evidence: Evidence | None = None
) -> ChunkOutcome:
    """Write one chunk, or skip it when it was committed before.

    Args:
        engine: From `open_engine`.
        chunk: What to write.
        evidence: Called last inside the transaction, for an entry about the chunk.

    Raises:
        FencedOff: A newer worker holds the lease; nothing was written.
        CountsUnbalanced: `read` is not accepted + duplicate + quarantined; nothing was written.
        ChunkDiffers: A chunk of this number with other rows was committed before.
        TransferClosed: The transfer is finished.
        DatabaseUnavailable: Nothing was written; safe to call again with the same chunk.
    """
    _check_counts(chunk)
    try:
        return _transact(engine, chunk, evidence)
    except DatabaseRefused as exc:
        if str(exc.context.get("sqlstate")).startswith(INTEGRITY):
            raise _integrity_error(chunk, exc) from None
        raise


def _transact(engine: Engine, chunk: LoadChunk, evidence: Evidence | None) -> ChunkOutcome:
    """The transaction of `write_chunk`, in the order that makes it safe."""
    started = time.monotonic()
    with transaction(engine) as conn:
        hold_lease(conn, chunk.lease)
        if not _take_chunk(conn, chunk):
            return replace(_nothing(chunk), skipped=True)
        outcome = _write(conn, chunk)
        spent = chunk.work_ms + int((time.monotonic() - started) * 1000)
        _close(conn, chunk, outcome, spent)
        if evidence is not None:
            evidence(conn, outcome)
    return outcome


def _check_counts(chunk: LoadChunk) -> None:
    """Hold what was decoded against what arrived here, before anything is written."""
    accepted = 0 if chunk.rows is None else chunk.rows.ids.height + chunk.rows.duplicates
    refused = 0 if chunk.quarantine is None else chunk.quarantine.height
    if chunk.read != accepted + refused + chunk.gone_read:
        raise CountsUnbalanced(
            f"{_place(chunk)}: {chunk.read} rows were decoded, {accepted} accepted and {refused} "
            "refused; nothing was written, this is a defect of a step before",
            read=chunk.read,
            accepted=accepted,
            refused=refused,
        )


def _take_chunk(conn: Connection, chunk: LoadChunk) -> bool:
    """Take the chunk's number; False when this chunk was committed before."""
    key = {"transfer_id": chunk.transfer_id, "chunk_no": chunk.chunk_no}
    digest = _chunk_digest(chunk)
    if conn.execute(_TAKE_CHUNK, {**key, "rows": chunk.read, "digest": digest}).rowcount == 1:
        return True
    if conn.execute(_CHUNK_DIGEST, key).scalar_one() != digest:
        raise ChunkDiffers(
            f"{_place(chunk)}: another content was committed under this number; the contract, "
            "mapping or chunk size changed since, begin a new transfer",
            transfer_id=str(chunk.transfer_id),
            chunk_no=chunk.chunk_no,
        )
    return False


def _chunk_digest(chunk: LoadChunk) -> bytes:
    """SHA-256 over the digests of all rows, to recognize a chunk that comes again."""
    total = hashlib.sha256()
    for frame in (None if chunk.rows is None else chunk.rows.ids, chunk.quarantine):
        if frame is not None and not frame.is_empty():
            total.update("".join(frame["row_digest"].to_list()).encode())
        total.update(b"|")
    if chunk.gone is not None and not chunk.gone.is_empty():
        total.update("".join(chunk.gone["record_id"].to_list()).encode())
    return total.digest()


def _write(conn: Connection, chunk: LoadChunk) -> ChunkOutcome:
    """Records, outbox and quarantine."""
    outcome = _nothing(chunk)
    records = RowsWritten()
    if chunk.rows is not None and not chunk.rows.ids.is_empty():
        records = write_records(
            conn, chunk.contract, chunk.rows, chunk.transfer_id, chunk.subscribers
        )
    refused = 0 if chunk.quarantine is None else chunk.quarantine.height
    write_quarantine(
        conn,
        chunk.lease.system,
        chunk.contract.dataset,
        chunk.quarantine,
        chunk.transfer_id,
        table=chunk.contract.table,
        has_accepted=records.total > 0,
    )
    refused_leaves = b""
    if chunk.quarantine is not None:
        ids, digests = chunk.quarantine["key_index"], chunk.quarantine["row_digest"]
        refused_leaves = packed(ids, digests, NO_VERSION, QUARANTINED)
    deleted = _deleted(conn, chunk)
    deleted += delete_parts(
        conn,
        chunk.contract,
        chunk.parts,
        chunk.transfer_id,
        any_changed=records.changed > 0,
        any_deleted=deleted.records > 0,
    )
    if chunk.is_held:
        hold_push(conn, chunk.contract.dataset, chunk.contract.table, chunk.transfer_id)
    return replace(
        outcome,
        read=chunk.read,
        new=records.new,
        changed=records.changed,
        same=records.same + chunk.gone_read,
        quarantined=refused,
        duplicate=records.again + (0 if chunk.rows is None else chunk.rows.duplicates),
        stale=records.stale,
        touched=records.touched,
        queued=records.queued + deleted.queued,
        deleted=deleted.records,
        written=records.written + refused_leaves + deleted.leaves,
    )


def _deleted(conn: Connection, chunk: LoadChunk) -> Deleted:
    """Delete what the source marks, then what its snapshot leaves out."""
    marked, absent = Deleted(), Deleted()
    facts = chunk.transfer_id, chunk.subscribers
    if chunk.gone is not None and not chunk.gone.is_empty():
        marked = delete_marked(conn, chunk.contract, chunk.gone, *facts)
    if chunk.snapshot is not None:
        absent = delete_absent(
            conn, chunk.contract, chunk.snapshot, *facts, system=chunk.lease.system
        )
    return marked + absent


def _close(conn: Connection, chunk: LoadChunk, outcome: ChunkOutcome, spent_ms: int) -> None:
    """Counts, findings, and with the last chunk the cursor and the balance."""
    for (rule, severity), rows in chunk.findings.items():
        facts = {"transfer_id": chunk.transfer_id, "rule": rule, "severity": severity}
        conn.execute(_ADD_FINDING, {**facts, "rows": rows})
    if chunk.is_last:
        there = conn.execute(_CHUNK_COUNT, {"transfer_id": chunk.transfer_id}).scalar_one()
        if there != chunk.chunk_no:
            raise CountsUnbalanced(
                f"{_place(chunk)}: it is the last chunk but only {there} of {chunk.chunk_no} are "
                "stored; load the missing ones first",
                stored=there,
            )
        if chunk.cursor_until is not None:
            advance_cursor(
                conn,
                chunk.lease.system,
                chunk.contract.dataset,
                chunk.cursor_until,
                chunk.transfer_id,
            )
    counts = {
        "chunks": 1,
        "read_rows": outcome.read,
        "new_rows": outcome.new,
        "changed_rows": outcome.changed,
        "same_rows": outcome.same,
        "quarantined_rows": outcome.quarantined,
        "duplicate_rows": outcome.duplicate,
        "stale_rows": outcome.stale,
        "touched_rows": outcome.touched,
        "deleted_rows": outcome.deleted,
        "warning_rows": chunk.warnings,
        "work_ms": spent_ms,
    }
    add_counts(conn, chunk.transfer_id, counts, is_last=chunk.is_last)


def _nothing(chunk: LoadChunk) -> ChunkOutcome:
    """The outcome of a chunk that did nothing yet."""
    return ChunkOutcome(
        transfer_id=chunk.transfer_id,
        system=chunk.lease.system,
        dataset=chunk.contract.dataset,
        chunk_no=chunk.chunk_no,
        is_last=chunk.is_last,
    )


def _place(chunk: LoadChunk) -> str:
    return f"{chunk.lease.system}/{chunk.contract.dataset} chunk {chunk.chunk_no}"


def _integrity_error(chunk: LoadChunk, exc: DatabaseRefused) -> TongbanError:
    """A violated constraint is either a lost race or a defect of a step before."""
    if exc.context["sqlstate"] == UNIQUE_VIOLATION:
        return DatabaseUnavailable(
            f"{_place(chunk)}: another transfer wrote one of these records in the same moment; "
            "nothing was written, the same call may succeed later",
            **exc.context,
        )
    return CountsUnbalanced(
        f"{_place(chunk)}: {exc}; a required field is null or the counts do not balance, this is "
        "a defect of a step before",
        **exc.context,
    )
