"""A small city behind its six real servers, and a hub that is connected to it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from sandbox import truth
from sandbox.population import populate
from tests.sandbox.servers.town import Town
from tongban.kernel.settings import Settings, load_settings
from tongban.pipeline import Hub, Loaded, Pushed, open_hub, push, transfer

ROOT = Path(__file__).parents[2]
SYSTEMS = ("tax", "registration", "housing", "social", "market", "substation")
PEOPLE = 400
SEED = 11


def make_template(folder: Path) -> Path:
    """Populate the city once; every test copies its state."""
    populate(folder, people=PEOPLE, seed=SEED)
    return folder


class CityHub:
    """The hub and the city that it is connected to, for one test."""

    def __init__(self, template: Path, folder: Path, database_url: str) -> None:
        state = folder / "city"
        self.town = Town(state, builder=lambda target: shutil.copytree(template, target))
        self.database_url = database_url
        settings = load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(folder / "hub")})
        self.settings: Settings = replace(settings, database_url=database_url)
        self._write_connections()
        self.hub: Hub = open_hub(self.settings)

    def _write_connections(self) -> None:
        folder = self.settings.connections_dir
        folder.mkdir(parents=True)
        for system in SYSTEMS:
            account = {**self.town.account(system), "base_url": self.town.url(system)}
            (folder / f"{system}.json").write_text(json.dumps(account), encoding="utf-8")

    def pull(self, *datasets: str) -> list[Loaded]:
        """Pull and load some datasets, or all that the six systems have."""
        routes = [r for r in self.hub.catalog.pull_routes if r.system in SYSTEMS]
        wanted = [next(r for r in routes if name in r.datasets) for name in datasets]
        return [
            item
            for route in wanted or routes
            for item in transfer(self.hub, route.dataset, system=route.system)
        ]

    def push_all(self) -> dict[str, Pushed]:
        """Send everything that is due; route name → what was delivered."""
        routes = self.hub.catalog.push_routes
        return {r.name: push(self.hub, r.target, r.dataset) for r in routes}

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the hub's database."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as conn:
            return conn.execute(sql.encode(), values).fetchall()

    def one(self, sql: str, *values: Any) -> Any:
        """The single value of a question to the hub's database."""
        (row,) = self.rows(sql, *values)
        return next(iter(row.values()))

    def truth_counts(self, expect: str) -> Counter[str]:
        """Records of each dataset that the city knows to be of that kind."""
        lines = truth.load(self.town.state_dir)
        return Counter(line.dataset for line in lines if line.expect == expect)

    def close(self) -> None:
        """Stop servers and connections."""
        self.hub.close()
        self.town.stop()


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
