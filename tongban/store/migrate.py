"""Migrations: bring a database to the newest schema, from any start, by any number of starters.

One advisory lock and one transaction around everything: of two processes that start at the same
time one does the work and the other finds it done. Nothing is ever dropped here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from tongban.kernel.contracts import Contract
from tongban.store.datasets import ensure_dataset
from tongban.store.engine import open_engine, transaction

HEAD = "r0011"
"""Newest revision; known here so that a start without work does not import Alembic."""

_LOCK = 0x746F6E67_62616E01  # "tongban", 1: schema changes
_SCHEMAS = ("hub", "data", "cases")


def upgrade(url: str) -> None:
    """Migrate the schemas of the database at `url`, without any dataset's table."""
    engine = open_engine(url, pool_size=1)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def migrate(engine: Engine, contracts: Iterable[Contract] = ()) -> None:
    """Migrate the schemas and make or extend the table of every contract; idempotent.

    Raises:
        ConfigInvalid: A contract changes a column's type without a new major version.
        DatabaseUnavailable: Nothing was changed; safe to call again.
    """
    with transaction(engine) as conn:
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _revision(conn) != HEAD:
            for schema in _SCHEMAS:
                conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
            _run_alembic(conn)
        for contract in contracts:
            ensure_dataset(conn, contract)


def _revision(conn: Connection) -> str | None:
    """The revision that the database is at, or None for an empty one."""
    if conn.execute(text("SELECT to_regclass('hub.alembic_version')")).scalar() is None:
        return None
    found: str | None = conn.execute(text("SELECT version_num FROM hub.alembic_version")).scalar()
    return found


def _run_alembic(conn: Connection) -> None:
    """Run the revisions in the open transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
