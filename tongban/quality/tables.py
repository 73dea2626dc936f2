"""Tables of the schema `quality`: runs, scores and findings, kept so that a trend can be told.

Counts, scores, ids and tokens only. A token is a record id, which is a keyed digest.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

QUALITY = "quality"
metadata = MetaData(schema=QUALITY)

audit_run = Table(
    "audit_run",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("run_no", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("day", Date, nullable=False, comment="the day that the audit is about"),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("datasets", Integer, nullable=False),
    Column("stored_rows", BigInteger, nullable=False),
    Column("quarantined_rows", BigInteger, nullable=False),
    Column("score", Numeric(9, 8), comment="0 to 1; null when nothing was evaluated"),
    Column("grade", Text, nullable=False),
    Column("disagreements", Integer, nullable=False, comment="where the two engines differ"),
    Column("input_digest", LargeBinary, nullable=False, comment="SHA-256 of what was read"),
    Column("result_digest", LargeBinary, nullable=False, comment="SHA-256 of what was found"),
    Column("report_digest", LargeBinary, nullable=False, comment="SHA-256 of the report's file"),
    Column("report", Text, nullable=False, comment="name of the report's file"),
    Column("engines", JSONB, nullable=False, comment="versions"),
    comment="one row per audit",
)

audit_score = Table(
    "audit_score",
    metadata,
    Column("run_id", Uuid, ForeignKey("quality.audit_run.run_id"), nullable=False),
    Column("level", Text, nullable=False, comment="rule, dimension, dataset, department, hub"),
    Column("department", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("dimension", Text, nullable=False, comment="GB/T 36344"),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("applicable", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("score", Numeric(9, 8), comment="null when it applied to no row"),
    Column("grade", Text, nullable=False),
    Index("audit_score_run", "run_id", "level"),
    comment="scores of one audit on every level",
)

audit_finding = Table(
    "audit_finding",
    metadata,
    Column("run_id", Uuid, ForeignKey("quality.audit_run.run_id"), nullable=False),
    Column("item_no", Integer, nullable=False, comment="number in the rectification list"),
    Column("kind", Text, nullable=False, comment="rule, comparison or engine"),
    Column("name", Text, nullable=False, comment="rule or check"),
    Column("dataset", Text, nullable=False),
    Column("other_dataset", Text, nullable=False),
    Column("owner", Text, nullable=False, comment="who is asked to correct"),
    Column("other_owner", Text, nullable=False, comment="who has to be asked as well"),
    Column("rows", BigInteger, nullable=False),
    Column("applicable", BigInteger, nullable=False),
    Column("tokens", ARRAY(Uuid), nullable=False, comment="records, at most a thousand"),
    Column("found_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("is_provisional", Boolean, nullable=False, comment="no official calendar yet"),
    Index("audit_finding_run", "run_id"),
    comment="what has to be put right, by whom and until when",
)

_LOCK = 0x746F6E67_62616E03  # "tongban", 3: tables of the audit


def ensure_tables(conn: Connection) -> None:
    """Create the schema and what is missing in it; safe to call at every start."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {QUALITY}"))
    metadata.create_all(conn)
