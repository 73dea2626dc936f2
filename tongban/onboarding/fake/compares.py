"""Compares: answer declared questions as a strict department would, the same way every time.

A question that is not well-formed, comes without its number or for a purpose that is not declared
makes the whole call refused. The answer is made from a digest of the subjects' numbers, so the
order in which they are named does not matter, and it is true of nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tongban.compare import Question, QuestionsInvalid, checked
from tongban.kernel.compares import Compare
from tongban.onboarding.fake.answers import put
from tongban.onboarding.fake.reading import read

SHARES = (5, 9)  # of ten answers: the first code up to here, the second up to there, then the rest


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered to one call: the outer values and one row per question."""

    content: dict[str, Any]
    rows: list[dict[str, Any]]


def answer_to(spec: Compare, values: Mapping[str, Any]) -> Said | None:
    """Answer every question of a call, or None when it must be refused.

    Args:
        spec: The declared compare.
        values: What the placeholders of the request stand for.
    """
    if "purpose" in values and values["purpose"] not in spec.purposes:
        return None
    found = _questions(spec, values)
    if found is None or not 0 < len(found) <= spec.batch:
        return None
    numbers = [str(each.get("number", "1")) for each in found]
    asked = [Question({n: str(each.get(n) or "") for n in spec.asks}) for each in found]
    try:
        normal = checked(spec, asked, "fake")
    except QuestionsInvalid:
        return None
    if len(set(numbers)) < len(numbers) or normal != asked:
        return None
    rows = [_row(spec, n, question) for n, question in zip(numbers, normal, strict=True)]
    content: dict[str, Any] = {}
    if spec.answers.batch_receipt_no:
        put(content, spec.answers.batch_receipt_no, f"FAKE{_digest(*numbers, *_all(asked))[:12]}")
    return Said(content, rows)


def _questions(spec: Compare, values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The fields of each question; None when one does not fit its template."""
    if "questions" not in values and "question" not in values:
        return [dict(values)]
    given = values.get("questions", values.get("question"))
    found = []
    for item in given if isinstance(given, list) else [given]:
        fields: dict[str, Any] = {}
        if not isinstance(item, dict) or not read(spec.template, item, fields):
            return None
        found.append(fields)
    return found


def _row(spec: Compare, number: str, question: Question) -> dict[str, Any]:
    row: dict[str, Any] = {}
    answers = spec.answers
    if answers.number:
        put(row, answers.number, number)
    numbers = sorted(question.fields[name] for name in spec.subjects)
    put(row, answers.answer.path, code_for(spec, numbers))
    if answers.receipt_no:
        put(row, answers.receipt_no, f"FAKE{_digest(number, *numbers)[:12]}")
    return row


def code_for(spec: Compare, numbers: list[str]) -> str:
    """The code of these subjects: half the first declared one, most others the second."""
    codes = list(spec.answers.answer.codes)
    share = int(_digest(*sorted(numbers)), 16) % 10
    if share < SHARES[0]:
        return codes[0]
    return codes[1] if share < SHARES[1] or len(codes) == 2 else codes[2 + share % (len(codes) - 2)]  # noqa: PLR2004 - yes and no


def _all(asked: list[Question]) -> list[str]:
    return [text for question in asked for text in question.fields.values()]


def _digest(*texts: str) -> str:
    return hashlib.sha256("|".join(texts).encode()).hexdigest()
