"""One populated city per session, one running copy and one fresh database per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.city import CityHub, make_template


@pytest.fixture(scope="session")
def city_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of all six systems before anybody asked them anything."""
    return make_template(tmp_path_factory.mktemp("city") / "state")


@pytest.fixture
def city(city_template: Path, tmp_path: Path, database_url: str) -> Iterator[CityHub]:
    """A running city and a connected hub."""
    running = CityHub(city_template, tmp_path, database_url)
    try:
        yield running
    finally:
        running.close()
