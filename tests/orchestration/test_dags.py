"""DAG structure: ids, tasks, order, pools, Assets, schedules, limits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import AssetAlias

from tongban.kernel.errors import ConfigInvalid
from tongban.orchestration import (
    build_approvals_dag,
    build_audit_dag,
    build_cases_dag,
    build_maintenance_dag,
    build_pull_dags,
    build_push_dags,
)


@pytest.fixture
def dags(root: Path) -> dict[str, Any]:
    """Build every DAG of the small catalog, by id."""
    built = [
        *build_pull_dags(root),
        *build_push_dags(root),
        build_cases_dag(root),
        build_audit_dag(root),
        build_maintenance_dag(root),
        build_approvals_dag(root),
    ]
    return {dag.dag_id: dag for dag in built}


def test_there_is_one_dag_per_route_and_four_of_the_hubs_own(dags):
    """Children that share pages have no DAG of their own."""
    assert {
        "pull_sale_contract",
        "pull_house_unit",
        "push_tax_sale_contract",
        "cases",
        "audit",
        "maintenance",
        "approvals",
    } == set(dags)


def test_children_are_loaded_one_after_the_other_and_the_main_dataset_last(dags):
    """The parent's Asset finds its children stored."""
    dag = dags["pull_sale_contract"]

    assert ["pull", "load_sale_contract_party", "load"] == [
        task.task_id for task in dag.topological_sort()
    ]
    assert {"load_sale_contract_party"} <= dag.get_task("load").upstream_task_ids
    assert {"pull"} == dag.get_task("load_sale_contract_party").upstream_task_ids


def test_the_last_load_emits_the_asset_of_every_dataset_of_the_route(dags):
    """A child that is stored is announced as well, once, at the end."""
    dag = dags["pull_sale_contract"]

    assert {"sale_contract_party", "sale_contract"} == {
        asset.name for asset in dag.get_task("load").outlets
    }
    assert [] == dag.get_task("load_sale_contract_party").outlets


def test_an_asset_is_named_after_its_dataset(dags):
    """One name per dataset everywhere."""
    asset = dags["pull_house_unit"].get_task("load").outlets[0]

    assert ("house_unit", "tongban://data/house_unit", "tongban") == (
        asset.name,
        asset.uri,
        asset.group,
    )


def test_a_push_is_started_by_the_asset_of_its_dataset(dags):
    """The pull's outlet and the push's schedule are the same Asset."""
    emitted = dags["pull_sale_contract"].get_task("load").outlets

    assert dags["push_tax_sale_contract"].timetable.asset_condition in emitted


def test_cases_start_with_any_of_four_assets_or_with_the_hour(dags):
    """A clock that runs out without an event is noticed too."""
    timetable = dags["cases"].timetable

    assert {"sale_contract", "deed_tax_payment", "real_estate_right", "online_application"} == {
        asset.name for asset in timetable.asset_condition.objects
    }
    assert "AssetAny" == type(timetable.asset_condition).__name__
    assert "7 * * * *" == timetable.timetable.expression


def test_cases_emit_the_assets_of_the_three_case_datasets(dags):
    """Their pushes are started by the hub's own work."""
    assert {"case_acceptance", "case_process", "case_result"} == {
        asset.name for asset in dags["cases"].get_task("advance").outlets
    }


def test_tasks_that_talk_to_a_department_are_in_its_pool_and_loads_are_not(dags):
    """A slow load never takes a department's slot."""
    assert "dept_housing" == dags["pull_sale_contract"].get_task("pull").pool
    assert "dept_tax" == dags["push_tax_sale_contract"].get_task("push").pool
    assert "hub_load" == dags["pull_sale_contract"].get_task("load").pool
    assert "hub_load" == dags["pull_sale_contract"].get_task("load_sale_contract_party").pool


def test_every_dag_runs_once_at_a_time_and_never_for_the_past(dags):
    """Windows come from the committed cursor, not from a date."""
    for dag in dags.values():
        assert (64 if dag.dag_id == "approvals" else 1) == dag.max_active_runs, dag.dag_id
        assert dag.catchup is False, dag.dag_id
        assert dag.start_date is None, dag.dag_id  # one would make it run when switched on


