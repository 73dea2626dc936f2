"""The cases DAG: advance the case engine when something that moves cases has arrived.

Any one of the four Assets starts it; an hourly run catches clocks that run out without an event.
It emits the Assets of the three case datasets that the hub makes, which start their pushes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, task

from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.assets import CASE_DATASETS, announce, dataset_asset
from tongban.orchestration.pools import LOAD_POOL
from tongban.orchestration.runtime import due_rows, hub_of, only_counts

MOVERS = ("sale_contract", "deed_tax_payment", "real_estate_right", "online_application")
HOURLY = "7 * * * *"
PAGE = """### 办件 · cases
有新的网签合同、契税缴纳、不动产登记或网上申请时推进办件，并生成受理、过程、结果三类数据；每小时另跑一次，检查承诺时限。

Advances cases when a sale contract, a tax payment, a registration or an online application has
arrived, and makes acceptance, process and result rows. An hourly run watches the promised times.
"""

Document = dict[str, Any]


def build_cases_dag(root: Path) -> DAG:
    """`cases`: one task."""
    movers = AssetAny(*(dataset_asset(name) for name in MOVERS))
    with DAG(
        dag_id="cases",
        dag_display_name="推进办件",
        description="推进办件 / advance the cases",
        schedule=AssetOrTimeSchedule(timetable=schedules.every(HOURLY), assets=movers),
        doc_md=PAGE,
        tags=documents.tags("hub", "cases", "hub"),
        deadline=deadlines.alert(schedules.CASES_LIMIT),
        **schedules.common(),
    ) as dag:
        _advance_task(root)()
    return dag


def _advance_task(root: Path) -> Any:
    """The one task."""

    @task(
        task_id="advance",
        pool=LOAD_POOL,
        execution_timeout=schedules.CASES_LIMIT,
        multiple_outputs=False,
        outlets=[dataset_asset(name) for name in CASE_DATASETS],
    )
    def advance(*, outlet_events: Any, ti: Any) -> Document:
        """Move every case as far as its facts allow, then start the pushes that it needs."""
        from tongban.cases.run import advance_cases

        with hub_of(root) as hub:
            counts = only_counts(advance_cases(hub))
            due = due_rows(hub, CASE_DATASETS)
        made = [{**counts, "dataset": dataset} for dataset in CASE_DATASETS]
        announce(outlet_events, made, due=due, keep=ti)
        return counts

    return advance
