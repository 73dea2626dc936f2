"""Outcomes: what the pipeline's functions give back — references and counts, never a row.

These are the only things that may travel through Airflow's XCom.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """What one transfer stored; the counts balance."""

    transfer_id: str
    dataset: str
    read: int
    new: int
    changed: int
    same: int
    quarantined: int
    duplicate: int
    contract_version: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one push delivered; `waiting` rows go out again by themselves."""

    sent: int
    accepted: int
    duplicate: int
    rejected: int
    waiting: int
