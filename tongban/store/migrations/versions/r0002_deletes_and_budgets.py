"""Deleted records, and the budget that all workers share.

`hub.tombstone` says which version of a record was its deletion, so that a record that comes back
goes on counting its versions and an old row never brings it back. `hub.budget_ledger` is what all
workers of an installation know about one department's budget.
"""

from __future__ import annotations

from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.tombstone (
    dataset TEXT NOT NULL,
    record_id UUID NOT NULL,
    version INTEGER NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE,
    transfer_id UUID NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    returned_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT tombstone_pkey PRIMARY KEY (dataset, record_id, version)
);
COMMENT ON COLUMN hub.tombstone.version IS 'version that the deletion is';
COMMENT ON COLUMN hub.tombstone.changed_at IS 'when the source deleted it, as far as it says';
COMMENT ON COLUMN hub.tombstone.returned_at IS 'when the record came back; null while it is gone';
CREATE TABLE hub.budget_ledger (
    system TEXT NOT NULL,
    state JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT budget_ledger_pkey PRIMARY KEY (system)
);
COMMENT ON COLUMN hub.budget_ledger.state IS 'next turn, slots, failures, rows of the night';
ALTER TABLE hub.transfer ADD COLUMN deleted_rows BIGINT DEFAULT 0 NOT NULL;
"""


def upgrade() -> None:
    """Make both tables and the count of deleted records."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: a deletion would be forgotten. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
