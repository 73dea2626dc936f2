"""Jobs on keys: how far a rotation or a shredding is, and what came of it."""

from __future__ import annotations

from alembic import op

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None

_SQL = """
CREATE TABLE hub.key_job (
    job_id UUID DEFAULT gen_random_uuid() NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT DEFAULT 'running' NOT NULL,
    plan JSONB NOT NULL,
    place TEXT,
    after_key JSONB,
    rows BIGINT DEFAULT 0 NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    moved_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    result JSONB,
    CONSTRAINT key_job_pkey PRIMARY KEY (job_id),
    CONSTRAINT key_job_kind_check CHECK (kind IN ('rotate', 'shred')),
    CONSTRAINT key_job_state_check CHECK (state IN ('running', 'finished')),
    CONSTRAINT key_job_finished_check
        CHECK ((state = 'finished') = (finished_at IS NOT NULL))
);
COMMENT ON COLUMN hub.key_job.scope IS 'dataset, or hub';
COMMENT ON COLUMN hub.key_job.plan IS 'names of keys, periods, who ordered it';
COMMENT ON COLUMN hub.key_job.place IS 'table that is worked on; null before the first';
COMMENT ON COLUMN hub.key_job.after_key IS 'key of its last finished row';
COMMENT ON COLUMN hub.key_job.result IS 'counts; of a shredding its certificate';
CREATE UNIQUE INDEX key_job_running ON hub.key_job (scope) WHERE state = 'running';
"""


def upgrade() -> None:
    """Make the table."""
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    """Never: a job that runs would be forgotten halfway. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
