"""Assets: one per dataset, the only link between the DAGs that bring and those that carry on.

When is an event worth emitting? A push DAG that starts for nothing costs a process and hides the
runs that matter; one that does not start leaves rows behind. So a load announces its datasets when
it stored something new or changed (cases and other consumers wait for that), or when the outbox
holds due rows of them (left by a push that failed for good, or by a re-queue). Otherwise the
load's last step raises Airflow's skip: the task shows "skipped — nothing new", no event leaves,
and no push starts. An Airflow task cannot withhold the event of a declared outlet in another way,
and an AssetAlias would hide from the Asset graph who produces a dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

GROUP = "tongban"
CASE_DATASETS = ("case_acceptance", "case_process", "case_result")


def dataset_asset(dataset: str) -> Asset:
    """The Asset of a dataset; the same name everywhere makes it the same Asset."""
    return Asset(name=dataset, uri=f"tongban://data/{dataset}", group=GROUP)


def is_news(counts: Mapping[str, Any]) -> bool:
    """Whether a load stored anything that was not there before."""
    return int(counts.get("new", 0)) + int(counts.get("changed", 0)) > 0


def announce(
    outlet_events: Any, loads: Iterable[Mapping[str, Any]], *, due: int, keep: Any = None
) -> None:
    """Put the counts of each load on its Asset's event, or withhold all events.

    Args:
        outlet_events: Airflow's accessor of the running task.
        loads: One document of counts per dataset, each with its `dataset`.
        due: Outbox rows of these datasets that wait for a push.
        keep: The task instance, whose return value is kept when the events are withheld.

    Raises:
        AirflowSkipException: Nothing new and nothing due.
    """
    documents = list(loads)
    if due == 0 and not any(is_news(item) for item in documents):
        if keep is not None and documents:
            keep.xcom_push(key="return_value", value=dict(documents[-1]))
        names = ", ".join(str(item["dataset"]) for item in documents)
        raise AirflowSkipException(f"nothing new in {names} and nothing to push")
    for item in documents:
        outlet_events[dataset_asset(str(item["dataset"]))].extra = {
            name: value for name, value in item.items() if name != "dataset"
        } | {"due": due}
