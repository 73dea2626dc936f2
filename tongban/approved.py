"""Approved: what the hub does after a person has said yes.

A landing that was refused is loaded again, all its datasets, children first; the load finds the
approval and goes through. A kind whose work goes on by itself needs nothing here.
"""

from __future__ import annotations

from tongban.consent import RELOADED, landing_of
from tongban.outcomes import transfer_id_of
from tongban.pipeline import Hub, Loaded, load
from tongban.store.drifts import HELD_PUSH, release_push
from tongban.store.engine import transaction
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
    if kind == HELD_PUSH:
        _release(hub, subject)
    if kind not in RELOADED:
        return []
    landed = read_transfer(hub.engine, landing_of(subject))
    route = hub.catalog.pull_route(landed["dataset"], landed["system"])
    return [load(hub, str(landing_of(subject)), name) for name in route.datasets]


def _release(hub: Hub, subject: str) -> None:
    """Let the rows of a transfer go to their targets."""
    dataset = subject.partition("/")[0]
    landed = read_transfer(hub.engine, landing_of(subject))
    with transaction(hub.engine) as conn:
        release_push(conn, transfer_id_of(landing_of(subject), dataset, main=landed["dataset"]))
