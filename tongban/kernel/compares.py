"""Compares: services of a department that answer a question and hand out no record.

"Are these two married?" is answered yes, no or unknown; nothing is pulled, mapped or stored, so a
compare has neither dataset nor contract. Read from `compares` of a system's YAML; the call itself
uses the same vocabulary as every other call. Beside {now:FORMAT} its text may hold:
    {questions} {batch_id}   the questions of one call, each as `question` writes it
    {purpose} {purpose_label} {asker} {unit}   why it is asked, by whom, of which unit
and in `question`, or with `batch: 1` in the call too: {number}, {case_no} and each field of `asks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PositiveInt, StringConstraints, model_validator

from tongban.kernel.budgets import Strict
from tongban.kernel.interfaces import (
    Call,
)

AskedType = Literal["resident_id", "credit_code", "unit_no", "person_name", "text"]
SUBJECT_TYPES: Final = frozenset({"resident_id", "credit_code", "unit_no"})
FEWEST_WORDS: Final = 2
MOST_WORDS: Final = 8  # more is a record in disguise

CALL_NAMES: Final = frozenset(
    {"questions", "batch_id", "purpose", "purpose_label", "asker", "unit", "now"}
)
QUESTION_NAMES: Final = frozenset({"question", "number", "case_no"})


def _as_word(value: Any) -> Any:
    """YAML reads a bare yes as truth; here it is the word."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Word = Annotated[Name, BeforeValidator(_as_word)]


class Label(Strict):
    """The compare's name for people."""

    zh: str
    en: str


class Asked(Strict):
    """One field of a question.

    Attributes:
        type: Its rule; numbers are brought into their normal form and their check digits are
            checked before anything is sent.
        max_length: Longest text; numbers have lengths of their own.
    """

    type: AskedType
    max_length: PositiveInt = 100


class CompareAnswer(Strict):
    """What the department says to one question.

    Attributes:
        path: Path of the code in one answer.
        codes: Each code that it may give, and the word it means: yes, no, unknown, or a few more.
    """

    path: str
    codes: dict[str, Word]

    @model_validator(mode="after")
    def _a_small_closed_set(self) -> CompareAnswer:
        words = set(self.codes.values())
        if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
            expected = f"{FEWEST_WORDS} to {MOST_WORDS}"
            raise ValueError(
                f"codes mean {len(words)} words, expected {expected}; more is a record, "
                "declare it under `datasets`"
            )
        return self


class CompareAnswers(Strict):
    """Where each question is answered.

    Attributes:
        records: Path of the list of answers in the opened answer; "" when the answer to a call
            with `batch: 1` is about its one question.
        number: Path of the question's {number} in one answer; may be left out with `batch: 1`.
        answer: The answer itself.
        missing: What it means when a question is left out, where "no record" is told so.
        receipt_no: Path of the department's receipt number in one answer.
        batch_receipt_no: Path of its receipt number for the whole call, in the opened answer.
    """

    records: str = ""
    number: str | None = None
    answer: CompareAnswer
    missing: Word | None = None
    receipt_no: str | None = None
    batch_receipt_no: str | None = None


class Compare(Strict):
    """One service that only compares.

    Attributes:
        label: Name for people.
        asks: The fields of one question; at least one of them is a number of the subject.
        call: The request of one batch; `{questions}` stands for the list.
        batch: Most questions in one request.
        question: Template of one question; all its fields as they are called when left out.
        answers: Where each question is answered.
        purposes: What it may be asked for, and nothing else: code → words for people.
    """

    label: Label
    asks: dict[Name, Asked]
    call: Call
    batch: PositiveInt = 1
    question: dict[str, Any] = Field(default_factory=dict)
    answers: CompareAnswers
    purposes: dict[Name, str]

    @model_validator(mode="after")
    def _complete(self) -> Compare:
        if not self.subjects:
            kinds = ", ".join(sorted(SUBJECT_TYPES))
            raise ValueError(f"asks: no field is a number of the subject ({kinds})")
        taken = set(self.asks) & (CALL_NAMES | QUESTION_NAMES)
        if taken:
            raise ValueError(f"asks: {', '.join(sorted(taken))} means something else in a call")
        if not self.purposes:
            raise ValueError("purposes: name at least one; nobody may ask without a purpose")
        if self.batch > 1 and not (self.answers.number and self.answers.records):
            raise ValueError("answers: a batch of several questions needs `records` and `number`")
        return self

    @property
    def subjects(self) -> tuple[str, ...]:
        """Fields that are numbers of the subject."""
        return tuple(name for name, item in self.asks.items() if item.type in SUBJECT_TYPES)

    @property
    def template(self) -> dict[str, Any]:
        """How one question is written."""
        return self.question or {"number": "{number}", **{n: f"{{{n}}}" for n in self.asks}}

    @property
    def words(self) -> tuple[str, ...]:
        """Every answer that it can give, in the order of its codes."""
        found = dict.fromkeys(self.answers.answer.codes.values())
        if self.answers.missing is not None:
            found[self.answers.missing] = None
        return tuple(found)
