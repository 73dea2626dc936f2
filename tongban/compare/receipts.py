"""Receipts: one row per question, noted before it is asked and closed with what came of it.

A row tells who asked whom about which blind indexes, for what, and the department's receipt number.
The answer is in no column: `answer_digest` is keyed and salted with a proof that goes out with the
answer and is not kept, so that not even the keys of the hub can tell a yes from a no afterwards;
who holds the proof can show what was answered.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, LargeBinary, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from tongban.compare.questions import Asker, Question
from tongban.evidence.log import append
from tongban.evidence.verify import merkle_root
from tongban.kernel.compares import Compare
from tongban.kernel.identifiers import holds_resident_id
from tongban.protect import KeyRing, blind_index_of
from tongban.protect.index import keyed_digest
from tongban.store.engine import transaction

SUBJECT_INDEX = "subject"  # the same person has the same index in every dataset
PROOF_BYTES = 16
ANSWERED = "answered"
LONGEST_RECEIPT = 64
UNSTORABLE_RECEIPT = "withheld"

_ASK = text("""
    INSERT INTO hub.comparison AS c
           (comparison_id, request_id, system, name, purpose, asker, unit, case_no, subjects)
    VALUES (:comparison_id, :request_id, :system, :name, :purpose, :asker, :unit, :case_no,
            :subjects)
    ON CONFLICT (comparison_id) DO UPDATE
       SET times_asked = c.times_asked + 1,
           state = CASE c.state WHEN 'answered' THEN c.state ELSE 'asked' END
""").bindparams(bindparam("subjects", type_=ARRAY(LargeBinary)))
_ANSWER = text("""
    UPDATE hub.comparison
       SET state = 'answered', answered_at = now(), receipt_no = :receipt_no,
           answer_digest = :answer_digest, error_code = NULL
     WHERE comparison_id = :comparison_id
""")
_FAIL = text("""
    UPDATE hub.comparison SET state = 'failed', error_code = :error_code
     WHERE comparison_id = :comparison_id AND state = 'asked'
""")
_DIGEST = text("SELECT answer_digest FROM hub.comparison WHERE comparison_id = :comparison_id")


@dataclass(frozen=True, slots=True)
class Request:
    """What all questions of one request have in common."""

    request_id: str
    system: str
    name: str
    purpose: str
    asker: Asker


@dataclass(frozen=True, slots=True)
class Receipt:
    """One question with the row that stands for it."""

    comparison_id: UUID
    question: Question
    subjects: tuple[bytes, ...] = field(repr=False)


def receipt_for(keyring: KeyRing, spec: Compare, request: Request, question: Question) -> Receipt:
    """Make the receipt of a question; the same question of the same request has the same one."""
    digest = keyed_digest(keyring.derived("comparison"))
    asked = [request.system, request.name, request.request_id, question.case_no]
    written = json.dumps([*asked, dict(sorted(question.fields.items()))], ensure_ascii=False)
    numbers = [question.fields[name] for name in spec.subjects]
    subjects = sorted(blind_index_of(keyring, SUBJECT_INDEX, number) for number in numbers)
    return Receipt(UUID(bytes=digest(written.encode())), question, tuple(subjects))


def note_asked(engine: Engine, request: Request, receipts: Iterable[Receipt]) -> None:
    """Write down that these are being asked, before they are."""
    shared = {
        "request_id": request.request_id,
        "system": request.system,
        "name": request.name,
        "purpose": request.purpose,
        "asker": request.asker.person,
        "unit": request.asker.unit,
    }
    rows = [
        {
            **shared,
            "comparison_id": receipt.comparison_id,
            "case_no": receipt.question.case_no,
            "subjects": list(receipt.subjects),
        }
        for receipt in receipts
    ]
    with transaction(engine) as conn:
        conn.execute(_ASK, rows)


def note_answered(
    engine: Engine,
    keyring: KeyRing,
    request: Request,
    receipts: Sequence[Receipt],
    said: Sequence[tuple[str, str]],
) -> list[str]:
    """Close receipts with what was said (answer, receipt number), and leave the call's entry.

    Returns:
        The proof of each answer; it is stored nowhere.
    """
    proofs = [secrets.token_hex(PROOF_BYTES) for _ in receipts]
    digests = [
        _answer_digest(keyring, receipt.comparison_id, answer, proof)
        for receipt, (answer, _), proof in zip(receipts, said, proofs, strict=True)
    ]
    rows = [
        {
            "comparison_id": receipt.comparison_id,
            "receipt_no": _storable(receipt_no),
            "answer_digest": digest,
        }
        for receipt, (_, receipt_no), digest in zip(receipts, said, digests, strict=True)
    ]
    with transaction(engine) as conn:
        conn.execute(_ANSWER, rows)
        _leave_entry(conn, request, receipts, ANSWERED, digests)
    return proofs


def note_failed(
    engine: Engine, request: Request, receipts: Sequence[Receipt], error_code: str
) -> None:
    """Note that a call brought no answer; that it was asked stays on record."""
    rows = [{"comparison_id": r.comparison_id, "error_code": error_code} for r in receipts]
    with transaction(engine) as conn:
        conn.execute(_FAIL, rows)
        leaves = [receipt.comparison_id.bytes for receipt in receipts]
        _leave_entry(conn, request, receipts, error_code, leaves)


def is_proved(
    engine: Engine, keyring: KeyRing, comparison_id: UUID, answer: str, proof: str
) -> bool:
    """Tell whether a receipt was closed with that answer; without its proof nobody can."""
    with transaction(engine) as conn:
        stored = conn.execute(_DIGEST, {"comparison_id": comparison_id}).scalar()
    if stored is None:
        return False
    made = _answer_digest(keyring, comparison_id, answer, proof)
    return secrets.compare_digest(bytes(stored), made)


def _leave_entry(
    conn: Connection,
    request: Request,
    receipts: Sequence[Receipt],
    outcome: str,
    leaves: Sequence[bytes],
) -> None:
    """The one evidence entry of one call."""
    entry: Mapping[str, Any] = {
        "purpose": request.purpose,
        "asker": request.asker.person,
        "unit": request.asker.unit,
        "system": request.system,
        "compare": request.name,
        "request": request.request_id,
        "cases": sorted({r.question.case_no for r in receipts if r.question.case_no}),
        "count": len(receipts),
        "outcome": outcome,
        "subjects": sorted({index.hex() for receipt in receipts for index in receipt.subjects}),
        "receipts": [str(receipt.comparison_id) for receipt in receipts],
    }
    append(conn, "comparison", entry, merkle_root(leaves))


def _answer_digest(keyring: KeyRing, comparison_id: UUID, answer: str, proof: str) -> bytes:
    key = keyring.derived("comparison answer")
    parts = b"|".join([comparison_id.bytes, proof.encode(), answer.encode()])
    return hashlib.blake2b(parts, key=key, digest_size=32).digest()


def _storable(receipt_no: str) -> str | None:
    """A receipt number as far as it is one: departments have been seen to put people into it."""
    if not receipt_no:
        return None
    if len(receipt_no) > LONGEST_RECEIPT or holds_resident_id(receipt_no):
        return UNSTORABLE_RECEIPT
    return receipt_no
