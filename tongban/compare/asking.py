"""Asking: the verb — check, note, ask, note what came of it, hand the answers out.

No answer leaves this module before its receipt and the call's evidence entry are committed. A kill
in between leaves a receipt in the state `asked`; asking again with the same request id takes it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID, uuid4, uuid5

from tongban.compare.questions import Asker, Question, check_reference, checked, read_asker
from tongban.compare.receipts import (
    Receipt,
    Request,
    note_answered,
    note_asked,
    note_failed,
    receipt_for,
)
from tongban.compare.service import check_purpose, declared
from tongban.kernel.errors import TongbanError

if TYPE_CHECKING:
    from connectors import Connector
    from tongban.hub import Hub
    from tongban.kernel.compares import Compare

_CALLS = UUID("0d4c9a57-6f0e-5a8b-8c53-0b9f6f1d7e42")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question, for whoever asked; its repr does not tell it.

    Attributes:
        row: Number of the question, from 1.
        answer: One of the compare's words, such as yes, no, unknown.
        receipt: Row of hub.comparison.
        receipt_no: The department's own number, where it gives one.
        proof: With it, `is_proved` confirms this answer later; the hub keeps no copy.
    """

    row: int
    answer: str = field(repr=False)
    receipt: UUID
    receipt_no: str
    proof: str = field(repr=False)


def compare(
    hub: Hub,
    system: str,
    name: str,
    questions: Sequence[Question | Mapping[str, str]],
    *,
    purpose: str,
    asker: Asker | str,
    case_no: str | None = None,
    request_id: str | None = None,
) -> list[Answer]:
    """Ask a department to compare, and give each question's answer in order.

    Args:
        hub: An open hub.
        system: Name of the system.
        name: Name below its `compares`.
        questions: Their fields, or `Question` where each belongs to a case of its own.
        purpose: One of the declared ones.
        asker: Person and unit, or `person@unit`.
        case_no: The case of all questions that name none.
        request_id: Asking again under the same one leaves no second receipt; made when not given.

    Raises:
        QuestionsInvalid, PurposeRefused, ConfigInvalid: Nothing was asked.
        RetryLater: A batch brought no answer; ask again with the same request id.
        Fatal: The department refused, or its answer cannot be read.
    """
    batches = compare_in_batches(
        hub,
        system,
        name,
        questions,
        purpose=purpose,
        asker=asker,
        case_no=case_no,
        request_id=request_id,
    )
    return sorted((answer for batch in batches for answer in batch), key=lambda one: one.row)


def compare_in_batches(
    hub: Hub,
    system: str,
    name: str,
    questions: Sequence[Question | Mapping[str, str]],
    *,
    purpose: str,
    asker: Asker | str,
    case_no: str | None = None,
    request_id: str | None = None,
) -> Iterator[list[Answer]]:
    """As `compare`, one list per call, as soon as its receipts are committed.

    Everything is checked before the first call, and when this is called, not when it is read.
    """
    spec = declared(hub.catalog, system, name)
    check_purpose(spec, system, name, purpose)
    check_reference("case number", case_no)
    check_reference("request id", request_id)
    who = read_asker(f"{asker.person}@{asker.unit}" if isinstance(asker, Asker) else asker)
    asked = [_question(one, case_no) for one in questions]
    for question in asked:
        check_reference("case number", question.case_no)
    normal = checked(spec, asked, f"{system}: {name}")
    request = Request(request_id or uuid4().hex, system, name, purpose, who)
    receipts: dict[UUID, Receipt] = {}
    rows: dict[UUID, list[int]] = {}
    for row, question in enumerate(normal, 1):
        receipt = receipt_for(hub.keyring, spec, request, question)
        receipts[receipt.comparison_id] = receipt
        rows.setdefault(receipt.comparison_id, []).append(row)
    return _ask_all(hub, spec, request, receipts.values(), rows)


def _question(given: Question | Mapping[str, str], case_no: str | None) -> Question:
    if isinstance(given, Question):
        return given if given.case_no is not None else Question(given.fields, case_no)
    return Question(given, case_no)


def _ask_all(
    hub: Hub,
    spec: Compare,
    request: Request,
    receipts: Iterable[Receipt],
    rows: Mapping[UUID, list[int]],
) -> Iterator[list[Answer]]:
    """Ask batch by batch; a question that stands twice is asked once."""
    waiting = iter(receipts)
    with hub.connector(request.system) as connector:
        while batch := list(islice(waiting, spec.batch)):
            yield _ask(hub, connector, spec, request, batch, rows)


def _ask(
    hub: Hub,
    connector: Connector,
    spec: Compare,
    request: Request,
    receipts: Sequence[Receipt],
    rows: Mapping[UUID, list[int]],
) -> list[Answer]:
    """One call with its notes before and after."""
    note_asked(hub.engine, request, receipts)
    about = {
        "purpose": request.purpose,
        "purpose_label": spec.purposes[request.purpose],
        "asker": request.asker.person,
        "unit": request.asker.unit,
        "batch_id": uuid5(_CALLS, "|".join(str(r.comparison_id) for r in receipts)).hex,
    }
    fields = [{**r.question.fields, "case_no": r.question.case_no} for r in receipts]
    try:
        said = connector.compare(request.name, fields, about)
    except TongbanError as exc:
        note_failed(hub.engine, request, receipts, exc.code)
        raise
    told = [(one.answer, one.receipt_no) for one in said]
    proofs = note_answered(hub.engine, hub.keyring, request, receipts, told)
    return [
        Answer(row, answer, receipt.comparison_id, receipt_no, proof)
        for receipt, (answer, receipt_no), proof in zip(receipts, told, proofs, strict=True)
        for row in rows[receipt.comparison_id]
    ]
