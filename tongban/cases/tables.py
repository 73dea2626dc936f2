"""Tables of the schema `cases`: one row per case, one row per thing that happened to it.

The inside of this package will grow (clocks, steps, supervision); what other packages may rely
on is the acceptance number, the case's state and the three datasets `case_acceptance`,
`case_process` and `case_result` that are made from it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

CASES = "cases"
metadata = MetaData(schema=CASES)

number_block = Table(
    "number_block",
    metadata,
    Column("day", Date, primary_key=True),
    Column("last_serial", Integer, nullable=False),
    comment="last serial of the acceptance numbers of a day",
)

gov_case = Table(
    "gov_case",
    metadata,
    Column("accept_no", Text, primary_key=True),
    Column("application_no", Text, nullable=False),
    Column("application_id", Uuid, nullable=False, comment="record of online_application"),
    Column("item_code", Text, nullable=False),
    Column("item_name", Text, nullable=False),
    Column("unit_no", Text),
    Column("applicant_index", LargeBinary, comment="blind index of the applicant's number"),
    Column("state", Text, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    Column("promised_on", Date, nullable=False),
    Column("contract_no", Text),
    Column("contract_at", DateTime(timezone=True)),
    Column("ticket_no", Text),
    Column("paid_at", DateTime(timezone=True)),
    Column("business_no", Text),
    Column("certificate_no", Text),
    Column("registered_at", DateTime(timezone=True)),
    Column("promise_days", Integer, comment="working days promised when it was accepted"),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("is_told", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("application_no"),
    comment="one row per acceptance number (受理号)",
)

case_event = Table(
    "case_event",
    metadata,
    Column("accept_no", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("source_dataset", Text, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("step", Text, nullable=False, server_default=""),
    Column(
        "event_key", Text, nullable=False, server_default="", comment="tells repeated ones apart"
    ),
    Column("days", Integer, comment="working days of an extension"),
    Column("notice_no", Text, comment="paper that told the applicant"),
    PrimaryKeyConstraint("accept_no", "event", "step", "event_key"),
    comment="what happened to a case, never changed",
)

number_reservation = Table(
    "number_reservation",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("window_code", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("first_serial", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("reserved_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("day", "first_serial"),
    comment="blocks of acceptance numbers, for windows that may be offline",
)

number_use = Table(
    "number_use",
    metadata,
    Column("accept_no", Text, primary_key=True),
    Column("window_code", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("window_code", "request_id"),
    comment="which request used a number of a block",
)

alias = Table(
    "alias",
    metadata,
    Column("alias", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("accept_no", Text, nullable=False),
    PrimaryKeyConstraint("alias", "system", "kind", "accept_no"),
    comment="numbers of departments and the substation, and the case that each means",
)

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("is_working", Boolean, nullable=False),
    Column("ordinal", Integer, nullable=False, comment="working days up to it, itself included"),
    Column("source", Text, nullable=False, comment="official, projected, local or assumed"),
    Index("calendar_day_ordinal", "ordinal", unique=True, postgresql_where=text("is_working")),
    comment="the calendar in force: a deadline is the working day with a known ordinal",
)

calendar_revision = Table(
    "calendar_revision",
    metadata,
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("revision", Text, nullable=False),
    Column("official_until", Date),
    Column("loaded_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("moved", Integer, nullable=False, comment="open clocks whose last day moved"),
    comment="calendars that were in force, the last one is",
)

clock = Table(
    "clock",
    metadata,
    Column("accept_no", Text, nullable=False),
    Column("clock", Text, nullable=False, comment="pre_check, promise, legal, delivery, step:…"),
    Column("epoch", Integer, nullable=False),
    Column("state", Text, nullable=False, comment="runs, stands or ended"),
    Column("limit_days", Integer, nullable=False),
    Column("used_days", Integer, nullable=False, comment="before the present interval"),
    Column("since_on", Date, comment="the present interval began"),
    Column("due_on", Date),
    Column("is_provisional", Boolean, nullable=False),
    Column("is_overdue", Boolean, nullable=False, comment="passed when it last stopped"),
    PrimaryKeyConstraint("accept_no", "clock"),
    Index("clock_due", "due_on", postgresql_where=text("state = 'runs'")),
    comment="one row per clock of a case, as of its last event",
)

clock_interval = Table(
    "clock_interval",
    metadata,
    Column("accept_no", Text, nullable=False),
    Column("clock", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("counts", Boolean, nullable=False),
    Column("began_on", Date, nullable=False),
    Column("ended_on", Date),
    Column("rule", Text, nullable=False),
    PrimaryKeyConstraint("accept_no", "clock", "seq"),
    comment="when each clock counted or stood, and by which rule",
)


def ensure_tables(conn: Connection) -> None:
    """Create the schema and what is missing in it; safe to call at every start."""
    conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {CASES}"))
    metadata.create_all(conn)
    conn.execute(
        text(
            "CREATE INDEX IF NOT EXISTS gov_case_open ON cases.gov_case (unit_no)"
            " WHERE state <> 'DONE'"
        )
    )
    conn.execute(
        text(
            "CREATE INDEX IF NOT EXISTS gov_case_untold ON cases.gov_case (accept_no)"
            " WHERE NOT is_told"
        )
    )
