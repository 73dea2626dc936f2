"""Fixtures for every test: one embedded PostgreSQL per session, one fresh database per test.

`postgres_server` starts on first use only, so that a run without a database never waits for it.
`database_url` clones a migrated template, which takes some 30 ms; it belongs to a role without
special rights, as in the local stack.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from tongban.local import databases, ports, postgres
from tongban.store import migrate

# A busy machine is no failure of the code: no deadline per example.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

TEMPLATE = "hub_template"
PASSWORD = "only-for-tests"
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
    yield from running_server()


def running_server() -> Iterator[str]:
    """Run a PostgreSQL server of its own, for tests that change roles or kill it."""
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
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        databases.ensure_role(connection, databases.HUB, PASSWORD, creates_roles=True)
        databases.ensure_database(connection, TEMPLATE, owner=databases.HUB)
    migrate.upgrade(database_in(postgres_server, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: str, database_template: str) -> Iterator[str]:
    """Give a fresh migrated database of the role `hub`, which is no superuser."""
    yield from fresh_database(postgres_server, f"TEMPLATE {database_template}")


@pytest.fixture
def empty_database_url(postgres_server: str, database_template: str) -> Iterator[str]:  # noqa: ARG001 - makes the role
    """Give a fresh database with nothing in it, for tests of the migrations themselves."""
    yield from fresh_database(postgres_server, "")


def fresh_database(server_url: str, origin: str) -> Iterator[str]:
    """Make a database for one test and drop it afterwards, whoever is still connected."""
    name = f"test_{next(_numbers)}"
    execute(server_url, f"CREATE DATABASE {name} OWNER {databases.HUB} {origin}")
    try:
        yield database_in(server_url, name)
    finally:
        execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def database_in(server_url: str, name: str) -> str:
    """Give the URL of a database on the server, as the role `hub`."""
    place = server_url.partition("@")[2].partition("/")[0]
    return f"postgresql://{databases.HUB}:{PASSWORD}@{place}/{name}"


def execute(server_url: str, statement: str) -> None:
    """Run one statement as the superuser, outside any transaction."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement.encode())
