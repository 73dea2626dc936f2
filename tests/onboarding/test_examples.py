"""Three departments by YAML alone: each is checked, served by its fake, and pulled for real."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from tongban.kernel.catalog import load_catalog
from tongban.kernel.settings import load_settings
from tongban.normalize import apply
from tongban.onboarding.compiling import compile_problems
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving
from tongban.pipeline import open_hub, transfer
from tongban.rows import compile_dataset
from tongban.subjects import find_subject

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/how-to/examples"
HOW_TO = ROOT / "docs/how-to/add-a-department.md"
SYSTEMS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
DATASETS = [
    (system, dataset)
    for system in SYSTEMS
    for dataset in load_catalog(EXAMPLES / system).system(system).datasets
]
ROWS = 250
COUNTED = re.compile(r"^\| `(\w+)` \|[^|]*\| (\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)


def lines(folder: Path) -> int:
    """Lines of all files below a folder that people write."""
    files = [p for p in folder.rglob("*") if p.suffix in {".yaml", ".csv"}]
    return sum(len(p.read_text(encoding="utf-8").splitlines()) for p in files)


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_example_is_a_catalog_that_the_check_accepts(system):
    """Files alone: nothing in the code knows these departments."""
    catalog = load_catalog(EXAMPLES / system)

    assert [] == catalog.check() + compile_problems(catalog)
    assert {system} == set(catalog.systems)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_code_names_an_example(system):
    """Otherwise it would not be YAML alone."""
    code = [*(ROOT / "connectors").rglob("*.py"), *(ROOT / "tongban").rglob("*.py")]

    assert [] == [p.name for p in code if system in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize(("system", "dataset"), DATASETS)
def test_the_mapping_examples_come_out_as_they_expect(system, dataset):
    """What is printed there is what happens."""
    catalog = load_catalog(EXAMPLES / system)
    plan = compile_dataset(catalog, system, dataset)
    for example in catalog.mapping(system, dataset).examples:
        cells = {n: [_cell(example["given"].get(n))] for n in plan.shape.fields}
        made = apply(plan.normalize, pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)))
        (row,) = made.frame.to_dicts()
        shown = {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()}

        assert example["expect"] == {k: _as(shown[k]) for k in example["expect"]}


def _cell(value: object) -> str | None:
    return None if value is None else str(value)


def _as(value: object) -> object:
    return value if value is None or isinstance(value, bool | int) else str(value)


@pytest.mark.postgres
@pytest.mark.parametrize("system", SYSTEMS)
def test_an_example_flows_from_its_fake_into_the_database(system, tmp_path, database_url):
    """Real connector, real pipeline, real PostgreSQL; people are found by their number."""
    root = EXAMPLES / system
    settings = replace(
        load_settings({"TONGBAN_ROOT": str(root), "TONGBAN_HOME": str(tmp_path / "home")}),
        database_url=database_url,
    )
    settings.connections_dir.mkdir(parents=True)
    department = Department(load_catalog(root), system, rows=ROWS)
    with serving(department) as url:
        account = department.open_account(url, tmp_path)
        (settings.connections_dir / f"{system}.json").write_text(json.dumps(account))
        with open_hub(settings) as hub:
            loaded = [item for d in department.holdings for item in transfer(hub, d)]
            answer = find_subject(hub, "620899195501010017", purpose="test of an example")

    assert len(department.holdings) == len(loaded)
    assert {(ROWS, 0)} == {(item.new + item.same, item.quarantined) for item in loaded}
    assert 1 == len(answer.known)


def test_the_how_to_counts_the_lines_of_each_example():
    """System, mappings with code tables, contracts."""
    counted = {
        name: tuple(map(int, numbers))
        for name, *numbers in COUNTED.findall(HOW_TO.read_text(encoding="utf-8"))
    }

    assert counted == {
        system: tuple(
            lines(EXAMPLES / system / part)
            for part in ("connectors/systems", "mappings", "contracts")
        )
        for system in SYSTEMS
    }
