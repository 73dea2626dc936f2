"""Comparing: ask one batch of questions and read yes, no or unknown for each of them.

A compare changes nothing there, so a lost answer is asked for again inside the budget. The page
that answered is personal data in itself: it is neither landed nor kept when it cannot be read, and
no error tells an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.caller import Caller
from connectors.documents import Document
from connectors.errors import AnswerCodeUnknown, AnswersMissing
from connectors.templates import fill
from tongban.kernel.compares import Compare
from tongban.kernel.errors import AnswerUnreadable


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer to one question; its repr does not tell it."""

    answer: str = field(repr=False)
    receipt_no: str = ""


class Comparing:
    """Asks one compare of one system."""

    def __init__(self, caller: Caller, name: str, spec: Compare) -> None:
        self._caller = caller
        self._name = name
        self._spec = spec
        self._where = f"{caller.system.system}: {name}"

    def ask(
        self, questions: Sequence[Mapping[str, Any]], about: Mapping[str, Any]
    ) -> list[Compared]:
        """Ask at most one batch; see `Connector.compare`."""
        if not 0 < len(questions) <= self._spec.batch:
            raise ValueError(f"{len(questions)} questions, expected 1 to {self._spec.batch}")
        keeper = self._caller.transport.keeper
        keeper.reserve_rows(len(questions), self._where)
        answered = 0
        try:
            values = self._values(questions, about)
            outcome = self._caller.call(self._spec.call, values, self._where)
            found = self._answers(outcome.document, len(questions))
            answered = len(questions)
        except AnswerUnreadable as exc:
            # Who knows the question could try both answers against the page's plain digest.
            exc.context.pop("sha256", None)
            raise
        finally:
            keeper.settle_rows(answered - len(questions))
        return found

    def _values(
        self, questions: Sequence[Mapping[str, Any]], about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Give what the call is filled with."""
        numbered = [
            {**about, **question, "number": number, "now": self._caller.now}
            for number, question in enumerate(questions, 1)
        ]
        written = [fill(self._spec.template, values) for values in numbered]
        if self._spec.batch == 1:
            return {**numbered[0], "question": written[0], "questions": written}
        return {**about, "questions": written}

    def _answers(self, document: Document | None, count: int) -> list[Compared]:
        """Read exactly one answer for each question.

        Raises:
            AnswersMissing: One is missing, comes twice, or belongs to no question.
            AnswerCodeUnknown: One is none of the declared codes.
        """
        spec = self._spec.answers
        for_all = self._text(document, spec.batch_receipt_no)
        found: dict[int, Compared] = {}
        for item in self._items(document):
            number = self._number(item, count)
            if number in found:
                raise AnswersMissing(f"{self._where}: question {number} is answered twice")
            said = (item.text(spec.answer.path) or "").strip()
            if said not in spec.answer.codes:
                raise AnswerCodeUnknown(
                    f"{self._where}: {spec.answer.path} of question {number} is none of the "
                    f"{len(spec.answer.codes)} declared codes; ask the department what it means "
                    "and add it to `codes`",
                    question=number,
                )
            receipt_no = self._text(item, spec.receipt_no) or for_all
            found[number] = Compared(spec.answer.codes[said], receipt_no)
        if len(found) < count and spec.missing is None:
            raise AnswersMissing(
                f"{self._where}: {len(found)} of {count} questions are answered; where the "
                "department leaves out what it has no record of, declare `missing`",
                asked=count,
                answered=len(found),
            )
        left_out = Compared(spec.missing or "", for_all)
        return [found.get(number, left_out) for number in range(1, count + 1)]

    def _items(self, document: Document | None) -> Sequence[Document]:
        """Give the answers; none for a declared "no rows"."""
        if document is None:
            return []
        records = self._spec.answers.records
        return document.items(records) if records else [document]

    def _number(self, item: Document, count: int) -> int:
        """Tell which question an answer is for."""
        path = self._spec.answers.number
        if path is None:
            return 1
        text = (item.text(path) or "").strip()
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - a batch is shorter
        if not 1 <= number <= count:
            raise AnswersMissing(
                f"{self._where}: an answer's {path} is none of the numbers 1 to {count} that were "
                "asked; none of this call is trusted"
            )
        return number

    @staticmethod
    def _text(document: Document | None, path: str | None) -> str:
        return (document.text(path) or "").strip() if document and path else ""
