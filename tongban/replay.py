"""Replay: load a landing once more, without asking the department again.

For rows that a corrected mapping, contract or code table would read in another way, and after a
restored backup. Each replay is a transfer of its own on the same pages, with its own counts and
evidence; what is stored from a newer page is never overwritten by an older one, and equal content
writes nothing. A landing whose first load did not finish is simply loaded to its end.

A replayed snapshot deletes nothing: what it does not have may have been added since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from tongban.evidence import transfers
from tongban.hub import Hub
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING, Window
from tongban.outcomes import Loaded, transfer_id_of
from tongban.pipeline import load
from tongban.store.engine import transaction

_LANDINGS = text("""
    SELECT transfer_id FROM hub.transfer
     WHERE direction = 'pull' AND parent_id IS NULL AND landed_at >= :since
       AND dataset = :dataset AND system = :system AND landing IS NOT NULL
     ORDER BY landed_at
""")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One landing that was loaded again, all its datasets, children first."""

    landing_id: str
    loaded: tuple[Loaded, ...]


def landings_since(
    hub: Hub, dataset: str, since: datetime, *, system: str | None = None
) -> list[str]:
    """Landings of a dataset that came since a moment and are still there, oldest first."""
    route = hub.catalog.pull_route(dataset, system)
    facts = {"since": since, "dataset": route.dataset, "system": route.system}
    with transaction(hub.engine) as conn:
        return [str(row.transfer_id) for row in conn.execute(_LANDINGS, facts)]


def replay(hub: Hub, landing_id: str) -> Replayed:
    """Load every dataset of one landing again.

    Raises:
        ConfigInvalid: No transfer knows that landing, or retention has removed it.
        BatchRefused: As for a first load.
    """
    pulled = _pulled(hub, landing_id)
    route = hub.catalog.pull_route(pulled["dataset"], pulled["system"])
    done = [_replayed(hub, UUID(landing_id), dataset, pulled) for dataset in route.datasets]
    return Replayed(landing_id=landing_id, loaded=tuple(done))


def _replayed(hub: Hub, landing_id: UUID, dataset: str, pulled: dict[str, Any]) -> Loaded:
    """One dataset: its unfinished transfer goes on, a finished one is followed by another."""
    main = str(pulled["dataset"])
    first = transfers.read_transfer(hub.engine, transfer_id_of(landing_id, dataset, main=main))
    if first["state"] != "finished":
        return load(hub, str(landing_id), dataset)
    again = uuid4()
    transfers.begin_transfer(
        hub.engine,
        str(pulled["system"]),
        dataset,
        window=_window(pulled),
        contract_version=hub.catalog.contract(dataset).version,
        parent_id=landing_id,
        transfer_id=again,
        run_id=f"replay of {landing_id}",
    )
    transfers.landed(
        hub.engine,
        again,
        pages=first["pages"],
        declared_rows=first["declared_rows"],
        landing=first["landing"],
    )
    return load(hub, str(landing_id), dataset, replayed_as=again)


def _pulled(hub: Hub, landing_id: str) -> dict[str, Any]:
    """The transfer that landed the pages."""
    statement = text("""
        SELECT system, dataset, window_since, window_until FROM hub.transfer
         WHERE transfer_id::text = :landing AND direction = 'pull' AND landing IS NOT NULL
           AND landed_at IS NOT NULL AND parent_id IS NULL
    """)
    with transaction(hub.engine) as conn:
        found = conn.execute(statement, {"landing": landing_id}).mappings().first()
    if found is None:
        raise ConfigInvalid(
            f"landing {landing_id} is unknown, incomplete, or was removed after its retention; "
            "look for its id on the transfers page, or pull the window again"
        )
    return dict(found)


def _window(pulled: dict[str, Any]) -> Window | None:
    """The window of the landing."""
    since, until = pulled["window_since"], pulled["window_until"]
    if not isinstance(until, datetime):
        return None
    begin = since.astimezone(BEIJING) if isinstance(since, datetime) else None
    return Window(since=begin, until=until.astimezone(BEIJING))
