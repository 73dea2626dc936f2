"""A breaking contract version in Airflow: its load waits, the old one's goes on, both later."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.orchestration.test_runs import city, run, template  # noqa: F401 - fixtures
from tests.pipeline.city import CityHub
from tests.pipeline.majors import NEW, OLD, approve, make_changed

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.slow]
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def changed_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pull DAGs of a catalog with a second major of the sale contract."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    root = make_changed(tmp_path / "changed")
    monkeypatch.setenv("TONGBAN_ROOT", str(root))  # `bin/tongban test` names the repository
    (root / "dags").mkdir()
    shutil.copy(REPOSITORY / "dags" / "pull.py", root / "dags" / "pull.py")
    initdb()
    found = DagBag(str(root / "dags"))
    for dag in found.dags.values():
        dag.deadline = None  # a run without a scheduler cannot read them (Airflow 3.3.2)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(found, "dags-folder", None)
    return found


def test_a_new_major_waits_in_its_own_task_and_is_loaded_after_the_approval(
    changed_bag: Any,
    city: CityHub,  # noqa: F811
):
    """The run is a success each time; the task's counts say why it stored nothing."""
    city.pull(OLD)

    first = run(changed_bag, f"pull_{OLD}")
    approve(city.hub)
    second = run(changed_bag, f"pull_{OLD}")

    assert ["success", "success"] == [first.state, second.state]
    assert "success" == first.tasks[f"load_{NEW}"]
    waiting = first.values[f"load_{NEW}"]
    assert ("waiting_for_approval", "2.0.0", 0) == (
        waiting["outcome"],
        waiting["contract_version"],
        waiting["read"],
    )
    stored = second.values[f"load_{NEW}"]
    assert "outcome" not in stored
    assert stored["new"] == city.one("SELECT count(*) FROM data.sale_contract_v2") > 0
