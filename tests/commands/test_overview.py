"""`tongban transfers` shows where everything stands, and says by its exit code if it is right."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.pipeline.city import CityHub, city, city_template  # noqa: F401 - fixtures
from tongban.commands.overview import app


@pytest.fixture
def environment(city: CityHub) -> dict[str, str]:  # noqa: F811 - the fixture of that name
    """The settings of the city's hub, as a shell would have them."""
    return {
        "TONGBAN_HOME": str(city.settings.home),
        "TONGBAN_DATABASE_URL": city.database_url,
        "TONGBAN_ROOT": str(city.settings.root),
    }


def test_routes_and_quarantine_are_counted(city: CityHub, environment: dict[str, str]):  # noqa: F811
    """The JSON holds one line per route and the open refusals."""
    (loaded,) = city.pull("house_unit")

    result = CliRunner().invoke(app, ["--json"], env=environment)

    shown = json.loads(result.output)
    (route,) = [r for r in shown["routes"] if r["direction"] == "pull"]
    assert (loaded.read, loaded.quarantined) == (route["read"], route["quarantined"])
    assert [] == shown["tables_off"]


def test_a_row_that_vanished_from_its_table_is_noticed(
    city: CityHub,  # noqa: F811
    environment: dict[str, str],
):
    """Somebody deleted a stored record behind the hub's back: exit code 1."""
    import psycopg

    city.pull("house_unit")
    with psycopg.connect(city.database_url) as conn:
        conn.execute(
            "DELETE FROM data.house_unit_v1 WHERE record_id ="
            " (SELECT record_id FROM data.house_unit_v1 LIMIT 1)"
        )

    result = CliRunner().invoke(app, [], env=environment)

    assert 1 == result.exit_code
    assert "house_unit: the table does not match its counts" in result.output
