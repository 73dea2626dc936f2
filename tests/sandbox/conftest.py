"""Cities of 2,000 residents, built once per test run and never changed by a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from sandbox.city.build import City, build_city
from sandbox.injection import Injected, inject_defects
from sandbox.population import populate

TODAY = date(2026, 11, 24)
PEOPLE = 2000
SEED = 11


@dataclass(frozen=True)
class Spoiled:
    """A city with defects in it, and what was done to it."""

    city: City
    injected: Injected


@pytest.fixture(scope="session")
def clean_city() -> City:
    """A city without any defect."""
    return build_city(PEOPLE, SEED, TODAY)


@pytest.fixture(scope="session")
def spoiled() -> Spoiled:
    """The same city after the injection of defects."""
    city = build_city(PEOPLE, SEED, TODAY)
    return Spoiled(city, inject_defects(city))


@pytest.fixture(scope="session")
def populated(tmp_path_factory) -> Path:
    """A state folder of the same city; tests only read it."""
    folder = tmp_path_factory.mktemp("state")
    populate(folder, PEOPLE, SEED, today=TODAY)
    return folder


@pytest.fixture
def small_state(tmp_path) -> Path:
    """A state folder of a small city that a test may change."""
    populate(tmp_path / "state", 300, 5, today=TODAY)
    return tmp_path / "state"
