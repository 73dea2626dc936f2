"""Housekeeping: the few set-based statements that scheduling needs from the hub's tables.

Counts of due rows, parked rows queued again, old landings removed. No record is read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tongban.kernel.errors import ConfigInvalid

if TYPE_CHECKING:
    from tongban.pipeline import Hub

_DUE = """
SELECT dataset, count(*) FROM hub.outbox
WHERE state IN ('queued', 'sent', 'waiting_parent') AND next_try_at <= now() AND held_by IS NULL
GROUP BY dataset
"""
_OLD = """
SELECT landing FROM hub.transfer
WHERE direction = 'pull' AND landing IS NOT NULL
GROUP BY landing
HAVING bool_and(state = 'finished' OR error_code = 'fatal.major_not_admitted')
   AND max(finished_at) < now() - make_interval(days => %(days)s)
"""
_FORGET = "UPDATE hub.transfer SET landing = NULL WHERE landing = ANY(%(landings)s)"
_ORIGIN = """
SELECT system, dataset FROM hub.transfer
WHERE transfer_id::text = %(landing)s AND direction = 'pull' AND landing IS NOT NULL
"""


def due_by_dataset(hub: Hub) -> dict[str, int]:
    """Outbox rows that a push would take up now, by dataset."""
    with hub.engine.connect() as connection:
        return {str(name): int(rows) for name, rows in connection.exec_driver_sql(_DUE)}


def due_rows(hub: Hub, datasets: Iterable[str]) -> int:
    """Outbox rows of these datasets that a push would take up now, over all targets."""
    due = due_by_dataset(hub)
    return sum(due.get(dataset, 0) for dataset in datasets)


def requeue_parked(hub: Hub) -> int:
    """Queue every parked row again and give their number; rejected rows wait for a person."""
    from tongban.push import requeue

    return sum(
        requeue(hub.engine, route.target, route.dataset, ("parked",))
        for route in hub.catalog.push_routes
    )


def remove_landings(hub: Hub, days: int) -> int:
    """Remove landings whose transfers all finished more than `days` ago; give their number.

    Landings of failed or refused transfers stay: a person still has to look at them. A contract
    version that waits for approval needs none, since its first load reads everything anew.
    """
    with hub.engine.connect() as connection:
        old = [str(row[0]) for row in connection.exec_driver_sql(_OLD, {"days": days})]
    for landing in old:
        system, dataset, landing_id = landing.split("/")
        hub.landing.landing(system, dataset, landing_id).delete()
    if old:
        with hub.engine.begin() as connection:
            connection.exec_driver_sql(_FORGET, {"landings": old})
    return len(old)


def origin_of(hub: Hub, landing_id: str) -> tuple[str, str]:
    """The system and the dataset whose pages a landing holds.

    Raises:
        ConfigInvalid: No transfer knows that landing, or retention has removed it.
    """
    with hub.engine.connect() as connection:
        found = connection.exec_driver_sql(_ORIGIN, {"landing": landing_id}).first()
    if found is None:
        raise ConfigInvalid(
            f"landing {landing_id} is unknown or was removed; look for its id on the transfers page"
        )
    return str(found[0]), str(found[1])
