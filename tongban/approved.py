"""Approved: what the hub does after a person has said yes.

A landing that was refused is loaded again, all its datasets, children first; the load finds the
approval and goes through. A kind whose work goes on by itself needs nothing here.
"""

from __future__ import annotations

from uuid import UUID

from tongban.consent import RELOADED
from tongban.pipeline import Hub, Loaded, load
from tongban.store.transfers import read_transfer


def carry_out(hub: Hub, kind: str, subject: str) -> list[Loaded]:
    """Go on with what was approved.

    Args:
        hub: An open hub.
        kind: What was asked.
        subject: What it was about; `<dataset>/<landing>` for the kinds that stop a load.

    Returns:
        What was loaded; nothing for a kind that goes on by itself.

    Raises:
        TongbanError: The load meets something else that stops it.
    """
    if kind not in RELOADED:
        return []
    landing_id = subject.rpartition("/")[2]
    landed = read_transfer(hub.engine, UUID(landing_id))
    route = hub.catalog.pull_route(landed["dataset"], landed["system"])
    return [load(hub, landing_id, name) for name in route.datasets]
