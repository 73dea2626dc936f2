"""Chunk: what one load transaction is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

import polars as pl
from sqlalchemy import Connection

from tongban.kernel.contracts import Contract
from tongban.store.deletes import Snapshot
from tongban.store.leases import Lease
from tongban.store.parts import Part

Evidence = Callable[[Connection, "ChunkOutcome"], None]


class ProtectedRows(Protocol):
    """Accepted rows of one chunk; `tongban.protect.ProtectedFrame` is one.

    Attributes:
        ids: One row per distinct key, sorted by `record_id`: `ord` (row number for `sealed`),
            `record_id` and `row_digest` (lower hex of 16 bytes), `changed_at`.
        duplicates: Rows of the chunk that were dropped for a newer row of the same key.
    """

    @property
    def ids(self) -> pl.DataFrame:
        """Digests of the distinct rows."""
        ...

    @property
    def duplicates(self) -> int:
        """Rows that were dropped as duplicates."""
        ...

    def sealed(self, rows: pl.Series | None = None) -> pl.DataFrame:
        """The table's columns of those rows, classified ones as envelopes (Binary)."""
        ...


@dataclass(frozen=True, slots=True)
class LoadChunk:
    """What one transaction writes.

    Attributes:
        rows: Accepted rows, from `protect_frame`; None when there are none.
        quarantine: Refused rows, from `protect_quarantine`; None when there are none.
        read: Rows that were decoded for this chunk; must equal accepted + duplicates + refused.
        findings: (rule, severity) → rows, warnings included.
        warnings: Accepted rows that have at least one warning.
        chunk_no: 1, 2, 3 … within the transfer.
        is_last: The transfer is finished with this chunk.
        cursor_until: New cursor of (system, dataset), written with the last chunk; or None.
        subscribers: Targets that get an outbox row for every new or changed row.
        work_ms: Time spent on this chunk before this call.
        gone: `record_id` (hex) and `changed_at` of rows that the source marks as deleted.
        gone_read: How many rows said so, repeated ones included; a part of `read`.
        snapshot: With the last chunk of a complete snapshot: what is not in it is deleted.
        is_held: Nothing of it goes to a target before a person agrees.
        parts: Datasets whose records end with the records of this one.
    """

    contract: Contract
    rows: ProtectedRows | None = field(repr=False)
    quarantine: pl.DataFrame | None = field(repr=False)
    read: int
    transfer_id: UUID
    lease: Lease
    chunk_no: int = 1
    is_last: bool = True
    cursor_until: datetime | None = None
    subscribers: Sequence[str] = ()
    findings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    warnings: int = 0
    work_ms: int = 0
    gone: pl.DataFrame | None = field(default=None, repr=False)
    gone_read: int = 0
    snapshot: Snapshot | None = None
    is_held: bool = False
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What a chunk did; all zero but `skipped` when it had been committed before.

    Attributes:
        same: Equal content, older than what is stored (`stale`, a part of it), or a mark of
            deletion.
        deleted: Records that were deleted, by mark or by absence; no part of the balance.
        touched: Part of `same`: equal content with a newer change time.
        written: Leaves (`tongban.store.leaves`) of new, changed, refused and deleted rows: what
            the evidence is about.
    """

    transfer_id: UUID
    system: str
    dataset: str
    chunk_no: int
    is_last: bool = False
    skipped: bool = False
    read: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    quarantined: int = 0
    duplicate: int = 0
    stale: int = 0
    touched: int = 0
    queued: int = 0
    deleted: int = 0
    written: bytes = field(default=b"", repr=False)
