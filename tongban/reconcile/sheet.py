"""Sheet: the 对账单 — what was compared, when, and the result, as one signed document.

Canonical JSON with names, counts, digests and moments, never a value; the signature is the hub's
own (the key that signs the evidence seals), and the evidence log holds the digest of the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select

from tongban.evidence.log import append
from tongban.evidence.signing import Signer
from tongban.evidence.verify import canonical
from tongban.kernel.records import BEIJING
from tongban.store.statement_tables import statement, statement_difference

Mode = Literal["listed", "counted", "none"]
State = Literal["agrees", "differs", "unchecked"]
KIND = "statement"
FORM = "tongban statement 1"
_LISTED = (
    "statement_id",
    "target",
    "dataset",
    "day",
    "mode",
    "state",
    "asked_at",
    "ours_rows",
    "theirs_rows",
    "moving_rows",
    "foreign_rows",
    "contradictions",
    "requeued_rows",
    "differences",
)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The result of one route's comparison.

    Attributes:
        mode: `listed` record by record, `counted` numbers only, `none`: the target tells nothing.
        state: `agrees`, `differs`, or `unchecked` where there is nothing to compare with.
        ours_rows: Live records that the target acknowledged.
        theirs_rows: Records that it has; None where it does not tell.
        ours_digest, theirs_digest: Order-free, hex; empty where nothing is listed.
        moving_rows: Records that were on their way meanwhile, left out.
        foreign_rows: Lines of the statement whose keys are none of ours.
        differences: Kind → records.
        contradictions: Differences in which the target denies its own receipt.
        requeued_rows: Put back into the queue.
        is_held: Too many to be sent again without a person.
    """

    statement_id: UUID
    target: str
    dataset: str
    day: date | None
    mode: Mode
    asked_at: datetime
    ours_rows: int
    theirs_rows: int | None = None
    ours_digest: str = ""
    theirs_digest: str = ""
    moving_rows: int = 0
    foreign_rows: int = 0
    differences: Mapping[str, int] = field(default_factory=dict)
    contradictions: int = 0
    requeued_rows: int = 0
    is_held: bool = False

    @property
    def state(self) -> State:
        """Whether both sides agree."""
        if self.theirs_rows is None:
            return "unchecked"
        is_other = self.mode == "counted" and self.theirs_rows != self.ours_rows
        return "differs" if self.differences or self.foreign_rows or is_other else "agrees"


def document_of(found: Reconciled) -> dict[str, Any]:
    """What is signed."""
    return {
        "form": FORM,
        "statement": str(found.statement_id),
        "target": found.target,
        "dataset": found.dataset,
        "day": found.day.isoformat() if found.day else None,
        "mode": found.mode,
        "state": found.state,
        "asked_at": found.asked_at.astimezone(BEIJING).isoformat(timespec="microseconds"),
        "ours": {"rows": found.ours_rows, "digest": found.ours_digest},
        "theirs": {"rows": found.theirs_rows, "digest": found.theirs_digest},
        "moving": found.moving_rows,
        "foreign": found.foreign_rows,
        "differences": dict(found.differences),
        "contradictions": found.contradictions,
        "requeued": found.requeued_rows,
        "held": found.is_held,
    }


def open_sheet(conn: Connection, found: Reconciled) -> None:
    """Write the row that differences refer to; `close_sheet` in the same transaction fills it."""
    row = {**_columns(found), "document": "", "algorithm": "", "key": b"", "public": b""}
    conn.execute(insert(statement).values(**row, signature=b""))


def close_sheet(conn: Connection, found: Reconciled, signer: Signer) -> None:
    """Sign the result and enter it into the evidence log; commit right after."""
    document = canonical(document_of(found))
    signature = signer.sign(document)
    signed = {
        "document": document.decode(),
        "algorithm": signer.algorithm,
        "key": bytes.fromhex(signer.key),
        "public": signer.public,
        "signature": signature,
    }
    conn.execute(
        statement.update()
        .where(statement.c.statement_id == found.statement_id)
        .values(**_columns(found), **signed)
    )
    subject = {
        "statement": str(found.statement_id),
        "target": found.target,
        "dataset": found.dataset,
        "state": found.state,
        "ours": found.ours_rows,
        "theirs": found.theirs_rows,
        "differences": sum(found.differences.values()),
        "contradictions": found.contradictions,
        "requeued": found.requeued_rows,
        "signature": signature.hex(),
    }
    append(conn, KIND, subject, sha256(document).digest())


def listed(
    conn: Connection, target: str | None, dataset: str | None, most: int
) -> list[RowMapping]:
    """The newest statements, newest first, without their documents."""
    query = select(*(statement.c[name] for name in _LISTED))
    if target is not None:
        query = query.where(statement.c.target == target)
    if dataset is not None:
        query = query.where(statement.c.dataset == dataset)
    return list(conn.execute(query.order_by(statement.c.asked_at.desc()).limit(most)).mappings())


def read_sheet(conn: Connection, statement_id: UUID) -> RowMapping | None:
    """One statement with its document and signature."""
    query = select(statement).where(statement.c.statement_id == statement_id)
    return conn.execute(query).mappings().one_or_none()


def differences_of(conn: Connection, statement_id: UUID, most: int) -> list[RowMapping]:
    """Its records that differ, both receipts beside each other, contradictions first."""
    table = statement_difference
    query = (
        select(table)
        .where(table.c.statement_id == statement_id)
        .order_by(table.c.is_contradiction.desc(), table.c.kind, table.c.record_id)
        .limit(most)
    )
    return list(conn.execute(query).mappings())


def _columns(found: Reconciled) -> dict[str, Any]:
    """The row of a result."""
    return {
        "statement_id": found.statement_id,
        "target": found.target,
        "dataset": found.dataset,
        "day": found.day,
        "mode": found.mode,
        "state": found.state,
        "asked_at": found.asked_at,
        "ours_rows": found.ours_rows,
        "theirs_rows": found.theirs_rows,
        "ours_digest": bytes.fromhex(found.ours_digest) or None,
        "theirs_digest": bytes.fromhex(found.theirs_digest) or None,
        "moving_rows": found.moving_rows,
        "foreign_rows": found.foreign_rows,
        "contradictions": found.contradictions,
        "requeued_rows": found.requeued_rows,
        "differences": dict(found.differences),
    }
