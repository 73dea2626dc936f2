"""Seen: what a column of text looks like — one word of a closed list.

Decided on an even sample, since a column changes as a whole or it is only dirty, and dirty values
are counted by the contract's own rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ENOUGH = 0.9  # of the sample must look alike, else it is text
EMPTY, TEXT, NESTED, LIST = "empty", "text", "nested", "list"

# In this order: the first that fits counts. Months and days are bounded, so that a number of eight
# digits is rarely a date.
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_YEAR = r"(?:19|20)[0-9]{2}"
LOOKS: dict[str, str] = {
    "boolean": r"^(?:true|false|True|False|yes|no|Y|N|是|否|[01])$",
    "date yyyyMMdd": rf"^{_YEAR}{_MONTH}{_DAY}$",
    "epoch_ms": r"^1[0-9]{12}$",
    "integer": r"^[-+]?[0-9]+$",
    "decimal": r"^[-+]?[0-9,]*\.?[0-9]+$",
    "date yyyy-MM-dd": rf"^{_YEAR}-{_MONTH}-{_DAY}$",
    "date yyyy/MM/dd": rf"^{_YEAR}/[0-9]{{1,2}}/[0-9]{{1,2}}$",
    "date yyyy年MM月dd日": rf"^{_YEAR}年[0-9]{{1,2}}月[0-9]{{1,2}}日$",
    "datetime yyyy-MM-dd HH:mm": rf"^{_YEAR}-{_MONTH}-{_DAY} [0-9]{{2}}:",
    "datetime yyyy-MM-ddTHH:mm": rf"^{_YEAR}-{_MONTH}-{_DAY}T[0-9]{{2}}:",
    "datetime yyyy/MM/dd HH:mm": rf"^{_YEAR}/[0-9]{{1,2}}/[0-9]{{1,2}} [0-9]{{1,2}}:",
    "datetime yyyyMMddHHmmss": rf"^{_YEAR}{_MONTH}{_DAY}[0-9]{{6}}",
    NESTED: r"^\s*\{.*\}\s*$",
    LIST: r"^\s*\[.*\]\s*$",
}
_PATTERNS = {look: re.compile(pattern) for look, pattern in LOOKS.items()}


def is_moment(look: str) -> bool:
    """Whether a look is one of a date or a time."""
    return look.startswith("date") or look == "epoch_ms"


def looks_like(cells: Sequence[str]) -> str:
    """What a small sample of a column looks like; `cells` has no empty texts."""
    if not cells:
        return EMPTY
    probes = (cells[0], cells[len(cells) // 2], cells[-1])
    for look, pattern in _PATTERNS.items():
        if any(map(pattern.match, probes)):  # three cells before all
            fitting = sum(pattern.match(cell) is not None for cell in cells)
            if fitting >= ENOUGH * len(cells):
                return look
    return TEXT
