"""Samples: a few rows of a broken rule, masked so that nothing can be read back.

Fail-closed: a field without a mask kind is hidden whole, whatever its classification; only its
length is told where the field is not classified, since a wrong length is often the defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from tongban.kernel.contracts import Contract, Field
from tongban.protect import mask
from tongban.validate import RowRule

SAMPLES = 3
HIDDEN = "***"
MISSING = "（空）"
UNREADABLE = "（无法识别）"
_LOSES_VALUES = ("type", "code")  # what normalizing could not read is not there any more
_OPEN = ("public", "internal")


@dataclass(frozen=True, slots=True)
class Sample:
    """One masked row: its token, and (label, masked value) for the fields of the rule."""

    token: str
    fields: tuple[tuple[str, str], ...]


def sample_of(
    contract: Contract, rule: RowRule, token: str, frame: pl.DataFrame, row: int
) -> Sample:
    """Mask the fields that a rule reads of one row."""
    shown: list[tuple[str, str]] = []
    for name in rule.fields:
        item, value = contract.field(name), frame[name][row]
        is_lost = value is None and rule.kind in _LOSES_VALUES
        shown.append((item.label, UNREADABLE if is_lost else masked(item, value)))
    return Sample(token=token, fields=tuple(shown))


def masked(item: Field, value: object) -> str:
    """One value as an auditor may see it."""
    if value is None:
        return MISSING
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if item.mask is not None:
        return mask(item.mask, text) or MISSING
    if item.classification in _OPEN and isinstance(value, str):
        return f"{HIDDEN}（{len(text)} 个字符）"
    return HIDDEN
