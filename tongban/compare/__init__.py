"""Compare: ask a department yes or no about somebody, and keep nothing but the receipt.

Nobody asks without purpose, person and unit; a question that is not well-formed never leaves; each
call leaves one entry in the evidence log and each question one receipt. The answer goes to whoever
asked and nowhere else: the hub keeps a digest of it that only the asker's proof can open.
"""

from __future__ import annotations

from tongban.compare.asking import Answer, compare, compare_in_batches
from tongban.compare.questions import (
    Asker,
    Question,
    QuestionsInvalid,
    checked,
    is_askable,
    read_asker,
)
from tongban.compare.receipts import is_proved
from tongban.compare.service import PurposeRefused, declared

__all__ = [
    "Answer",
    "Asker",
    "PurposeRefused",
    "Question",
    "QuestionsInvalid",
    "checked",
    "compare",
    "compare_in_batches",
    "declared",
    "is_askable",
    "is_proved",
    "read_asker",
]
