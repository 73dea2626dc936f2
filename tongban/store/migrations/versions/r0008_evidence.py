"""Evidence: leaves of records, seals and the public keys that signed them; two indexes."""

from __future__ import annotations

from alembic import op

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.evidence_leaves (
    leaf BYTEA NOT NULL,
    dataset TEXT NOT NULL,
    seed BYTEA NOT NULL,
    records BYTEA NOT NULL,
    CONSTRAINT evidence_leaves_pkey PRIMARY KEY (leaf)
);
COMMENT ON COLUMN hub.evidence_leaves.leaf IS 'Merkle root: the leaf of its entry';
COMMENT ON COLUMN hub.evidence_leaves.seed IS 'the salts come from it';
COMMENT ON COLUMN hub.evidence_leaves.records IS '37 bytes each, see tongban.store.leaves';
ALTER TABLE hub.evidence_leaves ALTER COLUMN records SET STORAGE EXTERNAL;

CREATE TABLE hub.evidence_seal (
    seal BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    root BYTEA NOT NULL,
    head BYTEA NOT NULL,
    previous BYTEA NOT NULL,
    algorithm TEXT NOT NULL,
    key BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    CONSTRAINT evidence_seal_pkey PRIMARY KEY (seal)
);
COMMENT ON COLUMN hub.evidence_seal.seal IS '1, 2, 3 … no gaps';
COMMENT ON COLUMN hub.evidence_seal.first IS 'number of its first entry';
COMMENT ON COLUMN hub.evidence_seal.root IS 'Merkle root over the entries'' hashes';
COMMENT ON COLUMN hub.evidence_seal.head IS 'hash of its last entry';
COMMENT ON COLUMN hub.evidence_seal.previous IS 'hash of the seal before';
COMMENT ON COLUMN hub.evidence_seal.key IS 'id of the key that signed';

CREATE TABLE hub.evidence_key (
    key BYTEA NOT NULL,
    algorithm TEXT NOT NULL,
    public BYTEA NOT NULL,
    CONSTRAINT evidence_key_pkey PRIMARY KEY (key)
);
COMMENT ON COLUMN hub.evidence_key.key IS 'digest of algorithm and public key';

CREATE INDEX evidence_entry_leaf ON hub.evidence_entry (leaf);
CREATE INDEX evidence_entry_rare ON hub.evidence_entry (seq)
    WHERE kind IN ('clock', 'configuration');
"""
_APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON hub.{table} FOR EACH STATEMENT EXECUTE FUNCTION hub.refuse_change();
ALTER TABLE hub.{table} ENABLE ALWAYS TRIGGER {table}_append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON hub.{table} FROM PUBLIC, CURRENT_USER;
"""


def upgrade() -> None:
    """Make the tables, append-only for their owner too."""
    connection = op.get_bind()
    connection.exec_driver_sql(_SQL)
    for table in ("evidence_leaves", "evidence_seal", "evidence_key"):
        connection.exec_driver_sql(_APPEND_ONLY.format(table=table))


def downgrade() -> None:
    """Never: proofs and seals would be lost. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
