"""Which key ring a database belongs to.

Record ids, row digests and blind indexes are keyed. With another ring every record would look new
and be stored and pushed a second time, so a database knows the ring that it was begun with.
"""

from __future__ import annotations

from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.key_ring (
    fingerprint BYTEA NOT NULL,
    bound_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT key_ring_pkey PRIMARY KEY (fingerprint)
);
COMMENT ON COLUMN hub.key_ring.fingerprint IS 'derived from the root key; tells nothing about it';
"""


def upgrade() -> None:
    """Make the table; the first opening writes its row."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: the next opening would take any ring. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