def test_every_task_has_a_time_limit_and_the_retry_policy(dags):
    """Nothing hangs for ever and nothing is retried that cannot succeed."""
    for dag in dags.values():
        for task in dag.tasks:
            if not isinstance(task, HITLOperator):  # its limit is the answer's
                assert task.execution_timeout > timedelta(0), (dag.dag_id, task.task_id)
            assert "ErrorTreePolicy" == type(task.retry_policy).__name__
            assert task.retries > 0


def test_every_dag_has_a_deadline_that_counts_from_queueing(dags):
    """Our runs have no logical date, so that reference would never fire."""
    for dag in dags.values():
        assert ["DagRunQueuedAtDeadline"] == [
            type(item.reference).__name__ for item in dag.deadline
        ], dag.dag_id


def test_a_pull_with_a_cron_runs_in_beijing_time_and_one_without_by_hand(dags):
    """The schedule is the system's YAML, whatever the server's zone is."""
    timetable = dags["pull_sale_contract"].timetable

    assert "*/30 * * * *" == timetable.expression
    assert "Asia/Shanghai" == timetable.timezone
    assert "NullTimetable" == type(dags["pull_house_unit"].timetable).__name__


def test_tags_name_system_direction_and_protocol(dags):
    """The DAG list can be filtered by each."""
    pulled, pushed = dags["pull_sale_contract"], dags["push_tax_sale_contract"]
    assert {"tongban", "housing", "房产交易", "pull", "rest"} == set(pulled.tags)
    assert {"tongban", "tax", "税务", "push", "rest"} == set(pushed.tags)


def test_the_page_of_a_dag_is_bilingual_and_links_the_contract(dags):
    """An operator finds the agreement from the DAG."""
    page = dags["pull_sale_contract"].doc_md

    assert "网签合同" in page
    assert "房产交易" in page
    assert "Housing" in page
    assert "(/tongban/datasets/sale_contract)" in page
    assert "(/tongban/datasets/sale_contract_party)" in page


def test_manual_runs_may_name_a_window(dags):
    """Backfills need no code."""
    assert {"since", "until"} == set(dags["pull_sale_contract"].params)
    assert dags["pull_sale_contract"].params["since"] is None


def test_maintenance_emits_assets_that_are_known_only_at_run_time(dags):
    """Which datasets have parked rows is not known when the DAG is parsed."""
    outlets = dags["maintenance"].get_task("requeue").outlets

    assert [AssetAlias] == [type(item) for item in outlets]


def test_questions_to_people_start_with_an_event_and_wait_without_a_process(dags):
    """Each question is decided and carried out by itself; nobody polls."""
    dag = dags["approvals"]
    (asked,) = dag.timetable.asset_condition.objects

    assert ["ask", "question.decide", "question.carry_out"] == [
        task.task_id for task in dag.topological_sort()
    ]
    assert ["QuestionAsked"] == [type(one.trigger).__name__ for one in asked.watchers]
    assert ("tongban.orchestration.approval_watch.QuestionAsked", {}) == asked.watchers[
        0
    ].trigger.serialize()
    assert timedelta(days=14) == dag.get_task("question.decide").response_timeout


def test_one_broken_contract_leaves_the_other_dags_alone(root: Path):
    """The broken route says file and line; the other departments go on."""
    contract = root / "contracts" / "sale_contract" / "v1.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("logicalType: string", "logicalType: strin"), encoding="utf-8")

    dags = {dag.dag_id: dag for dag in build_pull_dags(root)}

    assert ["pull", "load"] == [task.task_id for task in dags["pull_house_unit"].tasks]
    assert ["definition"] == [task.task_id for task in dags["pull_sale_contract"].tasks]
    assert "contracts/sale_contract/v1.yaml:" in dags["pull_sale_contract"].doc_md
    assert '"string"' in dags["pull_sale_contract"].doc_md
    assert "invalid" in dags["pull_sale_contract"].tags


def test_a_broken_system_is_refused_with_file_and_line(root: Path):
    """Airflow shows it as an import error of the file."""
    path = root / "connectors" / "systems" / "tax.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "protocoll: rest\n", encoding="utf-8")

    with pytest.raises(ConfigInvalid, match=r"tax\.yaml:\d+: .*protocoll"):
        build_push_dags(root)
