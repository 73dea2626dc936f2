"""Tables of the schema `hub`: transfers, cursors, leases, quarantine, outbox, evidence.

The migrations make them; this metadata is what queries are written against, and a test holds
both against each other. `push`, `evidence`, `cases` and `share` may read these definitions too.
No column here holds a field's value in plain: rows that were refused are sealed.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tongban.store.key_tables import key_job
from tongban.store.outbox_tables import PENDING_STATES, outbox, push_mark, tombstone
from tongban.store.schema import HUB, count, metadata, moment
from tongban.store.statement_tables import notice, statement, waiver

__all__ = [
    "HUB",
    "PENDING_STATES",
    "key_job",
    "metadata",
    "notice",
    "outbox",
    "push_mark",
    "statement",
    "tombstone",
    "waiver",
]

transfer = Table(
    "transfer",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("direction", Text, nullable=False),
    Column("system", Text, nullable=False, comment="source of a pull, target of a push"),
    Column("dataset", Text, nullable=False),
    Column("parent_id", Uuid, comment="transfer whose pages this one shares"),
    Column("state", Text, nullable=False, server_default=text("'pulling'")),
    Column("window_since", moment()),
    Column("window_until", moment()),
    Column("contract_version", Text),
    Column("landing", Text, comment="where the pages lie, without any secret"),
    Column("run_id", Text, comment="the Airflow run or the command that caused it"),
    Column("declared_rows", BigInteger, comment="rows that the source says the window has"),
    count("pages"),
    count("chunks"),
    count("read_rows"),
    count("new_rows"),
    count("changed_rows"),
    count("same_rows"),
    count("quarantined_rows"),
    count("duplicate_rows"),
    count("stale_rows"),
    count("touched_rows"),
    count("warning_rows"),
    count("pushed_rows"),
    count("acknowledged_rows"),
    count("rejected_rows"),
    count("waiting_rows"),
    count("unclear_rows"),
    Column("work_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("started_at", moment(), nullable=False, server_default=text("now()")),
    Column("landed_at", moment()),
    Column("finished_at", moment()),
    count("deleted_rows"),
    CheckConstraint("direction IN ('pull', 'push')", name="direction"),
    CheckConstraint(
        "state IN ('pulling', 'landed', 'finished', 'failed', 'refused')", name="state"
    ),
    CheckConstraint(
        "state <> 'finished' OR direction <> 'pull' OR read_rows = new_rows + changed_rows"
        " + same_rows + quarantined_rows + duplicate_rows",
        name="pull_balance",
    ),
    CheckConstraint(
        "state <> 'finished' OR direction <> 'push' OR pushed_rows = acknowledged_rows"
        " + rejected_rows + waiting_rows + unclear_rows",
        name="push_balance",
    ),
    Index("transfer_route", "system", "dataset", "direction", "started_at"),
)

transfer_chunk = Table(
    "transfer_chunk",
    metadata,
    Column("transfer_id", Uuid, ForeignKey("hub.transfer.transfer_id"), nullable=False),
    Column("chunk_no", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="Merkle root of the row digests"),
    Column("committed_at", moment(), nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("transfer_id", "chunk_no"),
)

transfer_finding = Table(
    "transfer_finding",
    metadata,
    Column("transfer_id", Uuid, ForeignKey("hub.transfer.transfer_id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    PrimaryKeyConstraint("transfer_id", "rule", "severity"),
)

dataset = Table(
    "dataset",
    metadata,
    Column("table_name", Text, primary_key=True, comment="table in the schema data"),
    Column("dataset", Text, nullable=False),
    Column("version", Text, nullable=False, comment="contract version that it fits"),
    Column("label", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("contract_digest", Text, nullable=False),
    Column("updated_at", moment(), nullable=False, server_default=text("now()")),
)

cursor = Table(
    "cursor",
    metadata,
    Column("system", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("until", moment(), nullable=False, comment="everything before it is stored"),
    Column("transfer_id", Uuid, nullable=False),
    Column("updated_at", moment(), nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("system", "dataset"),
)

lease = Table(
    "lease",
    metadata,
    Column("system", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("holder", Text, comment="host, process and run; null when free"),
    Column("token", BigInteger, nullable=False, comment="counts up with every taking"),
    Column("expires_at", moment(), nullable=False),
    PrimaryKeyConstraint("system", "dataset"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", BigInteger, Identity(always=True), primary_key=True),
    Column("system", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("transfer_id", Uuid, nullable=False),
    Column("key_index", Uuid, nullable=False, comment="record_id, or a digest without a key"),
    Column("has_key", Boolean, nullable=False),
    Column("changed_at", moment()),
    Column("row_digest", LargeBinary, nullable=False),
    Column("row_sealed", LargeBinary, nullable=False, comment="what the department sent"),
    Column("findings", JSONB, nullable=False, comment="rules and fields, never a value"),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("times_seen", Integer, nullable=False, server_default=text("1")),
    Column("quarantined_at", moment(), nullable=False, server_default=text("now()")),
    Column("seen_at", moment(), nullable=False, server_default=text("now()")),
    Column("closed_at", moment()),
    Column("closed_by", Uuid, comment="transfer that resolved or replaced it"),
    CheckConstraint("state IN ('open', 'resolved', 'replaced', 'waived')", name="state"),
    Index(
        "quarantine_open_key",
        "dataset",
        "key_index",
        unique=True,
        postgresql_where=text("state = 'open'"),
    ),
    Index("quarantine_transfer", "transfer_id"),
)

budget_ledger = Table(
    "budget_ledger",
    metadata,
    Column("system", Text, primary_key=True),
    Column("state", JSONB, nullable=False, comment="next turn, slots, failures, rows of the night"),
    Column("updated_at", moment(), nullable=False, server_default=text("now()")),
)

key_ring = Table(
    "key_ring",
    metadata,
    Column(
        "fingerprint",
        LargeBinary,
        primary_key=True,
        comment="derived from the root key; tells nothing about it",
    ),
    Column("bound_at", moment(), nullable=False, server_default=text("now()")),
)

fingerprint = Table(
    "fingerprint",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("system", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("major", Integer, nullable=False, comment="of the contract"),
    Column("is_snapshot", Boolean, nullable=False, comment="read from the beginning"),
    Column("rows", BigInteger, nullable=False, comment="rows that were looked at"),
    Column("total", BigInteger, nullable=False, comment="rows of the batch"),
    Column("seen", JSONB, nullable=False, comment="looks, counts and known codes, no other value"),
    Column("seen_at", moment(), nullable=False, server_default=text("clock_timestamp()")),
    Index("fingerprint_dataset", "system", "dataset", "seen_at"),
)

drift_event = Table(
    "drift_event",
    metadata,
    Column("event_id", BigInteger, Identity(always=True), primary_key=True),
    Column("transfer_id", Uuid, nullable=False),
    Column("system", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("field", Text, nullable=False, comment="source's or contract's; empty for the batch"),
    Column("policy", Text, nullable=False, comment="what was done"),
    Column("owner", Text, nullable=False, comment="department that must answer"),
    Column("detail", JSONB, nullable=False, comment="counts, shares and names"),
    Column("at", moment(), nullable=False, server_default=text("clock_timestamp()")),
    UniqueConstraint("transfer_id", "kind", "field", name="drift_event_transfer_key"),
    Index("drift_event_dataset", "system", "dataset", "at"),
)

unmapped_code = Table(
    "unmapped_code",
    metadata,
    Column("system", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("field", Text, nullable=False, comment="source path"),
    Column("code", Text, nullable=False, comment="empty: not of the form of a code"),
    Column("rows", BigInteger, nullable=False),
    Column("first_transfer", Uuid, nullable=False),
    Column("last_transfer", Uuid, nullable=False),
    Column("first_at", moment(), nullable=False, server_default=text("now()")),
    Column("last_at", moment(), nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("system", "dataset", "field", "code"),
)

approval = Table(
    "approval",
    metadata,
    Column("approval_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False, comment="names and ids, never a field's value"),
    Column("reason", Text, nullable=False, comment="names and counts, for who decides"),
    Column("owner", Text, nullable=False, comment="department whose data it is about"),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("asked_at", moment(), nullable=False, server_default=text("clock_timestamp()")),
    Column("shown_in", Text, comment="Airflow run whose task shows it"),
    Column("shown_at", moment()),
    Column("decided_at", moment()),
    Column("decided_by", Text, comment="user name of the person who decided"),
    Column("note", Text),
    CheckConstraint("state IN ('waiting', 'approved', 'rejected')", name="state"),
    CheckConstraint(
        "(state = 'waiting') = (decided_at IS NULL) AND (state = 'waiting') = (decided_by IS NULL)",
        name="decided",
    ),
    Index(
        "approval_waiting",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("approval_subject", "kind", "subject", "asked_at"),
)

comparison = Table(
    "comparison",
    metadata,
    Column(
        "comparison_id",
        Uuid,
        primary_key=True,
        comment="keyed digest of the request and the question",
    ),
    Column("request_id", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("asker", Text, nullable=False, comment="account or process that asks"),
    Column("unit", Text, nullable=False, comment="unit for which it asks"),
    Column("case_no", Text),
    Column(
        "subjects",
        ARRAY(LargeBinary),
        nullable=False,
        comment="blind indexes of whom it is about, ordered",
    ),
    Column("state", Text, nullable=False, server_default=text("'asked'")),
    Column("times_asked", Integer, nullable=False, server_default=text("1")),
    Column("asked_at", moment(), nullable=False, server_default=text("now()")),
    Column("answered_at", moment()),
    Column("receipt_no", Text),
    Column(
        "answer_digest",
        LargeBinary,
        comment="keyed digest of answer and proof; the proof is with the asker",
    ),
    Column("error_code", Text),
    CheckConstraint("state IN ('asked', 'answered', 'failed')", name="state"),
    CheckConstraint(
        "(state = 'answered') = (answered_at IS NOT NULL)"
        " AND (state = 'answered') = (answer_digest IS NOT NULL)",
        name="answered",
    ),
    Index("comparison_case", "case_no", "system", "name"),
    Index("comparison_asked", "asked_at"),
)

evidence_entry = Table(
    "evidence_entry",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="1, 2, 3 … no gaps"),
    Column("at", moment(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", JSONB, nullable=False, comment="ids and counts, never a field's value"),
    Column("leaf", LargeBinary, nullable=False, comment="digest of what the entry is about"),
    Column("previous", LargeBinary, nullable=False),
    Column("entry_hash", LargeBinary, nullable=False),
)
