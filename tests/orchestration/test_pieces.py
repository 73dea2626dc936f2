"""Pools, news, windows, counts, definitions, connections: the parts of a DAG."""

from __future__ import annotations

import json
from collections import UserDict
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from tongban.kernel.catalog import load_catalog
from tongban.kernel.records import BEIJING
from tongban.orchestration import documents, runtime
from tongban.orchestration.assets import announce, dataset_asset
from tongban.orchestration.connections import airflow_connection, airflow_secret
from tongban.orchestration.pools import pools


class Events(UserDict[Any, Any]):
    """Stands for Airflow's accessor: an event per Asset, made when it is asked for."""

    def __missing__(self, asset: Any) -> SimpleNamespace:
        self[asset] = SimpleNamespace(extra=None)
        return self[asset]


def counts(dataset: str = "sale_contract", **more: int) -> dict[str, Any]:
    """What a load gives back."""
    return {
        "dataset": dataset,
        "new": 0,
        "changed": 0,
        "same": 5,
        "contract_version": "1.0.0",
    } | more


def test_there_is_a_pool_per_department_with_its_budgets_slots(root: Path):
    """Push and pull of a department share what its server can bear."""
    found = {pool["name"]: pool["slots"] for pool in pools(load_catalog(root), processors=2)}

    assert {"hub_load": 2, "dept_housing": 3, "dept_tax": 1} == found


def test_pools_are_documents_for_the_rest_api(root: Path):
    """The local stack posts them as they are."""
    for pool in pools(load_catalog(root)):
        assert {"name", "slots", "description"} == set(pool)
        assert pool == json.loads(json.dumps(pool))


def test_news_is_announced_with_its_counts():
    """Whoever waits for the Asset can read what came."""
    events = Events()

    announce(events, [counts(new=3)], due=7)

    extra = events[dataset_asset("sale_contract")].extra
    assert (3, 7, "1.0.0") == (extra["new"], extra["due"], extra["contract_version"])


def test_news_of_a_child_announces_the_parent_as_well():
    """A contract whose parties changed is pushed again."""
    events = Events()

    announce(events, [counts("sale_contract_party", changed=1), counts()], due=0)

    assert {"sale_contract", "sale_contract_party"} == {asset.name for asset in events}


def test_nothing_new_starts_no_push():
    """The skip withholds the events; the counts are kept all the same."""
    kept: dict[str, Any] = {}
    task = SimpleNamespace(xcom_push=lambda key, value: kept.update({key: value}))

    with pytest.raises(AirflowSkipException, match="nothing new in sale_contract"):
        announce(Events(), [counts()], due=0, keep=task)
    assert {"return_value": counts()} == kept


def test_rows_left_in_the_outbox_start_a_push_without_news():
    """A push that failed for good is made up for by the next pull."""
    events = Events()

    announce(events, [counts()], due=2)

    assert 2 == events[dataset_asset("sale_contract")].extra["due"]


def test_a_run_without_params_goes_on_from_the_committed_cursor():
    """Windows come from our own cursor."""
    assert runtime.window_of({"since": None, "until": None}) is None


def test_a_backfill_window_without_a_zone_is_beijing_time():
    """Who types a time in Pingliang means Pingliang."""
    window = runtime.window_of({"since": "2026-03-01T00:00:00", "until": "2026-03-02T00:00:00Z"})

    assert window is not None
    assert datetime(2026, 3, 1, tzinfo=BEIJING) == window.since
    assert datetime(2026, 3, 2, 8, tzinfo=BEIJING) == window.until


def test_a_backfill_without_an_end_reaches_until_now():
    """Half a window is still a window."""
    window = runtime.window_of({"since": "2026-03-01T00:00:00", "until": None})

    assert window is not None
    assert abs((window.until - datetime.now(BEIJING)).total_seconds()) < 5


def test_what_a_task_gives_back_is_references_and_counts():
    """XCom lies in Airflow's database, where no record may be."""
    landed = SimpleNamespace(
        landing_id="1-2",
        system="tax",
        dataset="d",
        datasets=("d",),
        pages=3,
        declared_total=9,
        body=b"secret",
    )
    pushed = SimpleNamespace(sent=5, accepted=4, duplicate=0, rejected=1, waiting=0, rows=["x"])

    assert {
        "landing_id": "1-2",
        "system": "tax",
        "dataset": "d",
        "pages": 3,
        "declared_total": 9,
    } == runtime.landed_reference(landed)
    assert {
        "target": "tax",
        "dataset": "d",
        "sent": 5,
        "accepted": 4,
        "duplicate": 0,
        "rejected": 1,
        "waiting": 0,
    } == runtime.pushed_counts("tax", "d", pushed)


