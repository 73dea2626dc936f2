"""Load: one chunk of a transfer, one transaction.

    write_chunk(engine, chunk) -> ChunkOutcome

The caller (`tongban.pipeline`) cuts a transfer into chunks of some 20,000 rows, numbers them
1, 2, 3 … and calls `write_chunk` in that order; a run that is repeated from the landing must cut
the same pages into the same chunks, and a chunk that was committed before is skipped. Children
that share their parent's pages are transfers of their own; write the children's chunk first.

In the transaction: fencing token checked and lease renewed; chunk number taken; rows compared
by digest (equal content writes nothing, an older change never overwrites a newer one); new rows
COPYed, changed rows updated with their old version moved to history; quarantine rows; one outbox
row per subscriber for new and changed rows; counts; cursor on the last chunk; evidence.
Values are sealed here only for the rows that are written, through `ProtectedRows.sealed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

import polars as pl
from sqlalchemy import Connection, Engine

from tongban.kernel.contracts import Contract
from tongban.store.leases import Lease

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
        rows: Accepted rows, from `protect_frame`.
        quarantine: Refused rows, from `protect_quarantine`; None when there are none.
        read: Rows that were decoded for this chunk; must equal accepted + duplicates + refused.
        findings: (rule, severity) → rows, warnings included.
        warnings: Accepted rows that have at least one warning.
        chunk_no: 1, 2, 3 … within the transfer.
        is_last: The transfer is finished with this chunk.
        cursor_until: New cursor of (system, dataset), written with the last chunk; or None.
        subscribers: Targets that get an outbox row for every new or changed row.
        work_ms: Time spent on this chunk before this call.
    """

    contract: Contract
    rows: ProtectedRows = field(repr=False)
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


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What a chunk did; all zero but `skipped` when it had been committed before.

    Attributes:
        same: Equal content, or older than what is stored (`stale`, a part of it).
        touched: Part of `same`: equal content with a newer change time.
        root: Merkle root of the row digests, accepted and refused.
    """

    transfer_id: UUID
    system: str
    dataset: str
    chunk_no: int
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
    root: bytes = b""


def write_chunk(
    engine: Engine, chunk: LoadChunk, *, evidence: Evidence | None = None
) -> ChunkOutcome:
    """Write one chunk, or skip it when it was committed before.

    Raises:
        FencedOff: A newer worker holds the lease; nothing was written.
        CountsUnbalanced: `read` is not accepted + duplicate + quarantined; nothing was written.
        DatabaseUnavailable: Nothing was written; safe to call again with the same chunk.
    """
    raise NotImplementedError
