"""Numbered pages over a list that may move while it is read.

A row that leaves the window makes all rows behind it move up, so that the first row of the next
page is jumped over. Against that: a changed total, a changed first page at the end, or (strictest)
reading again until one whole turn shows nothing new. One page alone cannot move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from connectors.errors import PagingNeverStill, PagingRepeats, TotalChanged
from connectors.positions import Position
from connectors.replies import Ask, Place, Reply, Step, check_reached
from tongban.kernel.pagings import (
    PageNumber,
)

MAX_TURNS = 6


@dataclass(slots=True)
class _Turn:
    """What one reading of the list has seen.

    Attributes:
        rows: Rows up to now, with those before a resumed place.
        pages: Pages up to now.
        fresh: Rows that no page had before.
        total: The source's count on the first page.
        moved: Whether that count changed on the way.
        last: The last reply.
    """

    rows: int
    total: int | None
    pages: int = 0
    fresh: int = 0
    moved: bool = False
    last: Reply | None = None


class NumberedWalker:
    """Reads the numbered pages of one piece of a window."""

    def __init__(self, spec: PageNumber, ask: Ask) -> None:
        self._spec = spec
        self._ask = ask
        self._seen: set[bytes] = set()
        self._first_prints: list[bytes] | None = None

    def walk(self, start: Position) -> Iterator[Step]:
        """Yield pages until a reading is proved complete.

        Raises:
            PagingBroken: A repeated page, missing rows, or a list that never stands still.
        """
        position = self._resumed(start)
        while position is not None:
            turn = _Turn(rows=position.rows, total=position.total)
            yield from self._read(position, turn)
            if self._is_proved(position, turn):
                return
            if position.turn >= MAX_TURNS:
                where = turn.last.where if turn.last else ""
                raise PagingNeverStill(
                    f"{where}: the list moved during each of {MAX_TURNS} readings; read it in "
                    "quieter hours or in smaller windows",
                    readings=MAX_TURNS,
                )
            position = Position(
                piece=position.piece,
                number=position.number + turn.pages,
                at=str(self._spec.first),
                turn=position.turn + 1,
            )

    def _resumed(self, start: Position) -> Position | None:
        """Go on at a kept place if the list stood still meanwhile, else read it anew.

        One page is read to find out: the one before the place, whose last row must be the same.
        """
        first = self._spec.first
        anew = Position(piece=start.piece, number=start.number, at=str(first))
        if start.turn > 1:
            same = self._page(first).total == start.total is not None
            return None if same else anew
        if not start.at or int(start.at) <= first:
            return anew
        if self._spec.shifting == "no":
            return start
        before = self._page(int(start.at) - 1)
        ends_alike = bool(before.prints) and before.prints[-1].hex() == start.anchor
        if ends_alike and before.total == start.total:
            return start
        return anew

    def _page(self, page: int) -> Reply:
        return self._ask(Place({"page": page}))

    def _read(self, position: Position, turn: _Turn) -> Iterator[Step]:
        """Read the list once from a place to its end."""
        page = int(position.at)
        shown = position
        while True:
            reply = self._page(page)
            self._check(reply, turn)
            unseen = self._remember(reply)
            if page == self._spec.first and position.turn == 1:
                self._first_prints = reply.prints if self._spec.shifting == "total" else None
            turn.rows += reply.count
            turn.pages += 1
            turn.fresh += unseen
            turn.last = reply
            ends = self._ends(reply, turn)
            then = self._after(shown, page, turn, ends=ends)
            if position.turn == 1 or unseen:
                yield Step(reply, shown, then)
            if ends or then is None:
                return
            shown, page = then, page + 1

    def _check(self, reply: Reply, turn: _Turn) -> None:
        """Notice a repeated page and a changed total."""
        last = turn.last
        if last is not None and reply.count and reply.prints == last.prints:
            raise PagingRepeats(
                f"{reply.where}: two pages in a row are the same; the source ignores the page "
                "number or repeats its last page",
                page=turn.pages + 1,
            )
        total = reply.total
        if turn.pages == 0 and turn.total is None:
            turn.total = total
        elif total != turn.total:
            if self._spec.shifting == "no":
                raise TotalChanged(
                    f"{reply.where}: the declared total changed from {turn.total} to {total} while "
                    "we read; declare `shifting` for this list",
                    before=turn.total,
                    after=total,
                )
            turn.moved = True

    def _remember(self, reply: Reply) -> int:
        """Keep the rows' fingerprints where turns are compared; tell how many are new."""
        if self._spec.shifting == "no":
            return reply.count
        prints = set(reply.prints)
        unseen = len(prints - self._seen)
        self._seen |= prints
        return unseen

    def _ends(self, reply: Reply, turn: _Turn) -> bool:
        """Tell whether this was the last page; without a total only an empty page says so."""
        if reply.count == 0:
            return True
        total = reply.total
        return total is not None and turn.rows >= total

    def _after(self, shown: Position, page: int, turn: _Turn, *, ends: bool) -> Position | None:
        """Give the place after a page: the next page, another turn, or none."""
        reply = turn.last
        if not ends:
            anchor = reply.prints[-1].hex() if reply and self._spec.shifting != "no" else ""
            return shown.moved(page + 1, rows=turn.rows, total=turn.total, anchor=anchor)
        if self._spec.shifting == "no" or turn.pages == 1:
            return None
        again = shown.moved(self._spec.first, rows=0, total=turn.total, anchor="")
        return replace(again, turn=shown.turn + 1)

    def _is_proved(self, position: Position, turn: _Turn) -> bool:
        """Tell whether no row can have been jumped over in what was read."""
        reply = turn.last
        if reply is None:
            return True
        if self._spec.shifting == "no":
            check_reached(reply, turn.rows, reply.total)
            return True
        if turn.moved:
            return False
        enough = turn.total is None or turn.rows >= turn.total
        if position.turn > 1 and turn.fresh == 0:
            check_reached(reply, turn.rows, turn.total)
        if position.turn > 1:
            return turn.fresh == 0
        whole = position.at == str(self._spec.first)
        if turn.pages == 1 and whole and enough:
            return True
        by_total = self._spec.shifting == "total" or not whole
        return by_total and enough and self._stands_still(turn)

    def _stands_still(self, turn: _Turn) -> bool:
        """Look at the first page again: same total, and the same rows where we know them."""
        probe = self._page(self._spec.first)
        same = self._first_prints is None or probe.prints == self._first_prints
        return same and probe.total == turn.total
