"""Samples: a few rows of a broken rule, masked so that nothing can be read back.

Fail-closed: a field without a mask kind is hidden whole, whatever its classification; only its
length is told where the field is not classified, since a wrong length is often the defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from tongban.kernel.contracts import Contract, Field
from tongban.protect import mask

SAMPLES = 3
HIDDEN = "***"
MISSING = "（空）"
_OPEN = ("public", "internal")


@dataclass(frozen=True, slots=True)
class Sample:
    """One masked row: its token, and (label, masked value) for the fields of the rule."""

    token: str
    fields: tuple[tuple[str, str], ...]


def sample_of(
    contract: Contract, fields: Sequence[str], token: str, frame: pl.DataFrame, row: int
) -> Sample:
    """Mask the fields that a rule reads of one row."""
    shown = tuple(
        (contract.field(name).label, masked(contract.field(name), frame[name][row]))
        for name in fields
    )
    return Sample(token=token, fields=shown)


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
