"""The fakes of the stack: which there are, where they listen, whose connections they write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tongban.kernel.settings import Settings, load_settings
from tongban.local import fakes, sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with the accounts of two fakes."""
    made = load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path)})
    made.connections_dir.mkdir()
    accounts = {
        name: {"base_url": "http://127.0.0.1:1", "password": "p", "system": name}
        for name in ("provident_fund", "medical_insurance")
    }
    fakes.folder(made).mkdir()
    (fakes.folder(made) / "accounts.json").write_text(json.dumps(accounts))
    return made


def connection(settings: Settings, name: str) -> dict[str, str]:
    """A connection file's content."""
    return dict(json.loads((settings.connections_dir / f"{name}.json").read_text()))


def test_every_system_has_a_server_of_the_sandbox_or_is_a_fake():
    """Nothing that is declared is left out of the demo."""
    declared = {path.stem for path in (ROOT / "connectors/systems").glob("*.yaml")}

    assert declared == {*sandbox.SYSTEMS, *fakes.systems(ROOT)}
    assert {"provident_fund", "medical_insurance"} <= set(fakes.systems(ROOT))


def test_ports_follow_those_of_the_sandbox(settings):
    """No two services share one."""
    taken = [sandbox.port_of(settings, name) for name in sandbox.SYSTEMS]
    taken += [fakes.control_port(settings)]
    taken += [fakes.port_of(settings, name) for name in fakes.systems(ROOT)]

    assert list(range(settings.port_base + 1, settings.port_base + 1 + len(taken))) == taken


def test_the_hub_gets_a_connection_to_each_fake(settings):
    """Marked, private, and written only when something changed."""
    assert ["provident_fund", "medical_insurance"] == fakes.write_connections(settings)
    path = settings.connections_dir / "provident_fund.json"
    before = path.stat().st_ino

    fakes.write_connections(settings)

    assert "fake" == connection(settings, "provident_fund")["origin"]
    assert 0o600 == path.stat().st_mode & 0o777
    assert before == path.stat().st_ino


def test_a_connection_to_the_real_department_is_left_alone(settings):
    """Whoever connects a department has the last word."""
    real = {"base_url": "https://fund.example.invalid", "password": "real"}
    (settings.connections_dir / "provident_fund.json").write_text(json.dumps(real))

    assert ["medical_insurance"] == fakes.write_connections(settings)
    assert real == connection(settings, "provident_fund")


def test_the_connection_of_a_fake_that_is_gone_goes_too(settings):
    """A DAG would wait for a server that never comes."""
    fakes.write_connections(settings)
    (fakes.folder(settings) / "accounts.json").write_text("{}")

    assert [] == fakes.write_connections(settings)
    assert [] == list(settings.connections_dir.iterdir())


def test_a_project_without_such_systems_has_no_fakes(settings, tmp_path):
    """Nothing to serve, nothing to advance, nothing held."""
    empty = replace(settings, root=tmp_path / "elsewhere")

    assert [] == fakes.systems(empty.root)
    assert {} == fakes.advance(empty) == fakes.holdings(empty)
