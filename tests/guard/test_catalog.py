"""Every YAML and CSV of the repository loads, and everything fits together."""

from __future__ import annotations

import pytest
import yaml

from tests.guard.repository import ROOT, files
from tongban.changes import release_problems
from tongban.changes.releases import unreleased
from tongban.kernel.catalog import load_catalog
from tongban.rows import compile_dataset

YAMLS = [p for p in files() if p.suffix in {".yaml", ".yml"}]
CATALOG = load_catalog(ROOT)
ROUTES = [(route.system, name) for route in CATALOG.pull_routes for name in route.datasets]


def test_every_yaml_is_readable():
    """Whoever reads it."""
    assert len(YAMLS) > 50
    assert [] == [p.name for p in YAMLS if not yaml.safe_load(p.read_text(encoding="utf-8"))]


def test_the_catalog_has_no_problem():
    """What `bin/tongban check` prints; nothing."""
    assert [] == load_catalog(ROOT).check()


def test_every_contract_says_what_was_released_under_its_version():
    """`bin/tongban contract release --bump` records a change that is meant."""
    assert [] == release_problems(CATALOG)
    assert [] == unreleased(CATALOG)


@pytest.mark.parametrize(("system", "dataset"), ROUTES)
def test_every_pulled_dataset_compiles(system: str, dataset: str):
    """Decoder shape, mapping operations and rules fit each other."""
    assert compile_dataset(CATALOG, system, dataset).contract.dataset == dataset


def test_no_mapping_is_left_that_no_system_declares():
    """A forgotten file looks like work that is done."""
    declared = {f"{s}/{d}.yaml" for s, d in ROUTES}
    declared |= {f"{r.target}/{r.dataset}.push.yaml" for r in CATALOG.push_routes}
    folder = ROOT / "mappings"

    assert declared == {str(p.relative_to(folder)) for p in folder.glob("*/*.yaml")}


def test_no_code_table_is_left_that_nobody_names():
    """Contracts and mappings name them all."""
    texts = [
        p.read_text(encoding="utf-8")
        for p in YAMLS
        if p.relative_to(ROOT).parts[0] in {"contracts", "mappings"}
    ]
    tables = {p.name.split(".")[0] for p in (ROOT / "mappings/codes").glob("*.csv")}
    read_by_code = {"area", "department", "case_result"}

    assert set() == {t for t in tables if not any(t in text for text in texts)} - read_by_code


def test_one_name_everywhere():
    """Contract folder, contract name, mapping name."""
    for name, contract in CATALOG.contracts().items():
        assert name == contract.dataset == contract.path.parent.name
    for system, dataset in ROUTES:
        assert (system, dataset) == (
            CATALOG.mapping(system, dataset).system,
            CATALOG.mapping(system, dataset).dataset,
        )
