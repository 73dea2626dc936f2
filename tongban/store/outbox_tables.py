"""Tables of delivery: what each target must still get, what is on its way, what was deleted."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from tongban.store.schema import metadata, moment

PENDING_STATES = ("queued", "sent", "waiting_parent")
"""Outbox states that a worker takes up again by itself."""

outbox = Table(
    "outbox",
    metadata,
    Column("target", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'queued'")),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("queued_at", moment(), nullable=False, server_default=text("now()")),
    Column("next_try_at", moment(), nullable=False, server_default=text("now()")),
    Column("sent_at", moment(), comment="last time that it went out"),
    Column("closed_at", moment(), comment="when it reached a state that no worker takes up"),
    Column("digest", LargeBinary, comment="keyed digest of the delivered document"),
    Column("receipt_no", Text),
    Column("code", Text, comment="the target's own code of the last answer"),
    Column("answer_sealed", LargeBinary, comment="the target's words; may quote the record"),
    Column("transfer_id", Uuid, comment="push transfer that delivered it"),
    Column("held_by", Uuid, comment="transfer whose push waits for a person; null for none"),
    Column("op", Text, comment="operation of the last time that it went out"),
    Column("tried_at", moment(), comment="first try; parking counts from here"),
    Column(
        "rank_at",
        moment(),
        nullable=False,
        server_default=text("now()"),
        comment="place in the queue: when queued, or earlier where a case runs out of time",
    ),
    PrimaryKeyConstraint("record_id", "target", "dataset", "version"),
    CheckConstraint(
        "state IN ('queued', 'sent', 'waiting_parent', 'accepted', 'duplicate', 'rejected',"
        " 'parked', 'superseded', 'withheld')",
        name="state",
    ),
    CheckConstraint("op IN ('I', 'U', 'D')", name="op"),
    Index(
        "outbox_pending",
        "target",
        "dataset",
        "rank_at",
        "seq",
        postgresql_where=text("state IN ('queued', 'sent', 'waiting_parent')"),
    ),
    Index("outbox_held", "held_by", postgresql_where=text("held_by IS NOT NULL")),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("dataset", Text, nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False, comment="version that the deletion is"),
    Column("changed_at", moment(), comment="when the source deleted it, as far as it says"),
    Column("transfer_id", Uuid, nullable=False),
    Column("deleted_at", moment(), nullable=False, server_default=text("now()")),
    Column("returned_at", moment(), comment="when the record came back; null while it is gone"),
    PrimaryKeyConstraint("dataset", "record_id", "version"),
)

push_mark = Table(
    "push_mark",
    metadata,
    Column(
        "lock_no",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="advisory lock that the living worker holds",
    ),
    Column("target", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column(
        "keys",
        LargeBinary,
        nullable=False,
        comment="record id and version of each row, 20 bytes each",
    ),
    Column("begun_at", moment(), nullable=False, server_default=text("now()")),
)
