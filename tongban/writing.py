"""Writing: chunks into the store, each in one transaction with its evidence (step 5 of 6).

What the pipeline's `load` and `ingest` share: how far the cursor may move, what a complete snapshot
has seen, who gets an outbox row, and the counts at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tongban.evidence.log import append_load
from tongban.hub import Hub
from tongban.outcomes import Loaded
from tongban.pull import Manifest
from tongban.rows import Chunk
from tongban.store import cursors
from tongban.store.deletes import Seen
from tongban.store.leases import Lease
from tongban.store.load import LoadChunk, write_chunk
from tongban.store.transfers import read_transfer

if TYPE_CHECKING:
    from tongban.kernel.contracts import Contract


def write_chunks(
    hub: Hub,
    made: Iterable[Chunk],
    contract: Contract,
    transfer_id: UUID,
    lease: Lease,
    cursor: datetime | None = None,
    seen: Seen | None = None,
) -> Loaded:
    """Write chunks in order and give the counts of their transfer.

    Args:
        hub: An open hub.
        made: From `tongban.rows`, in order.
        contract: Of the dataset, with the limits that a person has lifted.
        transfer_id: Which transfer.
        lease: The right to write this dataset.
        cursor: Where the cursor goes with the last chunk; None leaves it.
        seen: Gathers a complete snapshot; None where the landing is none.
    """
    subscribers = hub.catalog.subscribers(contract.dataset)
    for chunk in made:
        if seen is not None:
            seen.add(chunk.rows.ids["record_id"], chunk.quarantine)
        write_chunk(
            hub.engine,
            LoadChunk(
                contract=contract,
                rows=chunk.rows,
                quarantine=chunk.quarantine,
                read=chunk.read,
                transfer_id=transfer_id,
                lease=lease,
                chunk_no=chunk.number,
                is_last=chunk.is_last,
                cursor_until=cursor if chunk.is_last else None,
                subscribers=subscribers,
                findings=chunk.findings,
                warnings=chunk.warnings,
                work_ms=chunk.work_ms,
                gone=chunk.gone,
                gone_read=chunk.gone_read,
                snapshot=seen.snapshot() if seen is not None and chunk.is_last else None,
                is_held=chunk.is_held,
                parts=[
                    replace(part, subscribers=hub.catalog.subscribers(part.contract.dataset))
                    for part in chunk.parts
                ],
            ),
            evidence=append_load,
        )
    return loaded(hub, transfer_id)


def cursor_after(hub: Hub, system: str, dataset: str, manifest: Manifest) -> datetime | None:
    """Where the cursor may move with this landing: never over a gap that was not read."""
    cursor = cursors.read_cursor(hub.engine, system, dataset)
    until = datetime.fromisoformat(manifest.until)
    if manifest.since is None:
        return until
    reaches = cursor is not None and datetime.fromisoformat(manifest.since) <= cursor
    return until if reaches else None


def seen_of(hub: Hub, system: str, dataset: str, manifest: Manifest) -> Seen | None:
    """What gathers the records of a complete snapshot; None where the landing is none."""
    rule = hub.catalog.system(system).window_rule(dataset)
    is_whole = rule.snapshot and manifest.since is None
    return Seen(datetime.fromisoformat(manifest.until)) if is_whole else None


def loaded(hub: Hub, transfer_id: UUID) -> Loaded:
    """The counts of a transfer, as the database has them."""
    row = read_transfer(hub.engine, transfer_id)
    return Loaded(
        transfer_id=str(transfer_id),
        dataset=row["dataset"],
        read=row["read_rows"],
        new=row["new_rows"],
        changed=row["changed_rows"],
        same=row["same_rows"],
        quarantined=row["quarantined_rows"],
        duplicate=row["duplicate_rows"],
        contract_version=row["contract_version"] or "",
    )
