"""Reading: all pages of a window, part after part, each with the place of the page after it.

Between `paging`, which walks one part of a window, and the connector, which hands pages out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.paging import first_place, settled, walk
from connectors.positions import Position
from connectors.replies import Ask, Step
from connectors.spans import Spans
from tongban.kernel.pagings import (
    Paging,
)
from tongban.kernel.records import Window

AskFor = Callable[[Window], Ask]


def read_steps(
    paging: Paging, ask_for: AskFor, spans: Spans, start: Position | None
) -> Iterator[tuple[Step, Position | None]]:
    """Walk every part of a window.

    Args:
        paging: How one part is walked.
        ask_for: Gives what asks for pages of a part.
        spans: The window's parts.
        start: Where to go on; None for the beginning.

    Yields:
        Each page with the place after it, in this or the next part; None after the last.

    Raises:
        PagingBroken: The source's pages contradict each other, or a part is too full.
    """
    position: Position | None = start or first_place(paging, 0, 1)
    while position is not None:
        begins, following = position, None
        for step in _walked(paging, ask_for, spans, position):
            here = replace(step.here, halves=begins.halves, before=begins.before)
            then = step.then
            if then is not None:
                then = replace(then, halves=begins.halves, before=begins.before)
            kept = Step(step.reply, here, then)
            after = first_place(paging, here.piece, here.number + 1)
            if spans.overflows(kept):
                if here.rows == 0 and here.turn == 1:  # nothing of it was handed out yet
                    following = spans.first_half(here, replace(after, number=here.number))
                else:
                    following = spans.first_half(here, after)
                    yield kept, following
                break
            following = then or spans.following(kept, after)
            yield kept, following
        position = following


def _walked(paging: Paging, ask_for: AskFor, spans: Spans, begins: Position) -> Iterator[Step]:
    """Walk one part."""
    return settled(walk(paging, ask_for(spans.window(begins)), begins, cap=spans.cap))
