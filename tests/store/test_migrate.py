"""Migrations: from nothing to the newest schema, by one starter or by two at once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tests.store.samples import PARTY, PAYMENT, PAYMENT_FIELDS
from tongban.kernel.contracts import Field
from tongban.kernel.errors import ConfigInvalid
from tongban.store import migrate as migrations
from tongban.store.datasets import dataset_table, history_table
from tongban.store.engine import open_engine
from tongban.store.evidence_tables import metadata

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty_engine(empty_database_url):
    """An engine on a database with nothing in it."""
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


def columns_of(engine, table):
    """Column names of a table of the schema data."""
    return [c["name"] for c in inspect(engine).get_columns(table, schema="data")]


def test_the_newest_revision_is_the_one_that_the_code_names():
    """Else every start would import Alembic, or skip a revision."""
    config = Config()
    config.set_main_option("script_location", "tongban:store/migrations")

    assert migrations.HEAD == ScriptDirectory.from_config(config).get_current_head()


def test_the_migrated_schema_is_the_one_that_the_code_queries(empty_engine):
    """Revisions and table definitions never drift apart."""
    migrations.migrate(empty_engine)

    with empty_engine.connect() as conn:
        context = MigrationContext.configure(
            conn,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, parents: kind != "schema" or name == "hub",
                "compare_server_default": True,
                "version_table_schema": "hub",
            },
        )
        assert [] == compare_metadata(context, metadata)


def test_migrating_twice_changes_nothing(empty_engine):
    """Every start may migrate."""
    migrations.migrate(empty_engine, [PAYMENT, PARTY])
    before = inspect(empty_engine).get_table_names(schema="data")

    migrations.migrate(empty_engine, [PAYMENT, PARTY])

    assert before == inspect(empty_engine).get_table_names(schema="data")


def test_two_starters_at_once_both_find_the_schema_ready(empty_database_url):
    """Scheduler and worker start together on a fresh database."""
    failures = []

    def start():
        engine = open_engine(empty_database_url)
        try:
            migrations.migrate(engine, [PAYMENT, PARTY])
        except Exception as exc:  # noqa: BLE001 - any failure fails the test
            failures.append(exc)
        finally:
            engine.dispose()

    starters = [threading.Thread(target=start) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()

    assert [] == failures


def test_dataset_table_has_envelopes_for_classified_fields_and_types_for_the_others():
    """The contract decides the table."""
    table = dataset_table(PAYMENT)

    assert "BYTEA" == table.c.payer_name.type.compile(dialect=postgres_dialect())
    assert "NUMERIC(18, 2)" == table.c.paid_amount.type.compile(dialect=postgres_dialect())
    assert "payer_id_no_index" in table.c
    assert "payer_name_index" not in table.c
    assert not table.c.ticket_no.nullable
    assert "税票号" == table.c.ticket_no.comment


def test_history_table_requires_no_field():
    """An old version stays storable whatever later contracts require."""
    optional = {"record_id", "version", "row_digest", "transfer_id", "stored_at", "replaced_at"}

    assert optional == {c.name for c in history_table(PAYMENT).columns if not c.nullable}


def test_new_optional_field_extends_the_table_and_keeps_its_rows(empty_engine):
    """A minor version of a contract needs no new table."""
    migrations.migrate(empty_engine, [PAYMENT])
    wider = replace(
        PAYMENT,
        fields=(*PAYMENT_FIELDS, Field("remark", "备注", "string", index="remark")),
        version="1.1.0",
        digest="1" * 64,
    )

    migrations.migrate(empty_engine, [wider])

    assert "remark" in columns_of(empty_engine, "payment_v1")
    assert "remark" in columns_of(empty_engine, "payment_v1_history")


def test_field_that_is_no_longer_required_may_be_null(empty_engine):
    """Loosening is additive too."""
    migrations.migrate(empty_engine, [PAYMENT])
    fields = tuple(f for f in PAYMENT_FIELDS if f.name != "payer_name")
    loose = replace(
        PAYMENT,
        fields=tuple(replace(f, required=f.name in PAYMENT.key) for f in fields),
        digest="2" * 64,
    )

    migrations.migrate(empty_engine, [loose])

    nullable = {
        c["name"]: c["nullable"]
        for c in inspect(empty_engine).get_columns("payment_v1", schema="data")
    }
    assert nullable["changed_at"]


def test_changed_type_is_refused_and_names_the_remedy(empty_engine):
    """A column never changes its meaning in place."""
    migrations.migrate(empty_engine, [PAYMENT])
    fields = tuple(replace(f, type="date") if f.name == "paid_at" else f for f in PAYMENT_FIELDS)

    with pytest.raises(ConfigInvalid, match=r"paid_at is DATE.*raise the contract's major version"):
        migrations.migrate(empty_engine, [replace(PAYMENT, fields=fields, digest="3" * 64)])


def test_field_with_the_name_of_a_hub_column_is_refused():
    """Else two columns would share one name."""
    field = Field("version", "版本", "integer")

    with pytest.raises(ConfigInvalid, match="'version' is a column of the hub's own"):
        dataset_table(replace(PAYMENT, fields=(*PAYMENT_FIELDS, field)))


def test_major_version_gets_a_table_of_its_own(empty_engine):
    """Two majors live side by side."""
    second = replace(PAYMENT, version="2.0.0")

    migrations.migrate(empty_engine, [PAYMENT, second])

    names = inspect(empty_engine).get_table_names(schema="data")
    assert {"payment_v1", "payment_v2"} <= set(names)


def test_registry_knows_which_contract_version_a_table_fits(empty_engine):
    """The console shows it without reading any YAML."""
    migrations.migrate(empty_engine, [PAYMENT])

    with empty_engine.connect() as conn:
        row = conn.execute(text("SELECT dataset, version FROM hub.dataset")).one()
    assert ("payment", "1.0.0") == tuple(row)


def postgres_dialect():
    """PostgreSQL's dialect for compiling types."""
    from sqlalchemy.dialects import postgresql

    return postgresql.dialect()
