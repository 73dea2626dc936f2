"""Receipts: how far one record came at each of its targets, as a ladder.

    stored       in the hub, nobody has to get it yet (waits for a person, or withheld)
    queued       to be sent
    sent         went out, no answer is known
    refused      the target said no to its content (`rejected`), or its parent is missing there
    received     the target has it and gave a receipt; a department applies it with that receipt
    accepted     the same, at the provincial substation: the platform's own acceptance

Departments' interfaces report one step, the receipt; whether a record was applied to a case shows
in what they send back. Nothing here shows a field's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from tongban.hub import Hub
from tongban.kernel.errors import ConfigInvalid
from tongban.protect import record_id_of
from tongban.store.engine import transaction

SUBSTATION = "substation"
RUNGS = {
    "queued": "queued",
    "sent": "sent",
    "waiting_parent": "refused: parent missing",
    "rejected": "refused",
    "parked": "parked: a person must look",
    "superseded": "superseded by a later version",
    "withheld": "stored: not for this target",
}
_ROWS = text("""
    SELECT target, version, state, op, receipt_no, code, attempts, held_by IS NOT NULL AS is_held,
           queued_at, sent_at, closed_at
      FROM hub.outbox WHERE record_id = :record_id AND dataset = :dataset
     ORDER BY target, version
""")


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """One version of one record at one target; moments as ISO 8601."""

    target: str
    version: int
    rung: str
    op: str | None
    receipt_no: str | None
    code: str | None
    attempts: int
    queued_at: str
    sent_at: str | None
    closed_at: str | None


def receipts_of(hub: Hub, dataset: str, key: Sequence[str]) -> list[RecordReceipt]:
    """What became of a record at every target, oldest version first.

    Args:
        hub: An open hub.
        dataset: Which dataset.
        key: The key fields in the contract's order, in contract form.

    Raises:
        ConfigInvalid: No such dataset, or not as many key fields as its contract has.
    """
    contract = hub.catalog.contract(dataset)
    if len(key) != len(contract.key):
        raise ConfigInvalid(
            f"{dataset}: its key is {', '.join(contract.key)}, so {len(contract.key)} values are "
            f"needed, not {len(key)}"
        )
    record_id = record_id_of(hub.keyring, contract, dict(zip(contract.key, key, strict=True)))
    facts = {"record_id": record_id, "dataset": dataset}
    with transaction(hub.engine) as conn:
        rows = conn.execute(_ROWS, facts).all()
    return [
        RecordReceipt(
            target=row.target,
            version=row.version,
            rung=_rung(row.target, row.state, is_held=row.is_held),
            op=row.op,
            receipt_no=row.receipt_no,
            code=row.code,
            attempts=row.attempts,
            queued_at=row.queued_at.isoformat(),
            sent_at=row.sent_at.isoformat() if row.sent_at else None,
            closed_at=row.closed_at.isoformat() if row.closed_at else None,
        )
        for row in rows
    ]


def _rung(target: str, state: str, *, is_held: bool) -> str:
    """The step of the ladder that a row has reached."""
    if is_held and state == "queued":
        return "stored: waits for a person"
    if state in RUNGS:
        return RUNGS[state]
    return "accepted" if target == SUBSTATION else "received"
