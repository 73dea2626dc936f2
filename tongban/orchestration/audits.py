"""The audit DAG: measure the quality of what was stored and quarantined, and write the report.

Great Expectations is imported by the quality package inside the task, never when DAGs are parsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.pools import LOAD_POOL
from tongban.orchestration.runtime import hub_of, only_counts

DAILY = "30 6 * * *"
PAGE = """### 质量审计 · audit
每天 06:30 对已入库和被隔离的数据做质量检查，按部门和数据集打分，生成报告。也可手工运行。

Checks what was stored and quarantined every day at 06:30, scores each department and dataset,
and writes the report. May be run by hand.
"""

Document = dict[str, Any]


def build_audit_dag(root: Path) -> DAG:
    """`audit`: one task."""
    with DAG(
        dag_id="audit",
        dag_display_name="质量审计报告",
        description="质量审计报告 / quality audit report",
        schedule=schedules.every(DAILY),
        doc_md=PAGE,
        tags=documents.tags("hub", "audit", "hub"),
        deadline=deadlines.alert(schedules.AUDIT_LIMIT),
        **schedules.common(),
    ) as dag:
        _audit_task(root)()
    return dag


def _audit_task(root: Path) -> Any:
    """The one task."""

    @task(
        task_id="audit",
        pool=LOAD_POOL,
        execution_timeout=schedules.AUDIT_LIMIT,
        multiple_outputs=False,
    )
    def audit() -> Document:
        """Run the audit; scores and counts go to XCom, findings stay in the hub."""
        from tongban.quality import run_audit

        with hub_of(root) as hub:
            return only_counts(run_audit(hub))

    return audit
