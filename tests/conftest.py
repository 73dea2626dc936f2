"""Fixtures for every test: one embedded PostgreSQL per session, one fresh database per test.

`postgres_server` starts on first use only, so that a run without a database never waits for it.
`database_url` clones a migrated template, which takes some 30 ms.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tongban.local import ports, postgres

TEMPLATE = "hub_template"
# Tests end with the session: no crash to survive, no memory to waste beside other sessions.
TEST_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "48MB",
    "max_wal_size": "256MB",
}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Run one PostgreSQL server for the session; gives the superuser's URL of `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="tongban-test-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # the server drops root's rights and must reach its data folder
    try:
        yield postgres.start(folder / "pg", ports.free_port(), TEST_OPTIONS)
    finally:
        postgres.stop(folder / "pg")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_template(postgres_server: str) -> str:
    """Make the migrated database that every test clones, once; gives its name."""
    execute(postgres_server, f'CREATE DATABASE "{TEMPLATE}"')
    if importlib.util.find_spec("tongban.store") and importlib.util.find_spec(
        "tongban.store.migrate"
    ):
        migrate = importlib.import_module("tongban.store.migrate")
        migrate.upgrade(database_in(postgres_server, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: str, database_template: str) -> Iterator[str]:
    """Give a fresh migrated database; it is dropped after the test."""
    name = f"test_{next(_numbers)}"
    execute(postgres_server, f'CREATE DATABASE "{name}" TEMPLATE "{database_template}"')
    try:
        yield database_in(postgres_server, name)
    finally:
        execute(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """Give a fresh database with nothing in it, for tests of the migrations themselves."""
    name = f"empty_{next(_numbers)}"
    execute(postgres_server, f'CREATE DATABASE "{name}"')
    try:
        yield database_in(postgres_server, name)
    finally:
        execute(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


def database_in(server_url: str, name: str) -> str:
    """Give the URL of another database on the same server."""
    return server_url.rsplit("/", 1)[0] + "/" + name


def execute(server_url: str, statement: str) -> None:
    """Run one statement outside any transaction."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement.encode())
