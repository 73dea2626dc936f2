"""Deadlines: a run that takes longer than its dataset's promise raises an alert in the UI.

The reference is the moment of queueing, since our runs have no logical date. The callback runs in
the triggerer, so it must be importable there, and writes one log line: the missed deadline itself
is kept and shown by Airflow.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

log = logging.getLogger(__name__)


async def missed(**kwargs: Any) -> None:  # noqa: RUF029 - the triggerer awaits it
    """Say which run is late; Airflow gives the run's context."""
    run = (kwargs.get("context") or {}).get("dag_run") or {}
    log.warning(
        "deadline missed: DAG %s, run %s has not ended in time; look at its running task's log",
        run.get("dag_id", kwargs.get("dag_id", "?")),
        run.get("run_id", run.get("dag_run_id", "?")),
    )


def alert(within: timedelta) -> DeadlineAlert:
    """Alert when a run has not ended so long after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=within,
        callback=AsyncCallback(missed),
        name=f"ends within {int(within.total_seconds() // 60)} min",
    )
