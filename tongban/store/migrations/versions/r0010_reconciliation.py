"""Reconciliation and rectification: statements, what differs, notices, corrections, waivers."""

from __future__ import annotations

from alembic import op

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.statement (
    statement_id UUID NOT NULL,
    target TEXT NOT NULL,
    dataset TEXT NOT NULL,
    day DATE,
    mode TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ours_rows BIGINT DEFAULT 0 NOT NULL,
    theirs_rows BIGINT,
    ours_digest BYTEA,
    theirs_digest BYTEA,
    moving_rows BIGINT DEFAULT 0 NOT NULL,
    foreign_rows BIGINT DEFAULT 0 NOT NULL,
    contradictions BIGINT DEFAULT 0 NOT NULL,
    requeued_rows BIGINT DEFAULT 0 NOT NULL,
    differences JSONB NOT NULL,
    document TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key BYTEA NOT NULL,
    public BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    CONSTRAINT statement_pkey PRIMARY KEY (statement_id),
    CONSTRAINT statement_mode_check CHECK (mode IN ('listed', 'counted', 'none')),
    CONSTRAINT statement_state_check CHECK (state IN ('agrees', 'differs', 'unchecked'))
);
COMMENT ON COLUMN hub.statement.day IS 'only what was delivered on that day; null for everything';
COMMENT ON COLUMN hub.statement.mode IS 'what the target offers';
COMMENT ON COLUMN hub.statement.asked_at IS 'before the target was asked';
COMMENT ON COLUMN hub.statement.theirs_rows IS 'null where the target does not tell';
COMMENT ON COLUMN hub.statement.ours_digest IS 'order-free digest over what we delivered';
COMMENT ON COLUMN hub.statement.theirs_digest IS 'the same over what the target lists';
COMMENT ON COLUMN hub.statement.differences IS 'kind → records';
COMMENT ON COLUMN hub.statement.document IS 'what was signed, canonical JSON';
COMMENT ON COLUMN hub.statement.key IS 'id of the key that signed';
COMMENT ON COLUMN hub.statement.public IS 'public key that verifies it';
CREATE INDEX statement_route ON hub.statement (target, dataset, asked_at);
CREATE TABLE hub.statement_difference (
    statement_id UUID NOT NULL,
    target TEXT NOT NULL,
    dataset TEXT NOT NULL,
    record_id UUID NOT NULL,
    kind TEXT NOT NULL,
    our_version INTEGER,
    their_version BIGINT,
    our_digest BYTEA,
    their_digest BYTEA,
    receipt_no TEXT,
    their_receipt_no TEXT,
    delivered_at TIMESTAMP WITH TIME ZONE,
    transfer_id UUID,
    is_contradiction BOOLEAN NOT NULL,
    action TEXT NOT NULL,
    rereport TEXT,
    CONSTRAINT statement_difference_pkey PRIMARY KEY (statement_id, record_id),
    CONSTRAINT statement_difference_kind_check
        CHECK (kind IN ('missing_there', 'unknown_there', 'older_there', 'newer_there',
                        'altered_there', 'still_there', 'repeated_there')),
    CONSTRAINT statement_difference_action_check CHECK (action IN ('requeued', 'held', 'person')),
    CONSTRAINT statement_difference_rereport_check
        CHECK (rereport IN ('late', 'resent', 'corrected')),
    CONSTRAINT statement_difference_statement_id_fkey
        FOREIGN KEY(statement_id) REFERENCES hub.statement (statement_id)
);
COMMENT ON COLUMN hub.statement_difference.our_digest IS 'keyed, as in the outbox';
COMMENT ON COLUMN hub.statement_difference.their_digest IS 'what the target says, keyed alike';
COMMENT ON COLUMN hub.statement_difference.receipt_no IS 'receipt that the target gave us';
COMMENT ON COLUMN hub.statement_difference.their_receipt_no IS 'receipt that the statement names';
COMMENT ON COLUMN hub.statement_difference.delivered_at IS 'when the receipt came';
COMMENT ON COLUMN hub.statement_difference.transfer_id IS 'push transfer that brought the receipt';
COMMENT ON COLUMN hub.statement_difference.is_contradiction
    IS 'the statement denies what the receipt says';
COMMENT ON COLUMN hub.statement_difference.rereport IS 'why it goes out once more';
CREATE INDEX statement_difference_record ON hub.statement_difference (target, dataset, record_id);
CREATE TABLE hub.notice_counter (
    department TEXT NOT NULL,
    year SMALLINT NOT NULL,
    last INTEGER NOT NULL,
    CONSTRAINT notice_counter_pkey PRIMARY KEY (department, year)
);
COMMENT ON COLUMN hub.notice_counter.last IS 'number of the newest notice';
CREATE TABLE hub.notice (
    notice_no TEXT NOT NULL,
    department TEXT NOT NULL,
    year SMALLINT NOT NULL,
    number INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    rows INTEGER NOT NULL,
    issued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    issued_by TEXT NOT NULL,
    due_on DATE NOT NULL,
    is_provisional BOOLEAN NOT NULL,
    rules JSONB NOT NULL,
    CONSTRAINT notice_pkey PRIMARY KEY (notice_no),
    CONSTRAINT notice_department_key UNIQUE (department, year, number)
);
COMMENT ON COLUMN hub.notice.notice_no IS '<department>-<year>-<number>';
COMMENT ON COLUMN hub.notice.department IS 'system that must correct';
COMMENT ON COLUMN hub.notice.due_on IS 'last working day for the correction';
COMMENT ON COLUMN hub.notice.is_provisional IS 'no official calendar covers it';
COMMENT ON COLUMN hub.notice.rules IS 'rule → rows';
CREATE INDEX notice_dataset ON hub.notice (dataset);
CREATE TABLE hub.notice_row (
    quarantine_id BIGINT NOT NULL,
    notice_no TEXT NOT NULL,
    CONSTRAINT notice_row_pkey PRIMARY KEY (quarantine_id),
    CONSTRAINT notice_row_quarantine_id_fkey
        FOREIGN KEY(quarantine_id) REFERENCES hub.quarantine (quarantine_id),
    CONSTRAINT notice_row_notice_no_fkey
        FOREIGN KEY(notice_no) REFERENCES hub.notice (notice_no)
);
CREATE INDEX notice_row_notice ON hub.notice_row (notice_no);
CREATE TABLE hub.correction_applied (
    dataset TEXT NOT NULL,
    record_id UUID NOT NULL,
    content BYTEA NOT NULL,
    quarantine_id BIGINT NOT NULL,
    transfer_id UUID NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT correction_applied_pkey PRIMARY KEY (dataset, record_id, content)
);
COMMENT ON COLUMN hub.correction_applied.content IS 'keyed digest of the corrected row';
CREATE TABLE hub.waiver (
    waiver_id UUID DEFAULT gen_random_uuid() NOT NULL,
    dataset TEXT NOT NULL,
    record_id UUID NOT NULL,
    rule TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    granted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_on DATE NOT NULL,
    CONSTRAINT waiver_pkey PRIMARY KEY (waiver_id),
    CONSTRAINT waiver_record_key UNIQUE (dataset, record_id, rule, expires_on)
);
COMMENT ON COLUMN hub.waiver.expires_on IS 'last day on which it holds';
CREATE INDEX waiver_dataset ON hub.waiver (dataset, expires_on);
"""


def upgrade() -> None:
    """Make the tables."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: signed statements and numbered notices would be lost. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
