"""Outcomes: what the pipeline's functions give back — references and counts, never a row.

These are the only things that may travel through Airflow's XCom.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5


@dataclass(frozen=True, slots=True)
class Landed:
    """A complete window in the landing: a reference and counts, never a row."""

    landing_id: str
    system: str
    dataset: str
    datasets: tuple[str, ...]
    pages: int
    declared_total: int | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one transfer stored; the counts balance.

    Attributes:
        outcome: `stored`, or why nothing was: `waiting_for_approval`, `rejected`.
    """

    transfer_id: str
    dataset: str
    read: int
    new: int
    changed: int
    same: int
    quarantined: int
    duplicate: int
    contract_version: str
    outcome: str = "stored"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one push delivered; `waiting` rows go out again by themselves."""

    sent: int
    accepted: int
    duplicate: int
    rejected: int
    waiting: int


def transfer_id_of(landing_id: UUID, dataset: str, *, main: str | None = None) -> UUID:
    """Give a landing's transfer: its own id for its main dataset, a derived one for a child."""
    return landing_id if dataset == main else uuid5(landing_id, dataset)
