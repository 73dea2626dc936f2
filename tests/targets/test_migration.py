"""Migrations by diff: Alembic's own comparison, and CHECKs, which it does not compare."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from tests.validate.batches import NO_CODES, contract
from tongban.kernel.contracts import Field
from tongban.store import migrate
from tongban.store.engine import open_engine
from tongban.targets.migration import plain_migration, stored_migration
from tongban.targets.sql import compile_sql

pytestmark = pytest.mark.postgres
OLD = contract(
    Field("no", "编号", "integer", required=True),
    Field("name", "名称", "string", max_length=10),
    Field("price", "价格", "decimal", precision=12, scale=2),
)
NEW = replace(
    OLD,
    version="1.1.0",
    digest="1" * 64,
    fields=(
        OLD.fields[0],
        replace(OLD.fields[1], max_length=20),
        replace(OLD.fields[2], minimum=Decimal(0)),
        Field("day", "日期", "date"),
    ),
)


@pytest.fixture
def engine(database_url):
    """The hub's engine."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


def run(text, conn, name):
    """Run one direction of a revision."""
    space: dict[str, object] = {}
    exec(compile(text, "revision", "exec"), space)  # noqa: S102 - what is tested
    context = MigrationContext.configure(conn)
    with Operations.context(context):
        space[name]()


def test_plain_revision_leads_there_and_back(engine):
    """A column, a CHECK that is new and one that changed."""
    old, new = compile_sql(OLD, NO_CODES), compile_sql(NEW, NO_CODES)
    with engine.connect() as conn:
        text = plain_migration(conn, NEW, old, new)
        conn.rollback()

        old.table.create(conn)
        run(text, conn, "upgrade")
        upgraded = {c["name"] for c in sa.inspect(conn).get_columns("thing_v1")}
        checks = {c["name"] for c in sa.inspect(conn).get_check_constraints("thing_v1")}
        conn.execute(sa.text("INSERT INTO thing_v1 (no, name) VALUES (1, 'twelve chars')"))
        conn.execute(sa.text("DELETE FROM thing_v1"))
        run(text, conn, "downgrade")
        returned = {c["name"] for c in sa.inspect(conn).get_columns("thing_v1")}
        conn.rollback()

    assert {"no", "name", "price", "day"} == upgraded
    assert {"name.length", "price.range", "price.type"} <= checks
    assert {"no", "name", "price"} == returned
    assert "tongban_scratch" not in text


def test_a_column_that_is_altered_leaves_no_trace_of_where_it_was_compared(engine):
    """A long call is written over several lines."""
    other = replace(
        OLD, version="1.0.1", fields=(replace(OLD.fields[0], label="号"), *OLD.fields[1:])
    )
    with engine.connect() as conn:
        text = plain_migration(
            conn, other, compile_sql(OLD, NO_CODES), compile_sql(other, NO_CODES)
        )
        conn.rollback()

    assert "op.alter_column('thing_v1'" in text
    assert "tongban_scratch" not in text


def test_stored_revision_is_empty_where_the_tables_fit_and_adds_what_is_new(engine):
    """Nothing in the database is changed by looking."""
    migrate.migrate(engine, [OLD])
    with engine.connect() as conn:
        same = stored_migration(conn, OLD)
        more = stored_migration(conn, NEW)

    assert 2 == same.count("    pass")
    assert "op.add_column('thing_v1'" in more
    assert "op.add_column('thing_v1_history'" in more
    assert Path(migrate.__file__).is_file()
