"""Fixtures: a small city behind its six real servers, with connection files of a home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sandbox.population import populate
from tests.sandbox.servers.town import Town

SYSTEMS = ("tax", "registration", "housing", "social", "market", "substation")


@pytest.fixture(scope="session")
def small_city(tmp_path_factory):
    """The state of a city of 60 people, made once."""
    folder = tmp_path_factory.mktemp("small-city") / "state"
    populate(folder, people=60, seed=5)
    return folder


class Street:
    """Running departments and the home of a data engineer who has their connections."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.home = folder / "home"
        self.town = Town(folder / "city", builder=lambda to: shutil.copytree(template, to))

    def connect(self, *systems: str, **changes: object) -> None:
        """Write the connection files of some systems; changes overwrite their fields."""
        folder = self.home / "connections"
        folder.mkdir(parents=True, exist_ok=True)
        for name in systems:
            account = {**self.town.account(name), "base_url": self.town.url(name), **changes}
            (folder / f"{name}.json").write_text(json.dumps(account), encoding="utf-8")


@pytest.fixture
def street(small_city, tmp_path, monkeypatch):
    """Running departments; the command line looks for connections in the street's home."""
    found = Street(small_city, tmp_path)
    monkeypatch.setenv("TONGBAN_HOME", str(found.home))
    try:
        yield found
    finally:
        found.town.stop()
