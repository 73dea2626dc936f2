"""The maintenance DAG: take parked rows up, let go what is over; by hand: replay, new keys.

Parked rows raise an alarm and do not expire; once a day they get another chance, and the Assets of
their datasets are emitted so that the pushes start. Landings are raw pages of people's data: they
go after the retention time, counted from the end of the last transfer that read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task
from airflow.sdk.exceptions import AirflowSkipException

from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.assets import GROUP, dataset_asset
from tongban.orchestration.pools import LOAD_POOL
from tongban.orchestration.runtime import hub_of, loaded_counts

DAILY = "40 3 * * *"
RETENTION_DAYS = 30
PAGE = """### 维护 · maintenance
每天 03:40：重新排队被搁置的待发记录；清理超过保留期的落地页。
手工运行并填写 `replay_landing` 可从落地页重放一次入库；
填写 `rotate_keys`（数据集名或 `all`）可轮换数据密钥。

Every day at 03:40: parked rows are queued again, landings older than `retention_days` are removed,
and what is older than its contract's `retention`. Run by hand with `replay_landing` to load one
landing again, with `rotate_keys` (a dataset, or `all`) to give stored values new keys.
"""

Document = dict[str, Any]
DUE = AssetAlias(name="tongban_due", group=GROUP)  # which datasets have rows is known at run time


def build_maintenance_dag(root: Path) -> DAG:
    """`maintenance`: four independent tasks."""
    params = {
        "retention_days": Param(RETENTION_DAYS, type="integer", minimum=1),
        "replay_landing": Param(
            None, type=["null", "string"], description="落地编号 / landing id to load again"
        ),
        "rotate_keys": Param(
            None, type=["null", "string"], description="数据集或 all / dataset, hub or all"
        ),
    }
    with DAG(
        dag_id="maintenance",
        dag_display_name="日常维护",
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
        _rotate_task(root)()
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
        """Remove landings that no transfer has read for so many days, and what is over."""
        from tongban.orchestration import housekeeping

        with hub_of(root) as hub:
            days = params["retention_days"]
            return {
                "removed": housekeeping.remove_landings(hub, days),
                "broken": housekeeping.remove_broken_landings(hub, days),
            }

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
        from tongban.replay import replay as load_again

        landing_id = params["replay_landing"]
        if not landing_id:
            raise AirflowSkipException("no replay_landing was given")
        with hub_of(root) as hub:
            done = load_again(hub, landing_id).loaded
            return {item.dataset: loaded_counts(item.dataset, item) for item in done}

    return replay


def _rotate_task(root: Path) -> Any:
    """Stored values get new keys, when asked for; an interrupted rotation goes on."""

    @task(
        task_id="rotate_keys",
        pool=LOAD_POOL,
        execution_timeout=schedules.LOAD_LIMIT,
        multiple_outputs=False,
    )
    def rotate_keys(*, params: Document) -> Document:
        """Rotate the data keys of what the params name; gives rows and retired keys."""
        from tongban.orchestration import housekeeping

        if not params["rotate_keys"]:
            raise AirflowSkipException("no rotate_keys was given")
        with hub_of(root) as hub:
            return dict(housekeeping.rotate_keys(hub, params["rotate_keys"]))

    return rotate_keys
