"""The compare DAG: ask civil affairs whether the buyers of a contract are married to each other.

Starts when the cases have moved; an hourly run asks what a closed or busy department left. Answers
are not stored and never pass through Airflow: a run leaves receipts, evidence and counts.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, task
from airflow.sdk.exceptions import AirflowSkipException

from tongban.kernel.catalog import Catalog, load_catalog
from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.assets import dataset_asset
from tongban.orchestration.broken import built_or_broken
from tongban.orchestration.pools import department_pool
from tongban.orchestration.runtime import hub_of, only_counts

DAG_ID = "compare"
COMPARE = "marriage"
MOVES = "case_process"
HOURLY = "37 * * * *"
PAGE = """### 婚姻比对 · compare
办件关联到网签合同后，就同一合同的共同买受人向民政部门比对是否夫妻，用于契税家庭住房套数核查。只留回执和存证，不存结果。

When a case has found its contract, asks civil affairs whether its buyers are married to each other,
for the deed-tax family check. Receipts and evidence are kept, answers are not.
"""

Document = dict[str, Any]


def build_compare_dags(root: Path) -> list[DAG]:
    """`compare`, where a system of the catalog below `root` compares marriages."""
    catalog = load_catalog(root)
    asked = [name for name, item in sorted(catalog.systems.items()) if COMPARE in item.compares]
    if not asked or not schedules.is_wanted(DAG_ID):
        return []
    return [built_or_broken(DAG_ID, asked[0], partial(build_compare_dag, catalog, asked[0]))]


def build_compare_dag(catalog: Catalog, system: str) -> DAG:
    """`compare`: one task in the pool of the department that answers."""
    with DAG(
        dag_id=DAG_ID,
        dag_display_name="共同买受人婚姻比对",
        description="共同买受人婚姻比对 / buyers compared with civil affairs",
        schedule=AssetOrTimeSchedule(
            timetable=schedules.every(HOURLY), assets=dataset_asset(MOVES)
        ),
        doc_md=PAGE,
        tags=documents.tags(system, DAG_ID, catalog.system(system).protocol),
        deadline=deadlines.alert(schedules.CASES_LIMIT),
        **schedules.common(owner=system),
    ) as dag:
        _compare_task(catalog.root, system)()
    return dag


def _compare_task(root: Path, system: str) -> Any:
    """The one task."""

    @task(
        task_id="compare",
        pool=department_pool(system),
        execution_timeout=schedules.CASES_LIMIT,
        multiple_outputs=False,
    )
    def compare() -> Document:
        """Ask about every pair of buyers that has no answer yet for its case."""
        from tongban.cases.family import compare_buyers
        from tongban.kernel.errors import CredentialsMissing

        missing = ""
        with hub_of(root) as hub:
            try:
                return only_counts(compare_buyers(hub))
            except CredentialsMissing as exc:
                missing = str(exc)
        raise AirflowSkipException(missing)

    return compare
