"""Comparisons: who asked a department to compare what, why, and its receipt; never an answer."""

from __future__ import annotations

from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.comparison (
    comparison_id UUID NOT NULL,
    request_id TEXT NOT NULL,
    system TEXT NOT NULL,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    asker TEXT NOT NULL,
    unit TEXT NOT NULL,
    case_no TEXT,
    subjects BYTEA[] NOT NULL,
    state TEXT DEFAULT 'asked' NOT NULL,
    times_asked INTEGER DEFAULT 1 NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    receipt_no TEXT,
    answer_digest BYTEA,
    error_code TEXT,
    CONSTRAINT comparison_pkey PRIMARY KEY (comparison_id),
    CONSTRAINT comparison_state_check CHECK (state IN ('asked', 'answered', 'failed')),
    CONSTRAINT comparison_answered_check CHECK (
        (state = 'answered') = (answered_at IS NOT NULL)
        AND (state = 'answered') = (answer_digest IS NOT NULL))
);
COMMENT ON COLUMN hub.comparison.comparison_id IS 'keyed digest of the request and the question';
COMMENT ON COLUMN hub.comparison.asker IS 'account or process that asks';
COMMENT ON COLUMN hub.comparison.unit IS 'unit for which it asks';
COMMENT ON COLUMN hub.comparison.subjects IS 'blind indexes of whom it is about, ordered';
COMMENT ON COLUMN hub.comparison.answer_digest IS
    'keyed digest of answer and proof; the proof is with the asker';
CREATE INDEX comparison_case ON hub.comparison (case_no, system, name);
CREATE INDEX comparison_asked ON hub.comparison (asked_at);
"""


def upgrade() -> None:
    """Make the table."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: it would be lost who asked about whom. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
