"""Parts: records that live and end with another one, such as the parties of a contract.

Inside the transaction of `tongban.store.load`, after the owner's rows. A department that takes a
party out of a contract sends the contract without it and nothing more; and with a deleted contract
its parties are gone. Either way they are deleted like any record: history, tombstone, outbox.
A part that changed after its owner is left alone: a newer landing put it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import polars as pl
from sqlalchemy import Connection, text

from tongban.kernel.contracts import Contract
from tongban.store.copy import copy_frame
from tongban.store.datasets import DATA, HISTORY_SUFFIX
from tongban.store.deletes import Deleted, begin_deletes, delete_gathered

_CLEAR = text("DELETE FROM chunk_gone; DELETE FROM snapshot_seen")
_LEFT_OUT = """
    INSERT INTO chunk_gone
    SELECT x.record_id, v.changed_at
      FROM chunk_verdict v JOIN {owner} t ON t.record_id = v.record_id
      JOIN {part} x ON {joined}
     WHERE v.verdict = 'changed'
       AND NOT EXISTS (SELECT FROM snapshot_seen s WHERE s.record_id = x.record_id)
       AND coalesce(greatest(x.changed_at, x.confirmed_at) <= v.changed_at, true)
"""
# The same part may come back with its owner, so its end is no later than its last change.
_ORPHANED = """
    INSERT INTO chunk_gone
    SELECT x.record_id, least(d.changed_at, greatest(x.changed_at, x.confirmed_at))
      FROM hub.tombstone d
      JOIN {history} t ON t.record_id = d.record_id AND t.version = d.version - 1
      JOIN {part} x ON {joined}
     WHERE d.dataset = :dataset AND d.transfer_id = :transfer_id AND d.deleted_at = now()
       AND NOT EXISTS (SELECT FROM chunk_gone g WHERE g.record_id = x.record_id)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One dataset whose records belong to those of a chunk.

    Attributes:
        on: Field of the part → field of its owner.
        seen: Record ids (hex) of all parts in the chunk's pages, refused ones included; None where
            one of them has no key, so that nothing is known to be left out.
    """

    contract: Contract
    on: Mapping[str, str]
    seen: pl.Series | None = field(repr=False)
    subscribers: Sequence[str] = ()


def delete_parts(
    conn: Connection,
    owner: Contract,
    parts: Sequence[Part],
    transfer_id: UUID,
    *,
    any_changed: bool,
    any_deleted: bool,
) -> Deleted:
    """Delete the parts that changed owners no longer have, and those of deleted owners.

    Args:
        conn: The chunk's transaction, after the owner's rows and deletes were written.
        owner: Contract of the chunk.
        parts: What belongs to its records.
        transfer_id: The owner's transfer.
        any_changed: Some owner has a new version.
        any_deleted: Some owner was deleted.
    """
    total = Deleted()
    if not parts or not (any_changed or any_deleted):
        return total
    begin_deletes(conn)
    for part in parts:
        conn.execute(_CLEAR)
        names = {
            "owner": f'{DATA}."{owner.table}"',
            "history": f'{DATA}."{owner.table}{HISTORY_SUFFIX}"',
            "part": f'{DATA}."{part.contract.table}"',
            "joined": " AND ".join(
                f'x."{mine}" = t."{theirs}"' for mine, theirs in part.on.items()
            ),
        }
        if any_changed and part.seen is not None:
            copy_frame(conn, "snapshot_seen", part.seen.alias("record_id").unique().to_frame())
            conn.execute(text(_LEFT_OUT.format(**names)))
        if any_deleted:
            facts = {"dataset": owner.dataset, "transfer_id": transfer_id}
            conn.execute(text(_ORPHANED.format(**names)), facts)
        total += delete_gathered(conn, part.contract, transfer_id, part.subscribers)
    return total
