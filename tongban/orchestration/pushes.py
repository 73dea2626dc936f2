"""Push DAGs: one per target and dataset, started by the dataset's Asset or by hand.

A run sends everything that is due in the outbox within the target's budget. A business refusal of
a record is a receipt, not a failure of the run; only an unreachable target makes the task retry.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from tongban.kernel.catalog import Catalog, PushRoute, load_catalog
from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.assets import dataset_asset
from tongban.orchestration.broken import built_or_broken
from tongban.orchestration.pools import department_pool
from tongban.orchestration.runtime import hub_of, pushed_counts

Document = dict[str, Any]


def build_push_dags(root: Path) -> list[DAG]:
    """One DAG per push route of the catalog below `root`."""
    catalog = load_catalog(root)
    return [
        built_or_broken(f"push_{route.name}", route.target, partial(build_push_dag, catalog, route))
        for route in catalog.push_routes
        if schedules.is_wanted(f"push_{route.name}")
    ]


def build_push_dag(catalog: Catalog, route: PushRoute) -> DAG:
    """`push_<target>_<dataset>`: one task."""
    with DAG(
        dag_id=f"push_{route.name}",
        dag_display_name=documents.push_name(catalog, route),
        description=f"{catalog.contract(route.dataset).label} → {route.target}",
        schedule=dataset_asset(route.dataset),
        doc_md=documents.push_page(catalog, route),
        tags=documents.tags(
            route.target, "push", route.protocol, catalog.system(route.target).title.zh
        ),
        params={
            "limit": Param(
                None,
                type=["null", "integer"],
                minimum=1,
                description="最多发送条数 / most records to send (empty: all)",
            )
        },
        deadline=deadlines.alert(schedules.PUSH_LIMIT),
        **schedules.common(owner=route.target),
    ) as dag:
        definition = documents.push_definition(catalog, route)
        _push_task(catalog.root, route)(route.target, route.dataset, definition)
    return dag


def _push_task(root: Path, route: PushRoute) -> Any:
    """The task that talks to the target."""

    @task(
        task_id="push",
        pool=department_pool(route.target),
        execution_timeout=schedules.PUSH_LIMIT,
        multiple_outputs=False,
        inlets=[dataset_asset(route.dataset)],
    )
    def push(
        target: str,
        dataset: str,
        definition: Document,  # noqa: ARG001 - read by Airflow's version history only
        *,
        params: Document,
        run_id: str,
    ) -> Document:
        """Send what is due; `definition` only marks the DAG's version."""
        from tongban import pipeline

        with hub_of(root) as hub:
            most = params.get("limit")
            sent = pipeline.push(hub, target, dataset, limit=most, run_id=run_id)
        return pushed_counts(target, dataset, sent)

    return push
