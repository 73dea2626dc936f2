"""The repository's own catalog as DAGs: one per route, and each awaited Asset is emitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tongban.kernel.catalog import Catalog, load_catalog
from tongban.orchestration import (
    build_cases_dag,
    build_compare_dags,
    build_pull_dags,
    build_push_dags,
)
from tongban.orchestration.assets import CASE_DATASETS
from tongban.orchestration.pools import pools

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Load the real catalog."""
    return load_catalog(REPOSITORY)


@pytest.fixture(scope="module")
def pulls() -> dict[str, Any]:
    """Build the real pull DAGs."""
    return {dag.dag_id: dag for dag in build_pull_dags(REPOSITORY)}


@pytest.fixture(scope="module")
def pushes() -> dict[str, Any]:
    """Build the real push DAGs."""
    return {dag.dag_id: dag for dag in build_push_dags(REPOSITORY)}


def test_every_route_has_its_dag(catalog: Catalog, pulls: dict[str, Any], pushes: dict[str, Any]):
    """Adding YAML is enough."""
    assert {route.dag_id for route in catalog.pull_routes} == set(pulls)
    assert {f"push_{route.name}" for route in catalog.push_routes} == set(pushes)
    assert len(pulls) >= 12


def test_no_route_is_broken(pulls: dict[str, Any], pushes: dict[str, Any]):
    """Every contract and mapping of the repository can be read."""
    assert [] == [d.dag_id for d in (*pulls.values(), *pushes.values()) if "invalid" in d.tags]


def test_every_push_waits_for_an_asset_that_some_dag_emits(
    pulls: dict[str, Any], pushes: dict[str, Any]
):
    """A push that nothing starts would be found out late."""
    emitted = {asset.name for dag in pulls.values() for asset in dag.get_task("load").outlets}

    for dag in pushes.values():
        assert dag.timetable.asset_condition.name in emitted | set(CASE_DATASETS), dag.dag_id


def test_every_asset_that_moves_cases_is_emitted_by_a_pull(pulls: dict[str, Any]):
    """The cases DAG waits for real datasets."""
    emitted = {asset.name for dag in pulls.values() for asset in dag.get_task("load").outlets}
    movers = build_cases_dag(REPOSITORY).timetable.asset_condition.objects

    assert {asset.name for asset in movers} <= emitted


def test_every_pool_that_a_task_names_is_declared(
    catalog: Catalog, pulls: dict[str, Any], pushes: dict[str, Any]
):
    """A task whose pool is missing waits for ever."""
    declared = {pool["name"] for pool in pools(catalog)}

    for dag in (*pulls.values(), *pushes.values()):
        assert {task.pool for task in dag.tasks} <= declared, dag.dag_id


def test_every_dataset_of_a_route_has_its_own_load(catalog: Catalog, pulls: dict[str, Any]):
    """Children that share pages are stored too."""
    for route in catalog.pull_routes:
        wanted = ["pull", *(f"load_{child}" for child in route.datasets[:-1]), "load"]
        assert wanted == [t.task_id for t in pulls[route.dag_id].topological_sort()]


def test_the_compare_waits_for_cases_in_the_pool_of_who_answers(catalog: Catalog):
    """Civil affairs is called by one task at a time, whoever else is being pulled."""
    (dag,) = build_compare_dags(REPOSITORY)
    (task,) = dag.tasks

    assert "compare" == dag.dag_id
    assert task.pool in {pool["name"] for pool in pools(catalog)}
    assert "dept_civil_affairs" == task.pool
    assert dag.timetable.asset_condition.name in CASE_DATASETS


def test_a_catalog_that_compares_nothing_has_no_compare(tmp_path: Path):
    """A DAG that could only fail is none."""
    (tmp_path / "connectors" / "systems").mkdir(parents=True)

    assert [] == build_compare_dags(tmp_path)
