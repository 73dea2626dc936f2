"""Drawing: numbers, colours and small curves of the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tongban.kernel.records import BEIJING
from tongban.quality.scores import grade_of

_BANDS = {"优": "a", "良": "b", "中": "c", "低": "d", "差": "e", "—": "none"}
_WIDTH, _HEIGHT, _EDGE = 120.0, 28.0, 3.0


def percent(value: float | None) -> str:
    """A score from 0 to 1 as per cent; never rounded up to a clean 100."""
    if value is None:
        return "—"
    if value >= 1:
        return "100"
    return f"{min(value * 100, 99.99):.2f}"


def number(value: float) -> str:
    """With thousands separators."""
    return f"{value:,}"


def band(value: float | None) -> str:
    """Style class of a score's grade."""
    return _BANDS[grade_of(value)]


def moment(value: datetime) -> str:
    """Beijing time, to the minute."""
    return f"{value.astimezone(BEIJING):%Y-%m-%d %H:%M}"


def sparkline(values: Sequence[float]) -> str:
    """Points of an SVG polyline, 120 by 28; a flat line for equal values."""
    if len(values) == 1:
        values = [values[0], values[0]]
    low, high = min(values), max(values)
    room = _HEIGHT - 2 * _EDGE
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    points = []
    for i, value in enumerate(values):
        share = (value - low) / (high - low) if high > low else 0.5
        points.append(f"{_EDGE + i * step:.1f},{_HEIGHT - _EDGE - share * room:.1f}")
    return " ".join(points)