def test_text_does_not_pass_where_only_counts_may():
    """An audit's result may hold samples; Airflow gets the numbers."""
    document = {"score": 98.5, "rows": 3, "sample": "张三", "tax": {"ok": True, "name": "李四"}}

    assert {"score": 98.5, "rows": 3, "tax": {"ok": True}} == runtime.only_counts(document)


@pytest.mark.parametrize(
    "changed",
    [
        "contracts/sale_contract/v1.yaml",
        "contracts/sale_contract_party/v1.yaml",
        "mappings/housing/sale_contract.yaml",
        "mappings/housing/sale_contract_party.yaml",
        "mappings/codes/usage.csv",
        "connectors/systems/housing.yaml",
    ],
)
def test_a_changed_agreement_changes_the_definition_of_its_pull(root: Path, changed: str):
    """So Airflow's version history is the history of the agreements."""
    before = _definition(root, "sale_contract")
    path = root / changed
    path.write_text(path.read_text(encoding="utf-8") + "\n# note\n", encoding="utf-8")

    assert before != _definition(root, "sale_contract")


def test_an_unchanged_catalog_gives_the_same_definition(root: Path):
    """A new DAG version without a change would be noise."""
    assert _definition(root, "sale_contract") == _definition(root, "sale_contract")


def test_a_change_of_another_dataset_leaves_the_definition_alone(root: Path):
    """Each DAG has its own history."""
    before = _definition(root, "house_unit")
    path = root / "mappings" / "housing" / "sale_contract.yaml"
    path.write_text("mapping: sale_contract # new\n", encoding="utf-8")

    assert before == _definition(root, "house_unit")


def _definition(root: Path, dataset: str) -> dict[str, Any]:
    catalog = load_catalog(root)
    return documents.pull_definition(catalog, catalog.pull_route(dataset))


def test_a_changed_push_mapping_changes_the_definition_of_its_push(root: Path):
    """The way out has a history too."""
    catalog = load_catalog(root)
    before = documents.push_definition(catalog, catalog.push_route("tax", "sale_contract"))
    path = root / "mappings" / "tax" / "sale_contract.push.yaml"
    path.write_text("mapping: sale_contract # new\n", encoding="utf-8")

    assert before != documents.push_definition(catalog, catalog.push_route("tax", "sale_contract"))


def test_airflows_connection_becomes_ours(monkeypatch: pytest.MonkeyPatch):
    """Address, login, secret and extra fields come over; the secret stays out of the repr."""
    document = {
        "conn_type": "http",
        "host": "10.0.0.7",
        "port": 8101,
        "schema": "https",
        "login": "hub",
        "password": "s3cret",
        "extra": {"field_key": "00ff"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TAX", json.dumps(document))

    found = airflow_connection("tax")

    assert found is not None
    assert ("https://10.0.0.7:8101", "hub", "s3cret") == (
        found.base_url,
        found.login,
        found.password,
    )
    assert "00ff" == found.secret("field_key")
    assert "s3cret" not in repr(found)


def test_a_connection_that_airflow_does_not_know_is_looked_for_elsewhere():
    """The kernel goes on with the environment and the files."""
    assert airflow_connection("nobody") is None


def test_a_master_key_is_looked_for_in_variables_and_then_in_connections(
    monkeypatch: pytest.MonkeyPatch,
):
    """Any secrets backend of Airflow holds it; the environment stands for one here."""
    assert airflow_secret("hub_master") is None
    document = {"conn_type": "generic", "password": "of-the-connection"}
    monkeypatch.setenv("AIRFLOW_CONN_HUB_MASTER", json.dumps(document))
    of_connection = airflow_secret("hub_master")
    monkeypatch.setenv("AIRFLOW_VAR_HUB_MASTER", "of-the-variable")

    assert ("of-the-connection", "of-the-variable") == (
        of_connection,
        airflow_secret("hub_master"),
    )
