"""Filters: what the transfers page is narrowed to, read from an address or from a DAG's name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from tongban.console.view import HubView
from tongban.kernel.catalog import HUB

STATES = ("pulling", "landed", "finished", "failed", "refused")


@dataclass(frozen=True, slots=True)
class Filter:
    """What the transfers page is narrowed to; None is everything."""

    system: str | None = None
    dataset: str | None = None
    direction: str | None = None
    state: str | None = None
    is_history: bool = False
    before: datetime | None = None

    @classmethod
    def of(
        cls,
        system: str | None,
        dataset: str | None,
        direction: str | None,
        state: str | None,
        view: str | None,
        before: str | None,
    ) -> Self:
        """From the address; what cannot be understood narrows nothing."""
        moment = None
        if before:
            try:
                moment = datetime.fromisoformat(before)
            except ValueError:
                moment = None
        return cls(
            system=system or None,
            dataset=dataset or None,
            direction=direction if direction in {"pull", "push"} else None,
            state=state if state in STATES else None,
            is_history=view == "all" or moment is not None,
            before=moment if moment and moment.tzinfo else None,
        )

    def accepts(self, row: dict[str, Any]) -> bool:
        """Whether a transfer passes."""
        pairs = (
            (self.system, row["system"]),
            (self.dataset, row["dataset"]),
            (self.direction, row["direction"]),
            (self.state, row["state"]),
        )
        return all(wanted is None or wanted == found for wanted, found in pairs)

    def query(self) -> dict[str, Any]:
        """As parts of an address."""
        return {
            "system": self.system,
            "dataset": self.dataset,
            "direction": self.direction,
            "state": self.state,
            "view": "all" if self.is_history else None,
        }


def filter_of_dag(hub: HubView, dag_id: str) -> Filter:
    """The transfers of one DAG: of its route, or all when the DAG has no route."""
    catalog = hub.catalog
    for pull in catalog.pull_routes:
        if dag_id == pull.dag_id:
            return Filter(
                system=pull.system, dataset=pull.dataset, direction="pull", is_history=True
            )
    for push in catalog.push_routes:
        if dag_id == f"push_{push.name}":
            return Filter(
                system=push.target, dataset=push.dataset, direction="push", is_history=True
            )
    return Filter(system=HUB, is_history=True) if dag_id == "cases" else Filter()
