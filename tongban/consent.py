"""Consent: which stops of a load a person may lift, and whether somebody has.

A load that a rule stops asks once and is refused; loaded again after the approval it goes through,
once, since its transfer is finished then. A rejected question is not asked again for this landing.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy import Engine

from tongban.drift import expect
from tongban.kernel.catalog import Catalog
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import BatchRefused, TongbanError
from tongban.normalize import NormalizePlan
from tongban.store import approvals
from tongban.store.deletes import MassDelete
from tongban.store.drifts import HELD_PUSH
from tongban.store.engine import transaction
from tongban.store.transfers import read_transfer
from tongban.watch import BatchFrozen, Watch, open_watch

DIRTY_BATCH = "dirty_batch"
MASS_DELETE = "mass_delete"
FROZEN_BATCH = "frozen_batch"

RELOADED = frozenset({DIRTY_BATCH, MASS_DELETE, FROZEN_BATCH})
"""Kinds whose approval loads a landing again."""

_OWN_REASONS: tuple[tuple[type[BatchRefused], str], ...] = (
    (MassDelete, MASS_DELETE),
    (BatchFrozen, FROZEN_BATCH),
    (BatchRefused, DIRTY_BATCH),
)


def subject_of(dataset: str, landing_id: str | UUID) -> str:
    """What a question about a load is about."""
    return f"{dataset}/{landing_id}"


def landing_of(subject: str) -> UUID:
    """The landing that a question about a load is about."""
    return UUID(subject.rpartition("/")[2])


def allowed(engine: Engine, dataset: str, landing_id: str | UUID) -> frozenset[str]:
    """Kinds of stops that somebody has lifted for this load."""
    subject = subject_of(dataset, landing_id)
    with transaction(engine) as conn:
        kinds = (*RELOADED, HELD_PUSH)
        return frozenset(k for k in kinds if approvals.state(conn, k, subject) == "approved")


def ask(
    engine: Engine, kind: str, dataset: str, landing_id: str | UUID, reason: str, *, owner: str
) -> None:
    """Ask a person to lift a stop; what was decided for this load is not asked again."""
    subject = subject_of(dataset, landing_id)
    with transaction(engine) as conn:
        if approvals.state(conn, kind, subject) is None:
            approvals.ask(conn, kind, subject, reason, owner=owner)


def policies(lifted: frozenset[str]) -> frozenset[str]:
    """What drift does no longer do to this load."""
    of = {FROZEN_BATCH: "frozen", HELD_PUSH: "held"}
    return frozenset(of[kind] for kind in lifted if kind in of)


def watch_of(
    engine: Engine,
    catalog: Catalog,
    contract: Contract,
    normalize: NormalizePlan,
    transfer_id: UUID,
    landing_id: str,
    *,
    is_snapshot: bool,
    lifted: frozenset[str],
) -> Watch | None:
    """Give who holds the batch against its department's habits; None when it is stored already."""
    if read_transfer(engine, transfer_id)["state"] == "finished":
        return None
    mapping = catalog.mapping(normalize.system, contract.dataset)
    return open_watch(
        engine,
        expect(mapping, contract, catalog.codes),
        contract,
        normalize,
        transfer_id,
        is_snapshot=is_snapshot,
        lifted=policies(lifted),
        on_held=lambda reason: ask_to_push(engine, contract, landing_id, reason),
    )


def after_refusal(
    engine: Engine, watch: Watch | None, error: TongbanError, landing_id: str
) -> None:
    """Keep what stopped a load, and ask whether it may be stored after all."""
    if watch is None:
        return
    watch.keep(engine, is_stored=False)
    if isinstance(error, BatchRefused):
        kind = next(kind for of, kind in _OWN_REASONS if isinstance(error, of))
        contract = watch.contract
        ask(engine, kind, contract.dataset, landing_id, str(error), owner=contract.owner)


def ask_to_push(engine: Engine, contract: Contract, landing_id: str, reason: str) -> None:
    """Ask whether what is being stored may go to its targets."""
    ask(engine, HELD_PUSH, contract.dataset, landing_id, reason, owner=contract.owner)


def loosened(contract: Contract, lifted: frozenset[str]) -> Contract:
    """The contract as it counts for this load: a mass delete may have been approved."""
    return replace(contract, delete_share=1.0) if MASS_DELETE in lifted else contract
