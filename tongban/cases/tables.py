"""Tables of the schema `cases`: one row per case, one row per thing that happened to it.

The inside of this package will grow (clocks, steps, supervision); what other packages may rely
on is the acceptance number, the case's state and the three datasets `case_acceptance`,
`case_process` and `case_result` that are made from it.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
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
    PrimaryKeyConstraint("accept_no", "event"),
    comment="what happened to a case, never changed",
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
