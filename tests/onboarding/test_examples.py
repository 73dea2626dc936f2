"""Departments by YAML alone: each is pulled for real from its fake, and no code knows its name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipeline.city import SYSTEMS
from tongban.kernel.catalog import load_catalog
from tongban.kernel.settings import load_settings
from tongban.onboarding.fake import people
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving
from tongban.pipeline import open_hub, transfer
from tongban.subjects import find_subject

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT)
HOW_TO = (ROOT / "docs/how-to/add-a-department.md").read_text(encoding="utf-8")
PROVIDERS = sorted({route.system for route in CATALOG.pull_routes} - set(SYSTEMS))
ROWS = 250
COUNTED = re.compile(r"^\| `(\w+)` \|[^|]*\| (\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)


def lines(*files: Path) -> int:
    """Lines of some files that people write."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)


def written(system: str) -> tuple[int, int, int]:
    """Lines of a system: its own, those of mappings and code tables, those of its contracts."""
    mappings = ROOT / "mappings"
    own = [name for name in CATALOG.datasets if CATALOG.contract(name).owner == system]
    return (
        lines(ROOT / "connectors/systems" / f"{system}.yaml"),
        lines(*(mappings / system).glob("*.yaml"), *(mappings / "codes").glob(f"*.{system}.csv")),
        lines(*(ROOT / "contracts" / name / "v1.yaml" for name in own)),
    )


@pytest.mark.parametrize("system", PROVIDERS)
def test_no_code_names_a_department_that_was_added(system):
    """Otherwise it would not be YAML alone."""
    code = [*(ROOT / "connectors").rglob("*.py"), *(ROOT / "tongban").rglob("*.py")]

    assert [] == [p.name for p in code if system in p.read_text(encoding="utf-8")]


@pytest.mark.postgres
@pytest.mark.parametrize("system", PROVIDERS)
def test_a_department_flows_from_its_fake_into_the_database(system, tmp_path, database_url):
    """Real connector, real pipeline, real PostgreSQL: every row once, and none is refused."""
    settings = replace(
        load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path / "home")}),
        database_url=database_url,
    )
    settings.connections_dir.mkdir(parents=True)
    department = Department(CATALOG, system, rows=ROWS)
    with serving(department) as url:
        account = department.open_account(url, tmp_path)
        path = settings.connections_dir / f"{CATALOG.system(system).connection}.json"
        path.write_text(json.dumps(account))
        with open_hub(settings) as hub:
            loaded = {
                route.dataset: transfer(hub, route.dataset, system=system)[-1]
                for route in CATALOG.pull_routes
                if route.system == system
            }
            numbers = (people.resident_id_of(0), people.credit_code_of(0))
            known = [find_subject(hub, n, purpose="test of a department").known for n in numbers]

    indexed = any(CATALOG.contract(name).indexed for name in loaded)
    assert set(department.holdings) == set(loaded)
    assert {(ROWS, 0)} == {(item.new, item.quarantined) for item in loaded.values()}
    assert indexed == any(known)
    assert {system} >= {item.system for found in known for item in found}


def test_the_how_to_counts_the_lines_of_each_example():
    """System, mappings with code tables, contracts."""
    counted = {name: tuple(map(int, numbers)) for name, *numbers in COUNTED.findall(HOW_TO)}

    assert {"provident_fund", "medical_insurance"} <= set(counted)
    assert counted == {system: written(system) for system in counted}
