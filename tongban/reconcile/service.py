"""Reconcile: hold a target's own statement against what we believe delivered (step 7).

One route at a time, in one transaction: ask the target, compare in PostgreSQL, queue again what it
lacks, sign the result. Sending is left to the push, which takes up what is queued. Nothing here
reads a record's content: both sides are keys, versions and digests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from uuid import uuid4

import polars as pl
from sqlalchemy import Connection

from tongban.evidence.signing import KEY_PURPOSE, Signer, open_signer
from tongban.hub import Hub
from tongban.kernel.catalog import PushRoute
from tongban.kernel.errors import ConfigInvalid
from tongban.protect import Vault
from tongban.reconcile import repair
from tongban.reconcile.differences import name_differences
from tongban.reconcile.sheet import Mode, Reconciled, close_sheet, open_sheet
from tongban.reconcile.sides import Keyed, add_up, count_ours, fill_ours, fill_theirs, moment_of
from tongban.store.engine import transaction


def routes_of(hub: Hub, target: str | None = None, dataset: str | None = None) -> list[PushRoute]:
    """The push routes that are meant.

    Raises:
        ConfigInvalid: None is.
    """
    found = [
        route
        for route in hub.catalog.push_routes
        if target in {None, route.target} and dataset in {None, route.dataset}
    ]
    if not found:
        names = sorted({route.name for route in hub.catalog.push_routes})
        raise ConfigInvalid(
            f"no push route to {target or 'any target'} with {dataset or 'any dataset'}; "
            f"there are: {', '.join(names)}"
        )
    return found


def reconcile(
    hub: Hub,
    route: PushRoute,
    *,
    day: date | None = None,
    repairs: bool = True,
    all_of_it: bool = False,
) -> Reconciled:
    """Compare one route and queue again what the target lacks.

    Args:
        hub: An open hub.
        route: Target and dataset.
        day: Only what was delivered on that day in Beijing; everything when not given.
        repairs: Queue again what differs.
        all_of_it: Queue it however much it is.

    Raises:
        RetryLater: The target paused; nothing was written.
        AnswerUnreadable: Its statement cannot be used.
    """
    accepted = hub.catalog.system(route.target).accepts[route.dataset]
    vault = Vault(hub.keyring)
    signer = open_signer(hub.keyring.derived(KEY_PURPOSE))
    with transaction(hub.engine) as conn:
        begun = Reconciled(
            uuid4(), route.target, route.dataset, day, "none", moment_of(conn), ours_rows=0
        )
        if accepted.statement is not None or accepted.counted is not None:
            connector = hub.connector(route.target)
            try:
                if accepted.statement is not None:
                    pages = connector.statement_pages(route.dataset)
                    found = compare_lists(conn, begun, pages, vault)
                else:
                    found = compare_counts(conn, begun, connector.held(route.dataset))
            finally:
                connector.close()
        else:
            found = compare_counts(conn, begun, None)
        return settle(conn, found, signer, repairs=repairs, all_of_it=all_of_it)


def compare_lists(
    conn: Connection, begun: Reconciled, pages: Iterable[pl.DataFrame], keyed: Keyed
) -> Reconciled:
    """Compare record by record; the differences are written in this transaction."""
    foreign = fill_theirs(conn, pages, keyed)
    fill_ours(conn, begun.target, begun.dataset, begun.asked_at, begun.day)
    sums = add_up(conn, is_part=begun.day is not None)
    found = replace(
        begun,
        mode="listed",
        ours_rows=sums.ours_rows,
        theirs_rows=sums.theirs_rows,
        ours_digest=sums.ours_digest.hex(),
        theirs_digest=sums.theirs_digest.hex(),
        moving_rows=sums.moving,
        foreign_rows=foreign if begun.day is None else 0,
    )
    open_sheet(conn, found)
    if sums.ranges == 0:
        return found
    named, contradictions = name_differences(conn, found.statement_id, found.target, found.dataset)
    return replace(found, differences=named, contradictions=contradictions)


def compare_counts(conn: Connection, begun: Reconciled, theirs: int | None) -> Reconciled:
    """Compare numbers, as far as the target tells one; a day's number cannot be asked."""
    fill_ours(conn, begun.target, begun.dataset, begun.asked_at, begun.day)
    ours, moving = count_ours(conn)
    told = theirs if begun.day is None else None
    mode: Mode = "counted" if told is not None else "none"
    # What is on its way may be there or not: as many more or fewer are no difference.
    if told is not None and abs(told - ours) <= moving:
        told = ours
    found = replace(begun, mode=mode, ours_rows=ours, theirs_rows=told, moving_rows=moving)
    open_sheet(conn, found)
    return found


def settle(
    conn: Connection, found: Reconciled, signer: Signer, *, repairs: bool, all_of_it: bool
) -> Reconciled:
    """Queue again what sending can mend, then sign; the last step of the transaction."""
    rows = sum(found.differences.values())
    if repairs and rows:
        if repair.is_too_many(rows, found.ours_rows) and not all_of_it:
            found = replace(found, is_held=repair.hold(conn, found.statement_id) > 0)
        else:
            found = replace(found, requeued_rows=repair.requeue(conn, found.statement_id))
    close_sheet(conn, found, signer)
    return found
