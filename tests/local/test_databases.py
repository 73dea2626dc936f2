"""Databases and roles of the local stack: made once, owned by roles without special rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import running_server
from tongban.kernel.errors import DatabaseUnavailable, StackBroken
from tongban.local import databases, ports

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run a server of our own: these tests give the role `hub` another password."""
    yield from running_server()


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file in which the roles' passwords are kept."""
    return tmp_path_factory.mktemp("roles") / "roles.json"


@pytest.fixture(scope="module")
def urls(server: str, passwords: Path) -> databases.DatabaseUrls:
    """Make the two databases on the server."""
    return databases.embedded_urls(server, passwords)


def test_both_databases_answer_their_own_role(urls: databases.DatabaseUrls) -> None:
    """Each URL is complete."""
    assert databases.answers(urls.hub)
    assert databases.answers(urls.airflow)


def test_making_them_again_changes_no_url(
    server: str, passwords: Path, urls: databases.DatabaseUrls
) -> None:
    """Every `up` asks for them."""
    assert urls == databases.embedded_urls(server, passwords)


def test_role_of_the_hub_is_no_superuser(urls: databases.DatabaseUrls) -> None:
    """Row security binds it."""
    with psycopg.connect(urls.hub) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert (False, False) == row


def test_airflow_may_not_enter_the_hubs_database(
    urls: databases.DatabaseUrls, passwords: Path
) -> None:
    """A hole in Airflow's own SQL shows no record."""
    password = json.loads(passwords.read_text(encoding="utf-8"))["airflow"]
    place = urls.hub.partition("@")[2]

    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(f"postgresql://airflow:{password}@{place}")


def test_urls_are_not_shown(urls: databases.DatabaseUrls) -> None:
    """They hold passwords."""
    assert "postgresql://" not in repr(urls)


def test_existing_server_gets_a_database_beside_the_given_one(server: str) -> None:
    """One server serves the hub and Airflow."""
    found = databases.existing_urls(server)

    assert server == found.hub
    assert found.airflow.endswith("/postgres_airflow")
    assert databases.answers(found.airflow)


def test_missing_right_to_create_is_said_clearly(empty_database_url: str) -> None:
    """The message names the database that somebody else has to make."""
    with pytest.raises(StackBroken, match=r"database test_\d+_airflow .* may not create"):
        databases.existing_urls(empty_database_url)


def test_url_without_a_database_is_refused(server: str) -> None:
    """A server alone is not enough."""
    with pytest.raises(StackBroken, match="names no database"):
        databases.existing_urls(server.rpartition("/")[0])


def test_silent_server_is_our_error_without_the_password() -> None:
    """Host, port and role are told; the password is not."""
    url = f"postgresql://hub:canary@127.0.0.1:{ports.free_port()}/hub"

    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:\d+ let us not in as hub") as told:
        databases.existing_urls(url)
    assert "canary" not in str(told.value)
    assert not databases.answers(url)


def test_revision_of_an_empty_database_is_none(empty_database_url: str) -> None:
    """Airflow has not been there."""
    assert databases.airflow_revision(empty_database_url) is None
