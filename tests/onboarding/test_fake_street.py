"""A street of fakes: many departments in one process, controlled by whoever has the token."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tongban.kernel.catalog import load_catalog
from tongban.onboarding.fake.server import serving
from tongban.onboarding.fake.street import Street

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT)
PORTS = {"provident_fund": 18_901, "medical_insurance": 18_902}


@pytest.fixture
def street(tmp_path: Path) -> Street:
    """Two departments with twenty records of each dataset."""
    return Street(CATALOG, tmp_path, PORTS, rows=20, seed=5)


@pytest.fixture
def control(street: Street) -> Iterator[str]:
    """Address of the control port."""
    with serving(street) as url:
        yield url


def header(folder: Path) -> dict[str, str]:
    """What shows that we may."""
    return {"X-Fake-Control": (folder / "control_token").read_text().strip()}


def test_a_day_passes_for_all_departments_at_once(control, tmp_path):
    """Each tells how many records moved, and its holdings have grown by what was added."""
    moved = requests.post(f"{control}/advance", headers=header(tmp_path), timeout=9).json()
    held = requests.get(f"{control}/holdings", headers=header(tmp_path), timeout=9).json()

    assert {"provident_fund": 4, "medical_insurance": 2} == moved
    assert {"medical_insured": {"records": 21, "accepted": 21}} == held["medical_insurance"]


@pytest.mark.parametrize("headers", [{}, {"X-Fake-Control": "guess"}])
def test_nobody_moves_a_fake_without_its_token(control, street, headers):
    """Other programs on the machine are not asked to behave."""
    answer = requests.post(f"{control}/advance", headers=headers, timeout=9)

    assert 403 == answer.status_code
    assert 20 == street.holdings()["medical_insurance"]["medical_insured"]["records"]


def test_a_restarted_street_is_the_same(street, tmp_path):
    """Records, seed, size and accounts stay; only the ports follow the stack."""
    street.advance()
    first = json.loads((tmp_path / "accounts.json").read_text())

    again = Street(CATALOG, tmp_path, {n: p + 50 for n, p in PORTS.items()}, rows=99, seed=9)
    second = json.loads((tmp_path / "accounts.json").read_text())

    for name, department in street.departments.items():
        assert department.holdings == again.departments[name].holdings
        assert first[name]["password"] == second[name]["password"] == department.account["password"]
        assert f"http://127.0.0.1:{PORTS[name] + 50}" == second[name]["base_url"]


def test_secrets_of_a_street_are_private(street, tmp_path):
    """The accounts and the token are nobody else's."""
    assert street.departments
    assert {0o600} == {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}


def test_a_department_whose_files_do_not_fit_is_told_and_the_others_are_served(tmp_path):
    """Work on one mapping does not stop the stack of all."""
    for name in ("connectors/systems", "connectors/wsdl", "mappings", "contracts"):
        shutil.copytree(ROOT / name, tmp_path / "root" / name)
    shutil.rmtree(tmp_path / "root/mappings/medical_insurance")

    street = Street(load_catalog(tmp_path / "root"), tmp_path / "state", PORTS, rows=5, seed=0)

    assert ["provident_fund"] == list(street.departments)
    assert ["medical_insurance"] == list(street.broken)
    assert "medical_insured" in street.broken["medical_insurance"]
