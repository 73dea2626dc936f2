"""Days: which records a fake holds, and when each of them changed last.

A fake begins with a number of records whose changes lie in the thirty days before. Each turn, as
when a day passes at a department, a few of them change and a few are added, all at its moment.
The same beginning, turns and seed give the same stands; nothing is kept but those.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SPAN: Final = timedelta(days=30)  # over which the first changes lie, up to the beginning
CHANGED_IN: Final = 50  # one record of so many changes in a turn
ADDED_IN: Final = 100  # and one for so many is added


@dataclass(frozen=True, slots=True)
class Stand:
    """One record as it stands: its number, its newest change, and how often it changed."""

    number: int
    changed: datetime
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Days:
    """The life of a fake: `turns` are the moments at which a day had passed."""

    began: datetime
    turns: tuple[datetime, ...] = ()
    seed: int = 0


def stands(rows: int, days: Days, name: str) -> list[Stand]:
    """Every record of one dataset, oldest change first.

    Args:
        rows: Records at the beginning.
        days: Beginning, turns and seed.
        name: What the choice of the changing records depends on, beside the seed.
    """
    found = [Stand(n, days.began - SPAN * (rows - n) / rows) for n in range(rows)]
    for turn, at in enumerate(days.turns, 1):
        order = sorted(range(len(found)), key=lambda n: _lot(f"{days.seed}|{name}|{turn}|{n}"))
        for number in order[: 1 + rows // CHANGED_IN]:
            found[number] = Stand(number, at, found[number].turn + 1)
        found += [Stand(len(found) + n, at) for n in range(1 + rows // ADDED_IN)]
    return sorted(found, key=lambda stand: (stand.changed, stand.number))


def _lot(text: str) -> bytes:
    """A number drawn by nothing but the text."""
    return hashlib.sha256(text.encode()).digest()
