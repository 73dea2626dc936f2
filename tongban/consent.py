"""Consent: which stops of a load a person may lift, and whether somebody has.

A load that a rule stops asks once and is refused; loaded again after the approval it goes through,
once, since its transfer is finished then. A rejected question is not asked again for this landing.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine

from tongban.store import approvals
from tongban.store.engine import transaction

DIRTY_BATCH = "dirty_batch"
MASS_DELETE = "mass_delete"
FROZEN_BATCH = "frozen_batch"
HELD_PUSH = "held_push"

RELOADED = frozenset({DIRTY_BATCH, MASS_DELETE, FROZEN_BATCH})
"""Kinds whose approval loads a landing again."""


def subject_of(dataset: str, landing_id: str | UUID) -> str:
    """What a question about a load is about."""
    return f"{dataset}/{landing_id}"


def allowed(engine: Engine, dataset: str, landing_id: str | UUID) -> frozenset[str]:
    """Kinds of stops that somebody has lifted for this load."""
    subject = subject_of(dataset, landing_id)
    with transaction(engine) as conn:
        return frozenset(
            kind for kind in RELOADED if approvals.state(conn, kind, subject) == "approved"
        )


def ask(
    engine: Engine, kind: str, dataset: str, landing_id: str | UUID, reason: str, *, owner: str
) -> None:
    """Ask a person to lift a stop; what was decided for this load is not asked again."""
    subject = subject_of(dataset, landing_id)
    with transaction(engine) as conn:
        if approvals.state(conn, kind, subject) is None:
            approvals.ask(conn, kind, subject, reason, owner=owner)
