"""Which kind of number somebody asked for, in its normal form.

Only the form is judged; whether the number exists is what the lookup answers.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from tongban.kernel.errors import Fatal
from tongban.kernel.identifiers import (
    credit_code,
    real_estate_unit_is_valid,
    resident_id_from_15,
    resident_id_is_valid,
)

NumberKind = Literal["resident_id", "credit_code", "unit_no"]
_LEGACY_LENGTH = 15


class NumberUnusable(Fatal):
    """The number has the form of no resident ID, credit code or real-estate unit number."""

    code = "fatal.number_unusable"


@dataclass(frozen=True, slots=True)
class SubjectNumber:
    """A number in normal form; its repr does not show it."""

    kind: NumberKind
    value: str

    def __repr__(self) -> str:
        """Show the kind only."""
        return f"SubjectNumber({self.kind})"


def read_number(text: str) -> SubjectNumber:
    """Recognise a resident ID (18 or 15 digits), a credit code or a unit number.

    Full-width digits, blanks and lower-case letters are brought to normal form first; a number
    of 15 digits becomes the 18 digits of the same person.

    Raises:
        NumberUnusable: None of the forms fits, or the check digit is wrong. The message tells
            the length, never the number.
    """
    value = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    if len(value) == _LEGACY_LENGTH and (longer := resident_id_from_15(value)) is not None:
        return SubjectNumber("resident_id", longer)
    if resident_id_is_valid(value):
        return SubjectNumber("resident_id", value)
    if credit_code(value).is_valid:
        return SubjectNumber("credit_code", value)
    if real_estate_unit_is_valid(value):
        return SubjectNumber("unit_no", value)
    raise NumberUnusable(
        f"the number of {len(value)} characters is no resident ID (18 or 15), no credit code (18) "
        "and no real-estate unit number (28) with right check digits; look at it again"
    )
