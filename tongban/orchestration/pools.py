"""Pools: how many tasks may talk to one department at the same time.

Push and pull of a department share one pool, since its server does not care which way the rows
go. Used by whoever sets Airflow up (`POST /api/v2/pools`), so nothing here imports Airflow.
"""

from __future__ import annotations

import os
from typing import TypedDict

from tongban.kernel.catalog import Catalog

LOAD_POOL = "hub_load"


class Pool(TypedDict):
    """One pool, in the words of Airflow's REST API."""

    name: str
    slots: int
    description: str


def department_pool(system: str) -> str:
    """Name of the pool that all tasks of one department share."""
    return f"dept_{system}"


def pools(catalog: Catalog, *, processors: int | None = None) -> list[Pool]:
    """Every pool that the DAGs name; a task whose pool is missing would wait for ever.

    Args:
        catalog: Its systems' budgets say how many calls each may bear at once.
        processors: Loads that may run side by side; by default the number of processors.
    """
    loads = processors or os.cpu_count() or 1
    found: list[Pool] = [
        {
            "name": LOAD_POOL,
            "slots": loads,
            "description": "入库任务（占用处理器）/ loads, which use a processor each",
        }
    ]
    for name, system in sorted(catalog.systems.items()):
        found.append(
            {
                "name": department_pool(name),
                "slots": system.budget.concurrent,
                "description": f"{system.title.zh}：同时访问上限 / calls at once to {name}",
            }
        )
    return found
