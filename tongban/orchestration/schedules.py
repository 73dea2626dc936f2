"""Schedules and limits that all DAGs share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, get_parsing_context

from tongban.orchestration.retries import FIRST_PAUSE, POLICY, RETRIES

PULL_LIMIT = timedelta(hours=2)
LOAD_LIMIT = timedelta(hours=1)
PUSH_LIMIT = timedelta(hours=2)
CASES_LIMIT = timedelta(minutes=30)
AUDIT_LIMIT = timedelta(hours=2)
MAINTENANCE_LIMIT = timedelta(hours=1)
DECISION_LIMIT = timedelta(days=14)  # a person's; then the question is shown anew
DECISIONS_AT_ONCE = 64  # runs that wait cost nothing


def every(cron: str) -> CronTriggerTimetable:
    """Run at these times of Beijing, whatever the server's zone is.

    The first run is the next one. Together with a start date, or with a missed time in reach, a
    DAG that is switched on would run at once, beside the run that somebody asks for.
    """
    return CronTriggerTimetable(cron, timezone="Asia/Shanghai", run_immediately=timedelta(0))


def common(**extra: Any) -> dict[str, Any]:
    """Arguments of every DAG: one run at a time, never a run for the past."""
    return {
        "catchup": False,
        "max_active_runs": 1,
        "default_args": {
            "owner": extra.pop("owner", "tongban"),
            "retries": RETRIES,
            "retry_delay": FIRST_PAUSE,
            "retry_policy": POLICY,
        },
        **extra,
    }


def is_wanted(dag_id: str) -> bool:
    """Whether to build this DAG: a task's process needs only its own."""
    wanted = get_parsing_context().dag_id
    return wanted is None or wanted == dag_id
