"""Tables of the schema `hub` for keys: the ring that a database belongs to, and jobs on keys."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from tongban.store.schema import count, metadata, moment

key_job = Table(
    "key_job",
    metadata,
    Column("job_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False, comment="dataset, or hub"),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("plan", JSONB, nullable=False, comment="names of keys, periods, who ordered it"),
    Column("place", Text, comment="table that is worked on; null before the first"),
    Column("after_key", JSONB, comment="key of its last finished row"),
    count("rows"),
    Column("started_at", moment(), nullable=False, server_default=text("clock_timestamp()")),
    Column("moved_at", moment(), nullable=False, server_default=text("clock_timestamp()")),
    Column("finished_at", moment()),
    Column("result", JSONB, comment="counts; of a shredding its certificate"),
    CheckConstraint("kind IN ('rotate', 'shred')", name="kind"),
    CheckConstraint("state IN ('running', 'finished')", name="state"),
    CheckConstraint("(state = 'finished') = (finished_at IS NOT NULL)", name="finished"),
    Index("key_job_running", "scope", unique=True, postgresql_where=text("state = 'running'")),
)
