"""The maintenance DAG: take parked rows up again, remove old landings, replay one landing by hand.

Parked rows raise an alarm and do not expire; once a day they get another chance, and the Assets of
their datasets are emitted so that the pushes start. Landings are raw pages of people's data: they
go after the retention time, counted from the end of the last transfer that read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task
from airflow.sdk.exceptions import AirflowSkipException

from tongban.kernel.catalog import load_catalog
from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.assets import GROUP, dataset_asset
from tongban.orchestration.pools import LOAD_POOL
from tongban.orchestration.runtime import hub_of, loaded_counts

DAILY = "40 3 * * *"
RETENTION_DAYS = 30
PAGE = """### 维护 · maintenance
每天 03:40：重新排队被搁置的待发记录；清理超过保留期的落地页。
手工运行并填写 `replay_landing` 可从落地页重放一次入库。

Every day at 03:40: parked rows are queued again, landings older than `retention_days` are removed.
Run by hand with `replay_landing` to load one landing again.
"""

Document = dict[str, Any]
DUE = AssetAlias(name="tongban_due", group=GROUP)  # which datasets have rows is known at run time


def build_maintenance_dag(root: Path) -> DAG:
    """`maintenance`: three independent tasks."""
    params = {
        "retention_days": Param(RETENTION_DAYS, type="integer", minimum=1),
        "replay_landing": Param(
            None, type=["null", "string"], description="落地编号 / landing id to load again"
        ),
    }
    with DAG(
        dag_id="maintenance",
        description="日常维护 / daily upkeep",
        schedule=schedules.every(DAILY),
        doc_md=PAGE,
        tags=documents.tags("hub", "maintenance", "hub"),
        params=params,
        deadline=deadlines.alert(schedules.MAINTENANCE_LIMIT),
        **schedules.common(),
    ) as dag:
        _requeue_task(root)()
        _retention_task(root)()
        _replay_task(root)()
    return dag


def _requeue_task(root: Path) -> Any:
    """Parked rows are queued again; datasets with due rows are announced."""

    @task(
        task_id="requeue",
        execution_timeout=schedules.MAINTENANCE_LIMIT,
        multiple_outputs=False,
        outlets=[DUE],
    )
    def requeue(*, outlet_events: Any) -> Document:
        """Queue parked rows and start the pushes that have something to send."""
        from tongban.orchestration import housekeeping

        with hub_of(root) as hub:
            queued = housekeeping.requeue_parked(hub)
            due = housekeeping.due_by_dataset(hub)
        for dataset, rows in sorted(due.items()):
            asset: Asset = dataset_asset(dataset)
            outlet_events[DUE].add(asset, extra={"due": rows})
        return {"queued": queued, "due": due}

    return requeue


def _retention_task(root: Path) -> Any:
    """Old landings go."""

    @task(
        task_id="retention",
        execution_timeout=schedules.MAINTENANCE_LIMIT,
        multiple_outputs=False,
    )
    def retention(*, params: Document) -> Document:
        """Remove landings that no transfer has read for so many days."""
        from tongban.orchestration import housekeeping

        with hub_of(root) as hub:
            return {"removed": housekeeping.remove_landings(hub, params["retention_days"])}

    return retention


def _replay_task(root: Path) -> Any:
    """One landing is loaded again, when asked for."""

    @task(
        task_id="replay",
        pool=LOAD_POOL,
        execution_timeout=schedules.LOAD_LIMIT,
        multiple_outputs=False,
    )
    def replay(*, params: Document) -> Document:
        """Load every dataset of the landing named in the params, children first."""
        from tongban import pipeline
        from tongban.orchestration import housekeeping

        landing_id = params["replay_landing"]
        if not landing_id:
            raise AirflowSkipException("no replay_landing was given")
        with hub_of(root) as hub:
            system, main = housekeeping.origin_of(hub, landing_id)
            return {
                dataset: loaded_counts(dataset, pipeline.load(hub, landing_id, dataset))
                for dataset in load_catalog(root).pull_route(main, system).datasets
            }

    return replay
