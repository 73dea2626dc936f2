"""Drift: fingerprints of batches, changes of habit, codes that nobody mapped, pushes that wait."""

from __future__ import annotations

from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.fingerprint (
    transfer_id UUID NOT NULL,
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    major INTEGER NOT NULL,
    is_snapshot BOOLEAN NOT NULL,
    rows BIGINT NOT NULL,
    total BIGINT NOT NULL,
    seen JSONB NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT fingerprint_pkey PRIMARY KEY (transfer_id)
);
COMMENT ON COLUMN hub.fingerprint.major IS 'of the contract';
COMMENT ON COLUMN hub.fingerprint.is_snapshot IS 'read from the beginning';
COMMENT ON COLUMN hub.fingerprint.rows IS 'rows that were looked at';
COMMENT ON COLUMN hub.fingerprint.total IS 'rows of the batch';
COMMENT ON COLUMN hub.fingerprint.seen IS 'looks, counts and known codes, no other value';
CREATE INDEX fingerprint_dataset ON hub.fingerprint (system, dataset, seen_at);

CREATE TABLE hub.drift_event (
    event_id BIGINT GENERATED ALWAYS AS IDENTITY,
    transfer_id UUID NOT NULL,
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    kind TEXT NOT NULL,
    field TEXT NOT NULL,
    policy TEXT NOT NULL,
    owner TEXT NOT NULL,
    detail JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT drift_event_pkey PRIMARY KEY (event_id),
    CONSTRAINT drift_event_transfer_key UNIQUE (transfer_id, kind, field)
);
COMMENT ON COLUMN hub.drift_event.field IS 'source''s or contract''s; empty for the batch';
COMMENT ON COLUMN hub.drift_event.policy IS 'what was done';
COMMENT ON COLUMN hub.drift_event.owner IS 'department that must answer';
COMMENT ON COLUMN hub.drift_event.detail IS 'counts, shares and names';
CREATE INDEX drift_event_dataset ON hub.drift_event (system, dataset, at);

CREATE TABLE hub.unmapped_code (
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    field TEXT NOT NULL,
    code TEXT NOT NULL,
    rows BIGINT NOT NULL,
    first_transfer UUID NOT NULL,
    last_transfer UUID NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT unmapped_code_pkey PRIMARY KEY (system, dataset, field, code)
);
COMMENT ON COLUMN hub.unmapped_code.field IS 'source path';
COMMENT ON COLUMN hub.unmapped_code.code IS 'empty: not of the form of a code';

ALTER TABLE hub.outbox ADD COLUMN held_by UUID;
COMMENT ON COLUMN hub.outbox.held_by IS 'transfer whose push waits for a person; null for none';
CREATE INDEX outbox_held ON hub.outbox (held_by) WHERE held_by IS NOT NULL;
"""


def upgrade() -> None:
    """Make the tables and the column."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: events would be lost. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
