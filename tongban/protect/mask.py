"""Masks: how a value is shown to a person who may not read it.

One function per kind of value; where a value is too short for its kind's pattern, nearly nothing
is shown. A masked text never contains the plain one. Masks are for showing, never for joining.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import suggestion

HIDDEN = "***"

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PLATE_LENGTH = 7  # GA 36-2018; 8 for new-energy vehicles


def mask(kind: str, value: str | None) -> str | None:
    """Show a value as its kind allows; null and empty stay as they are.

    Args:
        kind: One of `KINDS`.
        value: The plain value; an empty one stays empty.

    Raises:
        ConfigInvalid: No such kind; with a suggestion.
    """
    if kind not in KINDS:
        raise ConfigInvalid(f'no mask kind "{kind}"{suggestion(kind, KINDS)}', kind=kind)
    if not value:
        return value
    return KINDS[kind](value)


def mask_resident_id(value: str) -> str:
    """First 6 and last 4 characters of 15 or 18; other numbers as a code."""
    return _ends(value, 6, 4)


def mask_name(value: str) -> str:
    """The first character (the family name of most people)."""
    return value[0] + "*" * max(len(value) - 1, 1) if len(value) <= 4 else value[0] + HIDDEN  # noqa: PLR2004


def mask_phone(value: str) -> str:
    """First 3 and last 4 digits."""
    return _ends(value, 3, 4)


def mask_address(value: str) -> str:
    """First 6 characters: the city and the start of the district."""
    return value[:6] + HIDDEN if len(value) > 6 else HIDDEN  # noqa: PLR2004


def mask_code(value: str) -> str:
    """First 2 and last 4 characters."""
    return _ends(value, 2, 4)


def mask_bank_account(value: str) -> str:
    """The last 4 digits, as banks print them."""
    return _ends(value, 0, 4)


def mask_date(value: str) -> str:
    """The year: of a birth, no more than an age."""
    return f"{value[:4]}-**-**" if _DATE.match(value) else HIDDEN


def mask_email(value: str) -> str:
    """The first character; the host often names an employer."""
    name, at, host = value.partition("@")
    return f"{name[0]}{HIDDEN}@{HIDDEN}" if name and at and host else HIDDEN


def mask_plate(value: str) -> str:
    """Province and letter of a vehicle's plate, and its last character."""
    return f"{value[:2]}{HIDDEN}{value[-1]}" if len(value) >= _PLATE_LENGTH else HIDDEN


def mask_text(value: str) -> str:  # noqa: ARG001 - nothing of it is shown
    """Nothing at all."""
    return HIDDEN


def _ends(value: str, head: int, tail: int) -> str:
    """Both ends, if at least a quarter of the value stays hidden between them."""
    hidden = len(value) - head - tail
    if hidden >= max(4, len(value) // 4):
        return value[:head] + "*" * hidden + value[-tail:]
    if len(value) > 4:  # noqa: PLR2004
        return value[0] + HIDDEN + value[-1]
    return HIDDEN


KINDS: dict[str, Callable[[str], str]] = {
    "resident_id": mask_resident_id,
    "name": mask_name,
    "phone": mask_phone,
    "address": mask_address,
    "amount": mask_text,
    "code": mask_code,
    "bank_account": mask_bank_account,
    "date": mask_date,
    "email": mask_email,
    "plate": mask_plate,
    "text": mask_text,
}
