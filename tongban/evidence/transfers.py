"""Transfers with evidence: that pages were landed, and that a transfer failed or was refused.

The same calls as in `tongban.store.transfers`, each with its entry in the same transaction. What a
chunk or a batch of receipts did has entries of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, Engine

from tongban.evidence.log import append, append_fact
from tongban.evidence.verify import merkle_root
from tongban.store import transfers

__all__ = [
    "begin_transfer",
    "fail_transfer",
    "interrupted_pull",
    "landed",
    "landed_by_run",
    "read_transfer",
]

begin_transfer = transfers.begin_transfer
interrupted_pull = transfers.interrupted_pull
landed_by_run = transfers.landed_by_run
read_transfer = transfers.read_transfer


def landed(
    engine: Engine,
    transfer_id: UUID,
    *,
    pages: int,
    declared_rows: int | None,
    landing: str,
    work_ms: int = 0,
    digests: Sequence[str] | None = None,
) -> None:
    """All pages are in the landing; the entry's leaf is the root over their digests.

    Args:
        engine: From `open_engine`.
        transfer_id: Which transfer.
        pages: How many pages came.
        declared_rows: What the source says that the window has.
        landing: Where they lie.
        work_ms: Time spent.
        digests: SHA-256 of each page as received, lower hex; None for a transfer that shares
            another one's pages and its entry.
    """
    subject = {
        "transfer": str(transfer_id),
        "state": "landed",
        "landing": landing,
        "pages": pages,
        "declared": declared_rows,
    }
    leaf = merkle_root([bytes.fromhex(digest) for digest in digests or ()])

    def note(conn: Connection) -> None:
        append(conn, "transfer", subject, leaf)

    transfers.landed(
        engine,
        transfer_id,
        pages=pages,
        declared_rows=declared_rows,
        landing=landing,
        work_ms=work_ms,
        evidence=None if digests is None else note,
    )


def _note_failure(conn: Connection, subject: dict[str, str]) -> None:
    append_fact(conn, "transfer", subject)


fail_transfer = partial(transfers.fail_transfer, evidence=_note_failure)
