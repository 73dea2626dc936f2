"""Housekeeping: the few set-based statements that scheduling needs from the hub's tables.

Counts of due rows, parked rows queued again, old landings removed. No record is read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import suggestion

if TYPE_CHECKING:
    from tongban.pipeline import Hub

ALL_KEYS = "all"

_DUE = """
SELECT dataset, count(*) FROM hub.outbox
WHERE state IN ('queued', 'sent', 'waiting_parent') AND next_try_at <= now() AND held_by IS NULL
GROUP BY dataset
"""
# Pages hold rows of several datasets: the shortest of their terms counts.
_OLD = """
SELECT t.landing FROM hub.transfer t
LEFT JOIN unnest(%(names)s::text[], %(terms)s::int[]) AS own(dataset, days) USING (dataset)
WHERE t.direction = 'pull' AND t.landing IS NOT NULL
GROUP BY t.landing
HAVING bool_and(t.state = 'finished' OR t.error_code = 'fatal.major_not_admitted')
   AND max(t.finished_at) < now() - make_interval(days => min(coalesce(own.days, %(days)s)))
"""
_FORGET = "UPDATE hub.transfer SET landing = NULL WHERE landing = ANY(%(landings)s)"
_NEVER_LANDED = """
SELECT transfer_id::text FROM hub.transfer
WHERE direction = 'pull' AND landed_at IS NULL AND transfer_id::text = ANY(%(ids)s)
   AND coalesce(finished_at, started_at) < now() - make_interval(days => %(days)s)
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

    A contract may have another term for the pages of its dataset (`retention: {landing: …}`).

    Landings of failed or refused transfers stay: a person still has to look at them. A contract
    version that waits for approval needs none, since its first load reads everything anew.
    """
    contracts = hub.catalog.contracts().values()
    terms = {c.dataset: c.retention.landing for c in contracts if c.retention.landing is not None}
    facts = {"days": days, "names": list(terms), "terms": list(terms.values())}
    with hub.engine.connect() as connection:
        old = [str(row[0]) for row in connection.exec_driver_sql(_OLD, facts)]
    for landing in old:
        system, dataset, landing_id = landing.split("/")
        hub.landing.landing(system, dataset, landing_id).delete()
    if old:
        with hub.engine.begin() as connection:
            connection.exec_driver_sql(_FORGET, {"landings": old})
    return len(old)


def remove_broken_landings(hub: Hub, days: int) -> int:
    """Remove what pulls left that never came to their end, `days` after their last try.

    Nothing can be loaded from pages without a manifest; a pull goes on after 20 hours at most.
    """
    folders = {landing_id: (system, name) for system, name, landing_id in hub.landing.folders()}
    with hub.engine.connect() as connection:
        facts = {"ids": list(folders), "days": days}
        old = [str(row[0]) for row in connection.exec_driver_sql(_NEVER_LANDED, facts)]
    for landing_id in old:
        system, dataset = folders[landing_id]
        hub.landing.landing(system, dataset, landing_id).delete()
    return len(old)


def expire(hub: Hub) -> dict[str, int]:
    """Let versions and refused rows go whose contract's term is over; give rows by kind."""
    from tongban.custody.retention import expire as expire_dataset

    total: dict[str, int] = {}
    for contract in hub.catalog.contracts().values():
        for kind, rows in expire_dataset(hub.engine, contract).items():
            total[kind] = total.get(kind, 0) + rows
    return total


def rotate_keys(hub: Hub, scope: str) -> dict[str, dict[str, int]]:
    """New data keys for a dataset, or for all; give rows and retired keys by scope.

    Raises:
        ConfigInvalid: Nothing is stored under that name.
    """
    from tongban.custody.places import scopes_of
    from tongban.custody.rotate import rotate

    with hub.engine.connect() as connection:
        known = scopes_of(connection)
    if scope not in {ALL_KEYS, *known}:
        raise ConfigInvalid(f'no dataset "{scope}" is stored{suggestion(scope, known)}')
    done = {name: rotate(hub, name) for name in (known if scope == ALL_KEYS else [scope])}
    return {
        name: {"rows": found.rows, "retired": len(found.retired), "remaining": found.remaining}
        for name, found in done.items()
        if found is not None
    }
