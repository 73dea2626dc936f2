"""Broken routes: one bad YAML must not take the other departments' DAGs away.

Airflow drops a whole DAG file for one exception. So a route whose contract or mapping cannot be
read becomes a DAG that only says so, with file and line, until somebody repairs it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from airflow.sdk import DAG, task

from tongban.kernel.errors import ConfigInvalid
from tongban.orchestration import schedules

PAGE = """### 定义有误 · definition invalid
修正后自动恢复。 Repaired as soon as the file is.

    {message}
"""


def built_or_broken(dag_id: str, owner: str, build: Callable[[], DAG]) -> DAG:
    """The route's DAG, or one of the same name that fails with the reason."""
    try:
        return build()
    except ConfigInvalid as exc:
        return _broken(dag_id, owner, str(exc))


def _broken(dag_id: str, owner: str, message: str) -> DAG:
    """A DAG with one task that repeats the reason."""

    @task(task_id="definition", execution_timeout=timedelta(minutes=1))
    def definition(problem: str) -> None:
        """Fail with file, line and what was expected."""
        raise ConfigInvalid(problem)

    with DAG(
        dag_id=dag_id,
        description="定义有误 / definition invalid",
        schedule=None,
        doc_md=PAGE.format(message=message),
        tags=["tongban", "invalid", owner],
        **schedules.common(owner=owner),
    ) as dag:
        definition(message)
    return dag
