"""Schema hub: transfers, cursors, leases, quarantine, outbox, evidence (`r0001_hub.sql`).

Written out in full, not taken from `tongban.store.tables`, since a released revision never
changes while the tables go on.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the trigger that keeps the evidence append-only."""
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Never: evidence and undelivered rows would be lost. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
