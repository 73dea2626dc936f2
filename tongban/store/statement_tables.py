"""Tables of reconciliation (statements and what differs) and of rectification.

A statement and its differences are written once, in one transaction, and never changed: what
became of a difference is what the outbox and the next statement say. No column holds a value.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tongban.store.schema import count, metadata, moment

statement = Table(
    "statement",
    metadata,
    Column("statement_id", Uuid, primary_key=True),
    Column("target", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("day", Date, comment="only what was delivered on that day; null for everything"),
    Column("mode", Text, nullable=False, comment="what the target offers"),
    Column("state", Text, nullable=False),
    Column("asked_at", moment(), nullable=False, comment="before the target was asked"),
    Column("closed_at", moment(), nullable=False, server_default=text("clock_timestamp()")),
    count("ours_rows"),
    Column("theirs_rows", BigInteger, comment="null where the target does not tell"),
    Column("ours_digest", LargeBinary, comment="order-free digest over what we delivered"),
    Column("theirs_digest", LargeBinary, comment="the same over what the target lists"),
    count("moving_rows"),
    count("foreign_rows"),
    count("contradictions"),
    count("requeued_rows"),
    Column("differences", JSONB, nullable=False, comment="kind → records"),
    Column("document", Text, nullable=False, comment="what was signed, canonical JSON"),
    Column("algorithm", Text, nullable=False),
    Column("key", LargeBinary, nullable=False, comment="id of the key that signed"),
    Column("public", LargeBinary, nullable=False, comment="public key that verifies it"),
    Column("signature", LargeBinary, nullable=False),
    CheckConstraint("mode IN ('listed', 'counted', 'none')", name="mode"),
    CheckConstraint("state IN ('agrees', 'differs', 'unchecked')", name="state"),
    Index("statement_route", "target", "dataset", "asked_at"),
)

statement_difference = Table(
    "statement_difference",
    metadata,
    Column("statement_id", Uuid, ForeignKey("hub.statement.statement_id"), nullable=False),
    Column("target", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("our_version", Integer),
    Column("their_version", BigInteger),
    Column("our_digest", LargeBinary, comment="keyed, as in the outbox"),
    Column("their_digest", LargeBinary, comment="what the target says, keyed alike"),
    Column("receipt_no", Text, comment="receipt that the target gave us"),
    Column("their_receipt_no", Text, comment="receipt that the statement names"),
    Column("delivered_at", moment(), comment="when the receipt came"),
    Column("transfer_id", Uuid, comment="push transfer that brought the receipt"),
    Column(
        "is_contradiction",
        Boolean,
        nullable=False,
        comment="the statement denies what the receipt says",
    ),
    Column("action", Text, nullable=False),
    Column("rereport", Text, comment="why it goes out once more"),
    PrimaryKeyConstraint("statement_id", "record_id"),
    CheckConstraint(
        "kind IN ('missing_there', 'unknown_there', 'older_there', 'newer_there',"
        " 'altered_there', 'still_there', 'repeated_there')",
        name="kind",
    ),
    CheckConstraint("action IN ('requeued', 'held', 'person')", name="action"),
    CheckConstraint("rereport IN ('late', 'resent', 'corrected')", name="rereport"),
    Index("statement_difference_record", "target", "dataset", "record_id"),
)

notice_counter = Table(
    "notice_counter",
    metadata,
    Column("department", Text, nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column("last", Integer, nullable=False, comment="number of the newest notice"),
    PrimaryKeyConstraint("department", "year"),
)

notice = Table(
    "notice",
    metadata,
    Column("notice_no", Text, primary_key=True, comment="<department>-<year>-<number>"),
    Column("department", Text, nullable=False, comment="system that must correct"),
    Column("year", SmallInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("issued_at", moment(), nullable=False, server_default=text("now()")),
    Column("issued_by", Text, nullable=False),
    Column("due_on", Date, nullable=False, comment="last working day for the correction"),
    Column("is_provisional", Boolean, nullable=False, comment="no official calendar covers it"),
    Column("rules", JSONB, nullable=False, comment="rule → rows"),
    UniqueConstraint("department", "year", "number", name="notice_department_key"),
    Index("notice_dataset", "dataset"),
)

notice_row = Table(
    "notice_row",
    metadata,
    Column(
        "quarantine_id",
        BigInteger,
        ForeignKey("hub.quarantine.quarantine_id"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("notice_no", Text, ForeignKey("hub.notice.notice_no"), nullable=False),
    Index("notice_row_notice", "notice_no"),
)

correction_applied = Table(
    "correction_applied",
    metadata,
    Column("dataset", Text, nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="keyed digest of the corrected row"),
    Column("quarantine_id", BigInteger, nullable=False),
    Column("transfer_id", Uuid, nullable=False),
    Column("applied_at", moment(), nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("dataset", "record_id", "content"),
)

waiver = Table(
    "waiver",
    metadata,
    Column("waiver_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("dataset", Text, nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("rule", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("granted_at", moment(), nullable=False, server_default=text("now()")),
    Column("expires_on", Date, nullable=False, comment="last day on which it holds"),
    UniqueConstraint("dataset", "record_id", "rule", "expires_on", name="waiver_record_key"),
    Index("waiver_dataset", "dataset", "expires_on"),
)
