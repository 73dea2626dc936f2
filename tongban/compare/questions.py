"""Questions: brought into normal form and checked whole, before the first of them is sent.

A strict department answers a wrong number with an error, or worse, with "no record". So each field
is checked by its type's rule; a message tells rows, fields and rules, never what was asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tongban.kernel.compares import Asked, Compare
from tongban.kernel.errors import ConfigInvalid, Fatal
from tongban.kernel.identifiers import (
    credit_code,
    holds_resident_id,
    real_estate_unit_is_valid,
    resident_id_is_valid,
)
from tongban.normalize.identifiers import resident_id
from tongban.normalize.text import code_form, half_width, person_name

SHORTEST_NAME = 2
NAME_SIGNS: Final = frozenset("·.'’- 〇")
LONGEST_REFERENCE = 64
MOST_SHOWN = 10

_ASKER = re.compile(r"(?P<person>[^\s@]{1,50})@(?P<unit>[^\s@]{1,50})")


class QuestionsInvalid(Fatal):
    """Questions break the rule of one of their fields; nothing was asked."""

    code = "fatal.questions_invalid"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and for which unit; both stay readable in the evidence log."""

    person: str
    unit: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; its repr does not tell whom it is about.

    Attributes:
        fields: As the compare's `asks` names them.
        case_no: The case for which it is asked, where there is one.
    """

    fields: Mapping[str, str] = field(repr=False)
    case_no: str | None = None


def read_asker(text: str) -> Asker:
    """Read `person@unit`.

    Raises:
        ConfigInvalid: One of both is missing, or a resident ID stands in it.
    """
    found = _ASKER.fullmatch(text.strip())
    if found is None or holds_resident_id(text):
        raise ConfigInvalid(
            "who asks? expected person@unit, such as li.na@62089903: account and department code "
            "without blanks; they stay readable, so nobody's resident ID"
        )
    return Asker(found["person"], found["unit"])


def check_reference(what: str, text: str | None) -> None:
    """Refuse a case or request number that could tell something about a person.

    Raises:
        ConfigInvalid: It is blank, longer than 64 characters, or holds a resident ID.
    """
    if text is None:
        return
    if not 0 < len(text.strip()) <= LONGEST_REFERENCE or holds_resident_id(text):
        raise ConfigInvalid(
            f"{what}: expected 1 to {LONGEST_REFERENCE} characters without anybody's resident ID, "
            "since it stays readable"
        )


def checked(spec: Compare, questions: Sequence[Question], where: str) -> list[Question]:
    """Give every question in normal form.

    Args:
        spec: The declared compare.
        questions: At least one.
        where: System and compare, for messages.

    Raises:
        QuestionsInvalid: There is none, or some break a rule; rows count from 1.
    """
    if not questions:
        raise QuestionsInvalid(f"{where}: there is no question; nothing was asked")
    normal = _normal(spec, questions)
    found = [
        (row, problem)
        for row, (given, question) in enumerate(zip(questions, normal, strict=True), 1)
        for problem in _problems(spec, given, question)
    ]
    if found:
        rows = len({row for row, _ in found})
        shown = "; ".join(f"row {row}: {problem}" for row, problem in found[:MOST_SHOWN])
        more = f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        raise QuestionsInvalid(
            f"{where}: {rows} of {len(questions)} questions cannot be asked: {shown}{more}; "
            "nothing was asked",
            rows=rows,
        )
    return normal


def is_askable(spec: Compare, question: Question) -> bool:
    """Tell whether a question would be sent."""
    return not list(_problems(spec, question, *_normal(spec, [question])))


def _normal(spec: Compare, questions: Sequence[Question]) -> list[Question]:
    """Bring each field into the form in which numbers are compared."""
    columns: dict[str, list[str | None]] = {}
    for name, item in spec.asks.items():
        texts = [question.fields.get(name) for question in questions]
        columns[name] = _FORMS[item.type](pl.Series(texts, dtype=pl.String)).to_list()
    return [
        Question({name: columns[name][at] or "" for name in spec.asks}, question.case_no)
        for at, question in enumerate(questions)
    ]


def _problems(spec: Compare, given: Question, question: Question) -> list[str]:
    """What is wrong with one question: fields and rules."""
    found = []
    strange = len(set(given.fields) - set(spec.asks))
    if strange:  # not named: where a table has no header, its first person stands there
        wanted = ", ".join(spec.asks)
        found.append(f"{strange} fields that are not asked for; expected {wanted}")
    for name, item in spec.asks.items():
        text = question.fields[name]
        if not text:
            found.append(f"{name} is missing")
        elif not _CHECKS[item.type](text, item):
            found.append(f"{name} is no {item.type}: {_RULES[item.type]}")
    numbers = [question.fields[name] for name in spec.subjects if question.fields[name]]
    if len(set(numbers)) < len(numbers):
        found.append(f"{' and '.join(spec.subjects)} are the same number")
    return found


def _is_name(text: str, item: Asked) -> bool:
    """Letters of any script, with dots and single blanks between them."""
    letters = sum(unicodedata.category(c)[0] == "L" for c in text)
    return SHORTEST_NAME <= len(text) <= item.max_length and all(
        unicodedata.category(c)[0] in "LM" or c in NAME_SIGNS for c in text
    ) and letters >= SHORTEST_NAME  # fmt: skip


def _is_text(text: str, item: Asked) -> bool:
    return len(text) <= item.max_length and text.isprintable()


def _stripped(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars()


def _name_form(texts: pl.Series) -> pl.Series:
    return person_name(half_width(_stripped(texts)))


_FORMS: Final[Mapping[str, Callable[[pl.Series], pl.Series]]] = {
    "resident_id": resident_id,
    "credit_code": code_form,
    "unit_no": code_form,
    "person_name": _name_form,
    "text": _stripped,
}
_CHECKS: Final[Mapping[str, Callable[[str, Asked], bool]]] = {
    "resident_id": lambda text, _: resident_id_is_valid(text),
    "credit_code": lambda text, _: credit_code(text).is_valid,
    "unit_no": lambda text, _: real_estate_unit_is_valid(text),
    "person_name": _is_name,
    "text": _is_text,
}
_RULES: Final[Mapping[str, str]] = {
    "resident_id": "18 characters (or the old 15) with a real birth date and the right check "
    "character, GB 11643-1999",
    "credit_code": "18 characters with both check characters right, GB 32100-2015",
    "unit_no": "28 characters of a real-estate unit, GB/T 37346-2019",
    "person_name": "2 letters or more, no digits and no signs but · . ' - and single blanks",
    "text": "printable, within its longest length",
}
