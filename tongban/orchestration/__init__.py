"""Orchestration: WHEN the verbs run — Airflow DAGs, pools, retries and Assets from the catalog.

The only package that imports Airflow (besides dags/ and plugins/). A task body opens the hub, calls
one function of `tongban.pipeline` and gives references and counts to XCom; records, names and
numbers of people never pass through Airflow. Heavy libraries are imported inside tasks, so that
the DAG folder parses in a fraction of a second.

The names below are imported on first use, since `tongban.orchestration.pools` is needed where
Airflow must not be loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tongban.orchestration.approvals import build_approvals_dag
    from tongban.orchestration.audits import build_audit_dag
    from tongban.orchestration.cases import build_cases_dag
    from tongban.orchestration.compares import build_compare_dags
    from tongban.orchestration.maintenance import build_maintenance_dag
    from tongban.orchestration.pulls import build_pull_dags
    from tongban.orchestration.pushes import build_push_dags
    from tongban.orchestration.reconciling import build_reconcile_dag

__all__ = [
    "build_approvals_dag",
    "build_audit_dag",
    "build_cases_dag",
    "build_compare_dags",
    "build_maintenance_dag",
    "build_pull_dags",
    "build_push_dags",
    "build_reconcile_dag",
]

_HOMES = {
    "build_approvals_dag": "approvals",
    "build_audit_dag": "audits",
    "build_cases_dag": "cases",
    "build_compare_dags": "compares",
    "build_maintenance_dag": "maintenance",
    "build_pull_dags": "pulls",
    "build_push_dags": "pushes",
    "build_reconcile_dag": "reconciling",
}


def __getattr__(name: str) -> Any:
    """Import the module that holds the name, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
