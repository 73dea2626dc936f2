"""Figures: what a benchmark gives — one row per measured value, with its goal and whether it holds.

A figure without a goal tells and judges nothing; a figure that could not be measured has neither
value nor verdict, and its note says why.
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

COLUMNS = ("name", "value", "unit", "goal", "holds")


def figure(
    name: str,
    value: float | None,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """One row; give at most one of both goals."""
    goal, holds = None, None
    if at_most is not None:
        goal, holds = f"<= {at_most:g}", None if value is None else value <= at_most
    elif at_least is not None:
        goal, holds = f">= {at_least:g}", None if value is None else value >= at_least
    shown = None if value is None else round(value, 3 if abs(value) < 10 else 1)
    row: Row = {"name": name, "value": shown, "unit": unit, "goal": goal, "holds": holds}
    return {**row, "note": note} if note else row


def ratio(above: float | None, below: float | None) -> float | None:
    """The quotient of two values, or None when one of them was not measured."""
    return None if above is None or below is None or below <= 0 else above / below


def table(rows: list[Row]) -> str:
    """The rows as text in aligned columns."""
    lines = [COLUMNS, *(tuple(_cell(row.get(name)) for name in COLUMNS) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    notes = ["", *(f"  ({row['note']})" if row.get("note") else "" for row in rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + note
        for line, note in zip(lines, notes, strict=True)
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
