"""Whole DAGs, run in this process against the six real servers and a real database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.pipeline.city import CityHub, make_template
from tongban.kernel.catalog import load_catalog
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.slow]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bag() -> Any:
    """Airflow's own tables in a file, and the repository's DAGs in them."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    found = DagBag(str(REPOSITORY / "dags"))
    for dag in found.dags.values():
        dag.deadline = None  # a run without a scheduler cannot read them (Airflow 3.3.2)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(found, "dags-folder", None)
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of all six systems before anybody asked them anything."""
    return make_template(tmp_path_factory.mktemp("city") / "state")


@pytest.fixture
def city(
    template: Path, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CityHub]:
    """A running city; tasks find the hub by the environment, as they do in production."""
    running = CityHub(template, tmp_path, database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(running.settings.home))
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    try:
        yield running
    finally:
        running.close()


def run(bag: Any, dag_id: str, **conf: str) -> SimpleNamespace:
    """Run one DAG to its end: the run's state, each task's state, each task's return value."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    done = bag.dags[dag_id].test(run_conf=conf or None)
    with create_session() as session:
        found = session.execute(
            select(XComModel.task_id, XComModel.key, XComModel.value).where(
                XComModel.dag_id == dag_id, XComModel.run_id == done.run_id
            )
        ).all()
    return SimpleNamespace(
        state=done.state.value,
        tasks={ti.task_id: str(ti.state) for ti in done.get_task_instances()},
        values={row.task_id: _plain(row.value) for row in found if row.key == "return_value"},
    )


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in '{["' else value


