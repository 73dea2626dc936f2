"""Cursors: until when a dataset of a system is stored. They only move forward."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from tongban.store.engine import transaction

_ADVANCE = text("""
    INSERT INTO hub.cursor AS c (system, dataset, until, transfer_id)
    VALUES (:system, :dataset, :until, :transfer_id)
    ON CONFLICT (system, dataset) DO UPDATE
       SET until = excluded.until, transfer_id = excluded.transfer_id, updated_at = now()
     WHERE c.until < excluded.until
""")


def read_cursor(engine: Engine, system: str, dataset: str) -> datetime | None:
    """Everything changed before this moment is stored; None before the first transfer."""
    with transaction(engine) as conn:
        found: datetime | None = conn.execute(
            text("SELECT until FROM hub.cursor WHERE system = :system AND dataset = :dataset"),
            {"system": system, "dataset": dataset},
        ).scalar()
    return found


def advance_cursor(
    conn: Connection, system: str, dataset: str, until: datetime, transfer_id: UUID
) -> None:
    """Move the cursor inside the transaction of the last chunk; an older moment is ignored."""
    conn.execute(
        _ADVANCE,
        {"system": system, "dataset": dataset, "until": until, "transfer_id": transfer_id},
    )
