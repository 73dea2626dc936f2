"""The pipeline: the six verbs in a row. Read this file first.

    pull       a connector's pages, as received, into the landing           (network)
    load       landing → decode → normalize → validate → protect → store    (CPU, one transaction
                                                                             per chunk)
    push       outbox → open → map → send → receipt                          (network)

`pull` and `load` are separate, since a department may be reached only at night and a load must be
repeatable without it. Both may be killed at any point and started again: a pull goes on after its
last landed page, a load skips the chunks that are committed. `transfer` does both for the command
line. Each row ends in exactly one place, and each transfer's counts balance:
read = new + changed + same + quarantined + duplicate.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from tongban import consent
from tongban.admission import MajorNotAdmitted, admit, hand_over, is_admitted
from tongban.evidence import transfers
from tongban.evidence.log import append_receipts
from tongban.hub import Hub, open_hub
from tongban.kernel.catalog import HUB
from tongban.kernel.collecting import rare_collections
from tongban.kernel.errors import BatchRefused, LeaseHeld, TongbanError
from tongban.kernel.records import BEIJING, Window
from tongban.outcomes import Landed, Loaded, Pushed, transfer_id_of
from tongban.protect import Vault
from tongban.pull import fetch_window, given_window, next_window
from tongban.push import deliver
from tongban.push.rereports import Rereporting
from tongban.rows import ahead, children_of, chunks, compile_dataset, rows_chunk
from tongban.store import cursors
from tongban.store.holds import held
from tongban.store.leases import release_lease, take_lease
from tongban.validate import compile_contract
from tongban.watch import note_unreadable
from tongban.writing import cursor_after, loaded, seen_of, write_chunks

if TYPE_CHECKING:
    import polars as pl

    from tongban.kernel.catalog import PullRoute

__all__ = [
    "Hub",
    "Landed",
    "Loaded",
    "Pushed",
    "ingest",
    "load",
    "open_hub",
    "pull",
    "push",
    "transfer",
]


PARENT_PATIENCE_S = 20.0  # a case's acceptance row is on its way while its process rows wait


@rare_collections()
def pull(
    hub: Hub,
    dataset: str,
    *,
    system: str | None = None,
    window: Window | None = None,
    run_id: str | None = None,
) -> Landed:
    """Land every page of the next window (or of a given one) of a dataset.

    `system` says from where, which is needed only where several systems provide the dataset.
    An interrupted pull of the same dataset is continued after its last landed page, unless another
    worker is at it; what both pull is stored once. Datasets that share the pages get a transfer of
    their own, to be loaded from the same landing. `run_id` names whose pull it is: a further try
    of the same run takes what an earlier one landed, so that no landing is left that nobody loads.

    Raises:
        LeaseHeld: An earlier try of this run is still at it.
        RetryLater: The source paused, or is outside its budget; landed pages stay.
        Fatal: The source's answer cannot be used; landed pages stay for evidence.
    """
    route = hub.catalog.pull_route(dataset, system)
    if run_id is not None and (earlier := _landed_by_run(hub, route, run_id)) is not None:
        return earlier
    connector = hub.connector(
        route.system, on_unreadable=lambda _, body: landing.keep_unreadable(body)
    )
    started = time.monotonic()
    try:
        with _open_window(hub, route, window, run_id) as (landing_id, asked):
            landing = hub.landing.landing(route.system, route.dataset, str(landing_id))
            try:
                manifest = fetch_window(connector, landing, asked)
            except TongbanError as exc:
                transfers.fail_transfer(hub.engine, landing_id, code=exc.code, message=str(exc))
                contract = hub.catalog.contract(dataset)
                note_unreadable(hub.engine, exc, route.system, contract, landing_id)
                raise
    finally:
        connector.close()
    facts: dict[str, Any] = {
        "pages": len(manifest.pages),
        "declared_rows": manifest.declared_total,
        "landing": f"{route.system}/{route.dataset}/{landing_id}",
        "digests": [page.digest for page in manifest.pages],
    }
    for child in route.datasets[:-1]:
        child_id = transfer_id_of(landing_id, child)
        transfers.begin_transfer(
            hub.engine,
            route.system,
            child,
            window=asked,
            contract_version=hub.catalog.contract(child).version,
            parent_id=landing_id,
            transfer_id=child_id,
            run_id=run_id,
        )
        transfers.landed(hub.engine, child_id, **{**facts, "declared_rows": None, "digests": None})
    work_ms = int((time.monotonic() - started) * 1000)
    transfers.landed(hub.engine, landing_id, **facts, work_ms=work_ms)
    return Landed(
        landing_id=str(landing_id),
        system=route.system,
        dataset=route.dataset,
        datasets=route.datasets,
        pages=len(manifest.pages),
        declared_total=manifest.declared_total,
    )


@rare_collections()
def load(hub: Hub, landing_id: str, dataset: str, *, replayed_as: UUID | None = None) -> Loaded:
    """Decode, normalize, validate, protect and store one dataset of a complete landing.

    Running it again, also after a kill at any point, has no second effect. A breaking contract
    version that nobody has approved yet is not loaded; the outcome says so. `replayed_as` is a
    further transfer of a landing that was loaded before (`tongban.replay`).

    Raises:
        BatchFrozen: The department's habits changed in a way that only a person may accept.
        BatchRefused: The contract's dirty limit, or its limit of deletes, is passed.
        LeaseHeld: Another landing of this dataset is being loaded right now.
    """
    route, main = _route_of(hub, landing_id, dataset)
    transfer_id = replayed_as or transfer_id_of(UUID(landing_id), dataset, main=main)
    try:
        admit(hub, dataset)
    except MajorNotAdmitted as exc:
        return _not_admitted(hub, transfer_id, exc)
    landing = hub.landing.landing(route.system, main, landing_id)
    plan = compile_dataset(hub.catalog, route.system, dataset)
    manifest = landing.manifest()
    connector = hub.connector(route.system)
    lifted = consent.allowed(hub.engine, dataset, landing_id)
    watch = None
    if replayed_as is None:  # else its habits are those of its time
        watch = consent.watch_of(
            hub.engine,
            hub.catalog,
            plan.contract,
            plan.normalize,
            transfer_id,
            landing_id,
            is_snapshot=manifest.since is None,
            lifted=lifted,
        )
    made = chunks(
        landing.pages(),
        plan,
        connector,
        hub.keyring,
        children=children_of(hub.catalog, route, plan),
        watch=watch,
        refuse_dirty=consent.DIRTY_BATCH not in lifted,
    )
    contract = consent.loosened(plan.contract, lifted)
    lease = take_lease(hub.engine, route.system, dataset, holder=f"load {landing_id}")
    try:
        cursor = cursor_after(hub, route.system, dataset, manifest)
        seen = None if replayed_as else seen_of(hub, route.system, dataset, manifest)
        done = write_chunks(hub, ahead(made), contract, transfer_id, lease, cursor, seen)
        if watch is not None:
            watch.keep(hub.engine, is_stored=True)
    except TongbanError as exc:
        transfers.fail_transfer(
            hub.engine,
            transfer_id,
            code=exc.code,
            message=str(exc),
            state="refused" if isinstance(exc, BatchRefused) else "failed",
        )
        consent.after_refusal(hub.engine, watch, exc, landing_id)
        raise
    finally:
        connector.close()
        release_lease(hub.engine, lease)
    return done


@rare_collections()
def push(
    hub: Hub, target: str, dataset: str, *, limit: int | None = None, run_id: str | None = None
) -> Pushed:
    """Send what waits in the outbox for one target and dataset, and record each receipt.

    Raises:
        RetryLater: The target paused or an answer was lost; unacknowledged rows go out again.
        SystemRefused: The target refused a whole batch; its rows stay in the outbox.
    """
    route = hub.catalog.push_route(target, dataset)
    hand_over(hub, route)
    connector = hub.connector(target)
    try:
        done = deliver(
            hub.engine,
            Vault(hub.keyring),
            hub.catalog,
            route,
            Rereporting(hub.engine, target, connector),
            limit=limit,
            patience_s=PARENT_PATIENCE_S,
            evidence=append_receipts,
            run_id=run_id,
        )
    finally:
        connector.close()
    return Pushed(
        sent=done.sent,
        accepted=done.accepted,
        duplicate=done.duplicate,
        rejected=done.rejected,
        waiting=done.waiting,
    )


def transfer(
    hub: Hub, dataset: str, *, system: str | None = None, window: Window | None = None
) -> list[Loaded]:
    """Pull a window and load all datasets inside its pages, children first."""
    landed = pull(hub, dataset, system=system, window=window)
    return [load(hub, landed.landing_id, name) for name in landed.datasets]


def ingest(hub: Hub, dataset: str, frame: pl.DataFrame) -> Loaded:
    """Store rows that the hub itself made (cases), under their contract like anybody's rows.

    The dataset's owner is the hub; the frame has the contract's columns in the contract's types.
    """
    contract = hub.catalog.contract(dataset)
    plan = compile_contract(contract, hub.catalog.codes)
    transfer_id = transfers.begin_transfer(
        hub.engine, HUB, dataset, contract_version=contract.version
    )
    lease = take_lease(hub.engine, HUB, dataset, holder=f"ingest {transfer_id}")
    try:
        chunk = rows_chunk(frame, contract, plan, hub.keyring)
        return write_chunks(hub, [chunk], contract, transfer_id, lease)
    finally:
        release_lease(hub.engine, lease)


@contextmanager
def _open_window(
    hub: Hub, route: PullRoute, window: Window | None, run_id: str | None
) -> Generator[tuple[UUID, Window]]:
    """The interrupted pull to go on with, or a new transfer of the next window; ours alone."""
    interrupted = transfers.interrupted_pull(hub.engine, route.system, route.dataset, window=window)
    if interrupted is not None and (window or _is_ahead(hub, route, interrupted[1])):
        with held(hub.engine, interrupted[0]) as is_ours:
            if is_ours:
                yield interrupted
                return
        _refuse_second_try(hub, route, interrupted[0], run_id)
    asked = _window_to_ask(hub, route, window)
    landing_id = uuid4()
    with held(hub.engine, landing_id):  # before anybody can see it
        transfers.begin_transfer(
            hub.engine,
            route.system,
            route.dataset,
            window=asked,
            contract_version=hub.catalog.contract(route.dataset).version,
            run_id=run_id,
            transfer_id=landing_id,
        )
        yield landing_id, asked


def _landed_by_run(hub: Hub, route: PullRoute, run_id: str) -> Landed | None:
    """What an earlier try of this run landed before its worker was lost."""
    found = transfers.landed_by_run(hub.engine, route.system, route.dataset, run_id)
    if found is None:
        return None
    facts = transfers.read_transfer(hub.engine, found)
    return Landed(
        landing_id=str(found),
        system=route.system,
        dataset=route.dataset,
        datasets=route.datasets,
        pages=int(facts["pages"]),
        declared_total=facts["declared_rows"],
    )


def _refuse_second_try(hub: Hub, route: PullRoute, landing_id: UUID, run_id: str | None) -> None:
    """Two tries of one run would land the window twice, and only one landing would be loaded."""
    if run_id is not None and run_id == transfers.read_transfer(hub.engine, landing_id)["run_id"]:
        raise LeaseHeld(
            f"{route.system}: an earlier try of this run is still pulling {route.dataset}; "
            "nothing was asked, the next try takes what that one has landed",
            landing_id=str(landing_id),
        )


def _is_ahead(hub: Hub, route: PullRoute, window: Window) -> bool:
    """Whether a window brings something after the cursor; else it was somebody's backfill."""
    cursor = _oldest_cursor(hub, route)
    return cursor is None or window.until > cursor


