"""Spans: the parts in which a window is asked, one after the other, without a gap.

A source may take no window longer than so many days, and may give no more than so many rows of one
window. The first is known before, the second only when it happens: such a part is halved, and its
halves again, down to the smallest unit that the window's format can say.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

from connectors.errors import WindowTooFull
from connectors.positions import Position, pieces_of
from connectors.replies import Step
from tongban.kernel.budgets import WindowRule
from tongban.kernel.records import BEIJING, Window

_UNITS = (("ss", 1), ("mm", 60), ("HH", 3600))
_DAY_S = 86_400


class Spans:
    """The parts of one window; a position names its part by piece and halves."""

    def __init__(self, window: Window, rule: WindowRule, where: str) -> None:
        self._pieces = pieces_of(window, rule.max_days)
        self._rule = rule
        self._where = where
        self._unit_s = unit_seconds(rule.format)

    @property
    def cap(self) -> int | None:
        """Rows that the source gives at most of one window."""
        return self._rule.cap_rows

    def window(self, position: Position) -> Window:
        """Give the part in which a position lies."""
        window = self._pieces[position.piece]
        for half in position.halves:
            window = self._halved(window)[int(half)]
        return window

    def _halved(self, window: Window) -> tuple[Window, Window]:
        since = (window.since or self._rule.earliest).astimezone(BEIJING)
        until = window.until.astimezone(BEIJING)
        middle = _rounded(since + (until - since) / 2, self._unit_s)
        if not since < middle < until:
            raise WindowTooFull(
                f"{self._where}: {self._rule.cap_rows} rows or more in the shortest window that "
                "can be asked, and the source gives no more; rows would be missing",
                cap=self._rule.cap_rows,
            )
        return Window(since, middle), Window(middle, until)

    def overflows(self, step: Step) -> bool:
        """Tell whether the source may hold rows of this part back."""
        cap = self._rule.cap_rows
        if cap is None:
            return False
        total = step.reply.total
        return (step.here.rows + step.reply.count if total is None else total) >= cap

    def first_half(self, here: Position, first: Position) -> Position:
        """Give the place where the first half of a part begins.

        Args:
            here: Any place in the part.
            first: The paging's first place; its number is kept.

        Raises:
            WindowTooFull: The part cannot be halved.
        """
        self._halved(self.window(here))
        return replace(first, piece=here.piece, halves=here.halves + "0", before=here.before)

    def following(self, step: Step, first: Position) -> Position | None:
        """Give the place where the part after a finished one begins; None at the window's end."""
        here = step.here
        total = step.reply.total
        before = None if total is None or here.before is None else here.before + total
        halves = here.halves.rstrip("1")
        if halves:
            return replace(first, piece=here.piece, halves=halves[:-1] + "1", before=before)
        if here.piece + 1 < len(self._pieces):
            return replace(first, piece=here.piece + 1, before=before)
        return None


def unit_seconds(pattern: str) -> int:
    """Tell the smallest time that a window's format can say."""
    if pattern in {"iso", "epoch_s", "epoch_ms"}:
        return 1
    return next((seconds for letters, seconds in _UNITS if letters in pattern), _DAY_S)


def _rounded(moment: datetime, unit_s: int) -> datetime:
    """Round down to whole units of the Beijing day."""
    midnight = datetime.combine(moment.date(), time(), tzinfo=moment.tzinfo)
    seconds = int((moment - midnight).total_seconds())
    return midnight + timedelta(seconds=seconds - seconds % unit_s)
