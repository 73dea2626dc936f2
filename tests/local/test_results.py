"""Results of a demo: what the hub stores of a fake department is held against what that holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from tongban.kernel.catalog import load_catalog
from tongban.kernel.settings import Settings, load_settings
from tongban.local import fakes, ports, results, watching
from tongban.onboarding.fake.server import serving
from tongban.onboarding.fake.street import Street
from tongban.pipeline import open_hub, transfer
from tongban.store.transfers import begin_transfer

ROOT = Path(__file__).parents[2]
SYSTEM = "provident_fund"
pytestmark = pytest.mark.postgres


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Iterator[Settings]:
    """A home whose street has one served department with thirty records of each dataset."""
    control, port = ports.free_port(), ports.free_port()
    made = load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path)})
    made = replace(made, database_url=database_url, port_base=control - fakes.CONTROL_OFFSET)
    made.connections_dir.mkdir()
    street = Street(load_catalog(ROOT), fakes.folder(made), {SYSTEM: port}, rows=30, seed=1)
    with serving(street, control), serving(street.departments[SYSTEM], port):
        fakes.write_connections(made)
        yield made


def differences(settings: Settings) -> list[str]:
    """What the results say of the fakes."""
    with (
        open_hub(settings) as hub,
        psycopg.connect(str(settings.database_url), row_factory=dict_row) as connection,
    ):
        return results.fake_differences(hub, connection, settings)


def pull(settings: Settings) -> None:
    """Bring what changed at the department."""
    with open_hub(settings) as hub:
        for route in hub.catalog.pull_routes:
            if route.system == SYSTEM:
                transfer(hub, route.dataset, system=SYSTEM)


def test_what_was_not_pulled_is_named_with_its_counts(settings: Settings):
    """Even before any table exists."""
    assert [
        f"fake {SYSTEM} {name}: 30 held, 30 of them right; 0 stored, 0 refused"
        for name in ("provident_account", "provident_deposit")
    ] == differences(settings)


def test_a_day_at_the_department_is_a_difference_until_it_is_pulled(settings: Settings):
    """The verdict follows the department, not the first demo."""
    pull(settings)
    first = differences(settings)

    fakes.advance(settings)
    between = differences(settings)
    pull(settings)

    assert [] == first == differences(settings)
    assert [
        f"fake {SYSTEM} provident_account: 31 held, 31 of them right; 30 stored, 0 refused"
    ] == (between[:1])


def test_what_a_schedule_begins_after_the_demo_is_nobodys_imbalance(settings: Settings):
    """Airflow goes on while the results are read; what the demo left open is still seen."""
    since = watching.now() - timedelta(minutes=1)
    with (
        open_hub(settings) as hub,
        psycopg.connect(str(settings.database_url), row_factory=dict_row) as connection,
    ):
        transfer(hub, "provident_account", system=SYSTEM)
        quiet = watching.now()
        begin_transfer(hub.engine, SYSTEM, "provident_account")

        verdicts = [results.is_balanced(connection, since, x) for x in (quiet, watching.now())]

    assert [True, False] == verdicts