def events(dataset: str) -> list[dict[str, Any]]:
    """The extras of a dataset's Asset events, oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = (
            select(AssetEvent.extra)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetModel.name == dataset)
            .order_by(AssetEvent.id)
        )
        return [dict(extra) for extra in session.scalars(query)]


def test_a_pull_stores_the_dataset_and_its_children_and_announces_both(bag: Any, city: CityHub):
    """Pull → load_sale_contract_party → load, one Asset event for each dataset."""
    before = {name: len(events(name)) for name in ("sale_contract", "sale_contract_party")}

    done = run(bag, "pull_sale_contract")

    stored = city.one("SELECT count(*) FROM data.sale_contract_v1")
    assert "success" == done.state
    assert {"success"} == set(done.tasks.values())
    assert stored == done.values["load"]["new"] > 0
    for name, count in before.items():
        assert 1 == len(events(name)) - count
    assert stored == events("sale_contract")[-1]["new"]


def test_what_passes_between_tasks_is_references_and_counts(bag: Any, city: CityHub):
    """No text but ids, versions and names of the catalog."""
    done = run(bag, "pull_sale_contract")

    names = ("sale_contract", "sale_contract_party")
    words = {"housing", *names, *(city.hub.catalog.contract(name).version for name in names)}
    for document in done.values.values():
        for value in document.values():
            if isinstance(value, str) and value not in words:
                uuid.UUID(value)
            else:
                assert value is None or isinstance(value, int | str)


def test_a_second_pull_finds_nothing_new_and_starts_no_push(bag: Any, city: CityHub):
    """The load shows as skipped, its counts are kept, no event leaves."""
    run(bag, "pull_right_status")
    before = len(events("right_status"))

    done = run(bag, "pull_right_status")

    assert "success" == done.state
    assert {"pull": "success", "load": "skipped"} == done.tasks
    assert 0 == done.values["load"]["new"] == done.values["load"]["changed"]
    assert before == len(events("right_status"))


def test_a_push_delivers_what_the_pull_put_into_the_outbox(bag: Any, city: CityHub):
    """Every record is acknowledged by the tax office itself."""
    run(bag, "pull_sale_contract")

    done = run(bag, "push_tax_sale_contract")

    assert "success" == done.state
    value = done.values["push"]
    assert value["sent"] == value["accepted"] > 0
    assert 0 == city.one(
        "SELECT count(*) FROM hub.outbox WHERE target = 'tax' AND state = 'queued'"
    )


def test_rows_in_the_outbox_announce_the_dataset_without_news(bag: Any, city: CityHub):
    """A push that never happened is made up for by the next pull."""
    run(bag, "pull_house_unit")

    done = run(bag, "pull_house_unit")

    assert {"pull": "success", "load": "success"} == done.tasks
    assert (0, True) == (events("house_unit")[-1]["new"], events("house_unit")[-1]["due"] > 0)


def test_a_window_by_hand_reads_that_window_only(bag: Any, city: CityHub):
    """A backfill of one month."""
    since, until = "2026-03-01T00:00:00", "2026-04-01T00:00:00"

    done = run(bag, "pull_house_unit", since=since, until=until)

    assert "success" == done.state
    window = city.rows("SELECT window_since, window_until FROM hub.transfer")[0]
    assert [since, until] == [f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in window.values()]


def test_cases_open_for_applications_and_announce_their_acceptance(bag: Any, city: CityHub):
    """One number each, then the three case datasets are on their way."""
    for name in ("service_item", "online_application"):
        run(bag, f"pull_{name}")

    done = run(bag, "cases")

    opened = city.one("SELECT count(*) FROM cases.gov_case")
    assert "success" == done.state
    assert opened == done.values["advance"]["opened"] > 0
    assert events("case_acceptance")[-1]["due"] > 0


def test_buyers_are_compared_and_only_counts_pass_through(bag: Any, city: CityHub, tmp_path: Path):
    """Skipped while civil affairs has no connection; then receipts, and no answer in XCom."""
    for name in ("service_item", "online_application", "sale_contract"):
        run(bag, f"pull_{name}")
    run(bag, "cases")
    skipped = run(bag, "compare")
    department = Department(load_catalog(REPOSITORY), "civil_affairs", rows=1)
    with serving(department) as url:
        account = department.open_account(url, tmp_path)
        path = city.settings.connections_dir / "civil_affairs.json"
        path.write_text(json.dumps(account), encoding="utf-8")
        done = run(bag, "compare")

    answered = city.one("SELECT count(*) FROM hub.comparison WHERE state = 'answered'")
    assert {"compare": "skipped"} == skipped.tasks
    assert {"pairs": answered, "compared": answered, "unaskable": 0} == done.values["compare"]
    assert answered > 0


def test_maintenance_queues_parked_rows_and_announces_them(bag: Any, city: CityHub):
    """Whoever waits for the dataset is started again."""
    run(bag, "pull_house_unit")
    with city.hub.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE hub.outbox SET state = 'parked'")
    before = len(events("house_unit"))

    done = run(bag, "maintenance")

    parked = done.values["requeue"]["queued"]
    assert "success" == done.state
    assert parked == done.values["requeue"]["due"]["house_unit"] > 0
    assert 1 == len(events("house_unit")) - before


def test_a_landing_can_be_loaded_again_by_hand(bag: Any, city: CityHub):
    """A replay has no second effect."""
    landing = run(bag, "pull_sale_contract").values["pull"]["landing_id"]
    before = city.one("SELECT count(*) FROM data.sale_contract_v1")

    done = run(bag, "maintenance", replay_landing=landing)

    assert "success" == done.tasks["replay"]
    assert {"sale_contract", "sale_contract_party"} == set(done.values["replay"])
    assert before == city.one("SELECT count(*) FROM data.sale_contract_v1")


def test_keys_are_rotated_by_hand_and_a_lookup_goes_on(bag: Any, city: CityHub):
    """On demand only; the hub goes on reading what it stored."""
    run(bag, "pull_taxpayer")
    skipped = run(bag, "maintenance")

    done = run(bag, "maintenance", rotate_keys="taxpayer")

    assert ("skipped", "success") == (skipped.tasks["rotate_keys"], done.tasks["rotate_keys"])
    stored = city.one("SELECT count(*) FROM data.taxpayer_v1")
    found = done.values["rotate_keys"]["taxpayer"]
    assert (1, 0) == (found["retired"], found["remaining"])
    assert found["rows"] >= stored > 0
