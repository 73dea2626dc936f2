"""Hubs for the audit's tests: an empty one per test, and one audited city per module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.population import populate
from tests.conftest import database_in, execute
from tests.quality.loading import Office
from tongban.hub import open_hub
from tongban.kernel.settings import load_settings
from tongban.local import databases

ROOT = Path(__file__).parents[2]
PEOPLE = 2000
_numbers = itertools.count(1)


def open_office(url: str, home: Path) -> Office:
    """A hub with the project's own catalog."""
    settings = {
        "TONGBAN_ROOT": str(ROOT),
        "TONGBAN_HOME": str(home),
        "TONGBAN_DATABASE_URL": url,
    }
    return Office(open_hub(load_settings(settings)))


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """An empty hub with the project's own catalog."""
    made = open_office(database_url, tmp_path / "home")
    yield made
    made.hub.close()


@pytest.fixture(scope="module")
def city_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city with three times the usual number of defects."""
    folder = tmp_path_factory.mktemp("city")
    populate(folder, PEOPLE, seed=11, defect_rate=0.045)
    return folder


@pytest.fixture(scope="module")
def shared_office(
    postgres_server: str, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """A hub for all tests of a module that only look."""
    name = f"audited_{next(_numbers)}"
    origin = f"OWNER {databases.HUB} TEMPLATE {database_template}"
    execute(postgres_server, f"CREATE DATABASE {name} {origin}")
    made = open_office(database_in(postgres_server, name), tmp_path_factory.mktemp("home"))
    try:
        yield made
    finally:
        made.hub.close()
        execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def city(shared_office: Office, city_dir: Path) -> Office:
    """A hub that has loaded the city."""
    shared_office.city(city_dir)
    return shared_office