def _window_to_ask(hub: Hub, route: PullRoute, window: Window | None) -> Window:
    """The window that was given, or the next one after our own committed cursor."""
    now = datetime.now(BEIJING)
    if window is not None:
        return given_window(window, now)
    rule = hub.catalog.system(route.system).window_rule(route.dataset)
    return next_window(
        None if rule.snapshot else _oldest_cursor(hub, route),
        now,
        overlap=timedelta(seconds=rule.overlap_s),
        longest=None,  # the connector asks a long window in pieces
    )


def _route_of(hub: Hub, landing_id: str, dataset: str) -> tuple[PullRoute, str]:
    """The route of a landing and its main dataset, as its transfer has them."""
    pulled = transfers.read_transfer(hub.engine, UUID(landing_id))
    return hub.catalog.pull_route(dataset, str(pulled["system"])), str(pulled["dataset"])


def _oldest_cursor(hub: Hub, route: PullRoute) -> datetime | None:
    """The oldest cursor of all datasets in the pages, so that none of them misses a window."""
    admitted = [name for name in route.datasets if is_admitted(hub, name)]
    found = [cursors.read_cursor(hub.engine, route.system, name) for name in admitted]
    return None if any(cursor is None for cursor in found) else min(c for c in found if c)


def _not_admitted(hub: Hub, transfer_id: UUID, why: MajorNotAdmitted) -> Loaded:
    """Note why nothing is loaded; the other datasets of the landing go on."""
    transfers.fail_transfer(
        hub.engine, transfer_id, code=why.code, message=str(why), state="refused"
    )
    return replace(loaded(hub, transfer_id), outcome=why.outcome)
