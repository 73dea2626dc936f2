"""Two systems provide one dataset: each has its own transfers, cursor and refused rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from tests.pipeline.halls import DATASET, make_halls
from tongban import pipeline
from tongban.cli import build
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.settings import load_settings
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving
from tongban.pipeline import Hub, open_hub
from tongban.replay import replay
from tongban.share.catalog import freshness
from tongban.subjects import find_subject

pytestmark = pytest.mark.postgres
HALLS = {"north": "n", "south": "s"}
ROWS = 120
PERSON = "620899195501010017"  # the first one that every fake has


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[Hub]:
    """A hub that is connected to two halls with the same numbers in use."""
    root = make_halls(tmp_path / "root", **HALLS)
    given = {"TONGBAN_ROOT": str(root), "TONGBAN_HOME": str(tmp_path / "home")}
    settings = replace(load_settings(given), database_url=database_url)
    settings.connections_dir.mkdir(parents=True)
    with ExitStack() as stack:
        for name in HALLS:
            department = Department(load_catalog(root), name, rows=ROWS)
            account = department.open_account(stack.enter_context(serving(department)), tmp_path)
            (settings.connections_dir / f"{name}.json").write_text(json.dumps(account))
        yield stack.enter_context(open_hub(settings))


def rows(hub: Hub, sql: str) -> list[tuple]:
    """Ask the hub's database."""
    with psycopg.connect(str(hub.settings.database_url)) as conn:
        return conn.execute(sql.encode()).fetchall()


def test_equal_numbers_of_two_providers_are_two_records(hub: Hub):
    """Their keys never collide."""
    (north,) = pipeline.transfer(hub, DATASET, system="north")
    (south,) = pipeline.transfer(hub, DATASET, system="south")

    assert (ROWS, ROWS) == (north.new, south.new)
    assert [("n", ROWS), ("s", ROWS)] == rows(
        hub, "SELECT hall, count(*) FROM data.visit_v1 GROUP BY 1 ORDER BY 1"
    )
    shared = "SELECT count(DISTINCT visit_no) FROM data.visit_v1"
    assert [(ROWS,)] == rows(hub, shared)


def test_transfers_cursors_and_leases_are_each_providers_own(hub: Hub):
    """What one of them brought says nothing about the other."""
    pipeline.transfer(hub, DATASET, system="south")

    assert [("south",)] == rows(hub, "SELECT system FROM hub.cursor")
    assert [("south",)] == rows(hub, "SELECT system FROM hub.lease")

    (later,) = pipeline.transfer(hub, DATASET, system="north")

    assert ROWS == later.new
    assert [("north",), ("south",)] == rows(hub, "SELECT system FROM hub.cursor ORDER BY 1")


def test_a_landing_knows_from_whom_it_is(hub: Hub):
    """A load, and a replay, need its id alone."""
    pipeline.transfer(hub, DATASET, system="north")
    landed = pipeline.pull(hub, DATASET, system="south")

    (done,) = replay(hub, landed.landing_id).loaded

    assert ROWS == done.new


def test_a_pull_without_a_system_names_the_choices(hub: Hub):
    """Nothing is called before somebody chose."""
    with pytest.raises(ConfigInvalid, match="north, south"):
        pipeline.pull(hub, DATASET)

    assert [(0,)] == rows(hub, "SELECT count(*) FROM hub.transfer")


def test_the_command_takes_the_system(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """Without it exit code and message say what is missing."""
    monkeypatch.setenv("TONGBAN_ROOT", str(hub.settings.root))
    monkeypatch.setenv("TONGBAN_HOME", str(hub.settings.home))
    monkeypatch.setenv("TONGBAN_DATABASE_URL", str(hub.settings.database_url))

    vague = CliRunner().invoke(build(), ["pull", DATASET])
    clear = CliRunner().invoke(build(), ["pull", DATASET, "--system", "north", "--json"])

    assert isinstance(vague.exception, ConfigInvalid)
    assert 0 == clear.exit_code, clear.output
    assert ROWS == json.loads(clear.output)[0]["new"]


def test_a_person_is_found_with_the_system_that_knows_him(hub: Hub):
    """The contract's owner is nobody whom one could ask."""
    for name in HALLS:
        pipeline.transfer(hub, DATASET, system=name)

    known = find_subject(hub, PERSON, purpose="test of two halls").known

    assert {"north", "south"} == {item.system for item in known}


def test_a_dataset_is_as_fresh_as_its_oldest_provider(hub: Hub):
    """What is promised holds for every record."""
    pipeline.transfer(hub, DATASET, system="north")
    first = freshness(hub.engine)[DATASET]
    pipeline.transfer(hub, DATASET, system="south")
    pipeline.transfer(hub, DATASET, system="south")

    assert first == freshness(hub.engine)[DATASET]
