"""Pull DAGs: one per system and dataset that is fetched by itself.

Network first, then one load per dataset.

`pull` lands pages and may wait for a slow department; each `load` is processor time and one
transaction, and can run again from the landing. Children are loaded before their parent, so that
the parent's Asset finds them stored.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from tongban.kernel.catalog import Catalog, PullRoute, load_catalog
from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.assets import announce, dataset_asset
from tongban.orchestration.broken import built_or_broken
from tongban.orchestration.pools import LOAD_POOL, department_pool
from tongban.orchestration.runtime import (
    due_rows,
    hub_of,
    landed_reference,
    loaded_counts,
    window_of,
    window_params,
)

Document = dict[str, Any]


def build_pull_dags(root: Path) -> list[DAG]:
    """One DAG per pull route of the catalog below `root`."""
    catalog = load_catalog(root)
    return [
        built_or_broken(route.dag_id, route.system, partial(build_pull_dag, catalog, route))
        for route in catalog.pull_routes
        if schedules.is_wanted(route.dag_id)
    ]


def build_pull_dag(catalog: Catalog, route: PullRoute) -> DAG:
    """`pull_<dataset>`, or `pull_<system>_<dataset>` where several systems provide it."""
    definition = documents.pull_definition(catalog, route)
    with DAG(
        dag_id=route.dag_id,
        dag_display_name=documents.pull_name(catalog, route),
        description=f"{catalog.contract(route.dataset).label} ← {route.system}",
        schedule=schedules.every(route.schedule) if route.schedule else None,
        doc_md=documents.pull_page(catalog, route),
        tags=documents.tags(
            route.system, "pull", route.protocol, catalog.system(route.system).title.zh
        ),
        params=window_params(),
        deadline=deadlines.alert(schedules.PULL_LIMIT),
        **schedules.common(owner=route.system),
    ) as dag:
        landed = _pull_task(catalog.root, route)(route.dataset, definition)
        loads: list[Any] = []
        for child in route.datasets[:-1]:
            load = _child_task(catalog.root, child)(landed, child)
            (loads[-1] if loads else landed) >> load
            loads.append(load)
        main = _main_task(catalog.root, route)(landed, route.dataset, loads)
        (loads[-1] if loads else landed) >> main
    return dag


def _pull_task(root: Path, route: PullRoute) -> Any:
    """The task that talks to the department."""

    @task(
        task_id="pull",
        pool=department_pool(route.system),
        execution_timeout=schedules.PULL_LIMIT,
        multiple_outputs=False,
    )
    def pull(
        dataset: str,
        definition: Document,  # noqa: ARG001 - read by Airflow's version history only
        *,
        params: Document,
        run_id: str,
    ) -> Document:
        """Land every page of the window; `definition` only marks the DAG's version."""
        from tongban import pipeline

        with hub_of(root) as hub:
            return landed_reference(
                pipeline.pull(
                    hub, dataset, system=route.system, window=window_of(params), run_id=run_id
                )
            )

    return pull


def _child_task(root: Path, child: str) -> Any:
    """The task that stores one dataset found inside the pages of another."""

    @task(
        task_id=f"load_{child}",
        pool=LOAD_POOL,
        execution_timeout=schedules.LOAD_LIMIT,
        multiple_outputs=False,
    )
    def load(landed: Document, dataset: str) -> Document:
        """Normalize, validate, protect and store one dataset of the landing."""
        from tongban import pipeline

        with hub_of(root) as hub:
            return loaded_counts(dataset, pipeline.load(hub, landed["landing_id"], dataset))

    return load


def _main_task(root: Path, route: PullRoute) -> Any:
    """The task that stores the main dataset and announces all of them."""

    @task(
        task_id="load",
        pool=LOAD_POOL,
        execution_timeout=schedules.LOAD_LIMIT,
        multiple_outputs=False,
        outlets=[dataset_asset(dataset) for dataset in route.datasets],
    )
    def load(
        landed: Document,
        dataset: str,
        earlier: list[Document],
        *,
        outlet_events: Any,
        ti: Any,
    ) -> Document:
        """As for a child; then emit the Assets if there is news or something to push."""
        from tongban import pipeline

        with hub_of(root) as hub:
            counts = loaded_counts(dataset, pipeline.load(hub, landed["landing_id"], dataset))
            due = due_rows(hub, route.datasets)
        announce(outlet_events, [*earlier, counts], due=due, keep=ti)
        return counts

    return load
