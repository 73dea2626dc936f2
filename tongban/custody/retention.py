"""Retention: what is over goes after the term that its contract says, and the log says how much.

History versions become husks (id, version, digest and times stay for proofs), closed refused rows
lose what the department sent (id, digest and findings stay, since notices name them). Newest
versions and open refused rows never expire. Chunk by chunk; called again, it finds what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tongban.custody.husks import CHUNK_ROWS, husk_replaced
from tongban.custody.places import places_of
from tongban.evidence.log import append_fact
from tongban.store.engine import transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tongban.kernel.contracts import Contract

_REFUSED = text(f"""
    UPDATE hub.quarantine SET row_sealed = '' WHERE quarantine_id IN (
        SELECT quarantine_id FROM hub.quarantine
         WHERE dataset = :dataset AND state <> 'open' AND length(row_sealed) > 0
           AND closed_at < now() - make_interval(days => :days)
         ORDER BY quarantine_id LIMIT {CHUNK_ROWS} FOR UPDATE SKIP LOCKED)
""")  # noqa: S608 - a number of ours


def expire(engine: Engine, contract: Contract) -> dict[str, int]:
    """Let what is over go; gives rows by kind, nothing where the contract has no term.

    Raises:
        DatabaseUnavailable: What was done stays done; safe to call again.
    """
    terms = contract.retention
    done: dict[str, int] = {}
    if terms.history is not None:
        with transaction(engine) as conn:
            places = [p for p in places_of(conn, contract.dataset) if p.kind == "history"]
        done["history"] = sum(husk_replaced(engine, place, terms.history) for place in places)
    if terms.quarantine is not None:
        done["quarantine"] = _empty_refused(engine, contract.dataset, terms.quarantine)
    if any(done.values()):
        subject: dict[str, Any] = {"dataset": contract.dataset, **done}
        subject["terms"] = {"history": terms.history, "quarantine": terms.quarantine}
        with transaction(engine) as conn:
            append_fact(conn, "retention", subject)
    return done


def _empty_refused(engine: Engine, dataset: str, days: int) -> int:
    total = 0
    while True:
        with transaction(engine) as conn:
            done = conn.execute(_REFUSED, {"dataset": dataset, "days": days}).rowcount
        total += done
        if done < CHUNK_ROWS:
            return total
