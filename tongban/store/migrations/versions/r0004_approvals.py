"""Approvals: what waits for a person's decision, and what was decided by whom."""

from __future__ import annotations

from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.approval (
    approval_id UUID DEFAULT gen_random_uuid() NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    shown_in TEXT,
    shown_at TIMESTAMP WITH TIME ZONE,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by TEXT,
    note TEXT,
    CONSTRAINT approval_pkey PRIMARY KEY (approval_id),
    CONSTRAINT approval_state_check CHECK (state IN ('waiting', 'approved', 'rejected')),
    CONSTRAINT approval_decided_check CHECK (
        (state = 'waiting') = (decided_at IS NULL) AND (state = 'waiting') = (decided_by IS NULL))
);
COMMENT ON COLUMN hub.approval.subject IS 'names and ids, never a field''s value';
COMMENT ON COLUMN hub.approval.reason IS 'names and counts, for who decides';
COMMENT ON COLUMN hub.approval.owner IS 'department whose data it is about';
COMMENT ON COLUMN hub.approval.shown_in IS 'Airflow run whose task shows it';
COMMENT ON COLUMN hub.approval.decided_by IS 'user name of the person who decided';
CREATE UNIQUE INDEX approval_waiting ON hub.approval (kind, subject) WHERE state = 'waiting';
CREATE INDEX approval_subject ON hub.approval (kind, subject, asked_at);
"""


def upgrade() -> None:
    """Make the table."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: decisions would be lost. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
