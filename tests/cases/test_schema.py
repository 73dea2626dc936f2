"""The schema `cases`: what the migration makes is what the code queries, also after an old run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

from tongban.cases.tables import metadata
from tongban.store import migrate as migrations
from tongban.store.engine import open_engine

pytestmark = pytest.mark.postgres

BEFORE = """
CREATE SCHEMA cases;
CREATE TABLE cases.gov_case (
    accept_no TEXT PRIMARY KEY, application_no TEXT NOT NULL UNIQUE, application_id UUID NOT NULL,
    item_code TEXT NOT NULL, item_name TEXT NOT NULL, unit_no TEXT, applicant_index BYTEA,
    state TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL, accepted_at TIMESTAMPTZ NOT NULL,
    promised_on DATE NOT NULL, contract_no TEXT, contract_at TIMESTAMPTZ, ticket_no TEXT,
    paid_at TIMESTAMPTZ, business_no TEXT, certificate_no TEXT, registered_at TIMESTAMPTZ,
    changed_at TIMESTAMPTZ NOT NULL, is_told BOOLEAN DEFAULT false NOT NULL);
CREATE TABLE cases.case_event (
    accept_no TEXT NOT NULL, event TEXT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL,
    source_dataset TEXT NOT NULL, source_key TEXT NOT NULL,
    recorded_at TIMESTAMPTZ DEFAULT now() NOT NULL, PRIMARY KEY (accept_no, event));
INSERT INTO cases.case_event VALUES ('1', 'ACCEPTED', now(), 'online_application', 'A1');
"""


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """A database with nothing in it."""
    found = open_engine(empty_database_url)
    yield found
    found.dispose()


def differences(engine: Engine) -> list[object]:
    """What the tables of the code and of the database do not share."""
    with engine.connect() as conn:
        context = MigrationContext.configure(
            conn,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, parents: kind != "schema" or name == "cases",
                "include_object": lambda item, name, kind, reflected, other: (
                    kind != "index" or not name.startswith("gov_case_")
                ),
                "compare_server_default": True,
                "version_table_schema": "hub",
            },
        )
        return compare_metadata(context, metadata)


def test_the_migrated_schema_is_the_one_that_the_code_queries(engine: Engine):
    """Revisions and table definitions never drift apart."""
    migrations.migrate(engine)

    assert [] == differences(engine)


def test_a_database_whose_tables_a_run_has_made_is_extended_and_keeps_its_events(engine: Engine):
    """Its events get a key, so that one may happen twice."""
    with engine.begin() as conn:
        conn.exec_driver_sql(BEFORE)

    migrations.migrate(engine)

    key = inspect(engine).get_pk_constraint("case_event", schema="cases")
    assert ["accept_no", "event", "step", "event_key"] == key["constrained_columns"]
    assert [] == differences(engine)
    with engine.connect() as conn:
        assert 1 == conn.exec_driver_sql("SELECT count(*) FROM cases.case_event").scalar()
