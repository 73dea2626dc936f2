"""The reconcile DAG: compare with each target's own statement, and send again what it lacks.

One task per target in the target's own pool, so that a target that does not answer keeps no other
one waiting. Differences stay in the hub; counts go to XCom.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from tongban.kernel.catalog import load_catalog
from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.pools import department_pool
from tongban.orchestration.runtime import hub_of

DAG_ID = "reconcile"
NIGHTLY = "10 3 * * *"
PAGE = """### 对账 · reconcile
每天 03:10 与各接收方核对：我方已得回执的记录与对方清单逐条比较，
缺失、多出、旧版本、内容不符分别列出，只补发有差异的记录；对账单签名留存。

Every day at 03:10, compares what each target has acknowledged with what it lists itself, sends
again only what differs, and keeps a signed statement.
"""

Document = dict[str, Any]


def build_reconcile_dag(root: Path) -> DAG:
    """`reconcile`: one task per target."""
    targets = sorted({route.target for route in load_catalog(root).push_routes})
    with DAG(
        dag_id=DAG_ID,
        dag_display_name="与接收方对账",
        description="与接收方对账 / compare with the targets",
        schedule=schedules.every(NIGHTLY),
        doc_md=PAGE,
        tags=documents.tags("hub", DAG_ID, "hub"),
        deadline=deadlines.alert(schedules.PUSH_LIMIT),
        **schedules.common(),
    ) as dag:
        for target in targets:
            _reconcile_task(root, target)()
    return dag


def _reconcile_task(root: Path, target: str) -> Any:
    """The task that talks to one target."""

    @task(
        task_id=f"reconcile_{target}",
        pool=department_pool(target),
        execution_timeout=schedules.PUSH_LIMIT,
        multiple_outputs=False,
    )
    def reconcile() -> Document:
        """Compare every dataset of the target; what is queued again goes out at once."""
        from tongban import pipeline
        from tongban import reconcile as step

        told: Document = {}
        with hub_of(root) as hub:
            for route in step.routes_of(hub, target):
                found = step.reconcile(hub, route)
                told[route.dataset] = {
                    "ours": found.ours_rows,
                    "theirs": found.theirs_rows,
                    "differences": dict(found.differences),
                    "contradictions": found.contradictions,
                    "requeued": found.requeued_rows,
                    "held": found.is_held,
                }
                if found.requeued_rows:
                    pipeline.push(hub, target, route.dataset)
        return told

    return reconcile
