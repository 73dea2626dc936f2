"""Delivery: rows on their way, the operation that went out, order of the queue by urgency."""

from __future__ import annotations

from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.push_mark (
    lock_no BIGINT NOT NULL,
    target TEXT NOT NULL,
    dataset TEXT NOT NULL,
    keys BYTEA NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT push_mark_pkey PRIMARY KEY (lock_no)
);
COMMENT ON COLUMN hub.push_mark.lock_no IS 'advisory lock that the living worker holds';
COMMENT ON COLUMN hub.push_mark.keys IS 'record id and version of each row, 20 bytes each';
ALTER TABLE hub.push_mark ALTER COLUMN keys SET STORAGE EXTERNAL;

ALTER TABLE hub.outbox ADD COLUMN op TEXT;
ALTER TABLE hub.outbox ADD COLUMN tried_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE hub.outbox ADD COLUMN rank_at TIMESTAMP WITH TIME ZONE;
UPDATE hub.outbox SET rank_at = queued_at;
ALTER TABLE hub.outbox ALTER COLUMN rank_at SET DEFAULT now();
ALTER TABLE hub.outbox ALTER COLUMN rank_at SET NOT NULL;
ALTER TABLE hub.outbox ADD CONSTRAINT outbox_op_check CHECK (op IN ('I', 'U', 'D'));
COMMENT ON COLUMN hub.outbox.op IS 'operation of the last time that it went out';
COMMENT ON COLUMN hub.outbox.tried_at IS 'first try; parking counts from here';
COMMENT ON COLUMN hub.outbox.rank_at
    IS 'place in the queue: when queued, or earlier where a case runs out of time';
DROP INDEX hub.outbox_pending;
CREATE INDEX outbox_pending ON hub.outbox (target, dataset, rank_at, seq)
    WHERE state IN ('queued', 'sent', 'waiting_parent');
"""


def upgrade() -> None:
    """Make the table, the columns and the index."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: what is on its way would be forgotten. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
