"""Paging: reach every row of a window, whatever the source does between two pages.

Each walker asks for pages and yields them with the place of the next one. What a source may do
wrong has a name: a repeated cursor or page, a missing cursor, fewer rows than declared, a list
that never stands still, a link to another host. All of them are a `PagingBroken`. Where rows may
move between pages, rows are read twice rather than missed; the store drops equal ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.errors import PagingNeverStill, PagingRepeats
from connectors.keyed import walk_keys
from connectors.links import followed
from connectors.numbered import NumberedWalker
from connectors.positions import Position
from connectors.replies import Ask, Place, Reply, Step, check_reached
from tongban.kernel.errors import PagingBroken, TongbanError
from tongban.kernel.pagings import (
    Cursor,
    KeySet,
    LinkHeader,
    NextUrl,
    Offset,
    PageNumber,
    Paging,
)

MAX_STEPS_BACK = 50
_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)')
_REL_NEXT = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))', re.IGNORECASE)
_NO_CURSOR = frozenset({"false", "null", "none"})  # how some serializers write "there is none"
_TRUE = frozenset({"true", "1", "y", "yes"})

NextPlace = Callable[[Reply], str]


def walk(paging: Paging, ask: Ask, start: Position, *, cap: int | None = None) -> Iterator[Step]:
    """Yield the pages of one piece of a window from a place to its end.

    Args:
        paging: How the next page is reached.
        ask: Asks for a page.
        start: Where to begin.
        cap: A total of so many rows is not all given at once; the caller asks in halves.

    Raises:
        PagingBroken: The source's pages contradict each other; the message says how.
    """
    if isinstance(paging, PageNumber):
        return NumberedWalker(paging, ask).walk(start)
    if isinstance(paging, Offset):
        return _walk_offset(paging, ask, start)
    if isinstance(paging, KeySet):
        return walk_keys(paging, ask, start)
    next_of = _next_of(paging)
    if next_of is None:
        return _walk_once(ask, start, cap)
    return _walk_linked(ask, start, next_of, by_url=not isinstance(paging, Cursor))


def _next_of(paging: Paging) -> NextPlace | None:
    """Give what reads the next place out of an answer, where answers name it."""
    if isinstance(paging, Cursor):
        return lambda reply: _next_cursor(paging, reply)
    if isinstance(paging, NextUrl):
        return lambda reply: _next_url(paging, reply)
    if isinstance(paging, LinkHeader):
        return lambda reply: _next_link(paging, reply)
    return None


def settled(steps: Iterator[Step]) -> Iterator[Step]:
    """Hold a page back while only another look can tell whether it is the last.

    So the last page of a window always is the one without a next place. When the other look fails,
    the page is handed out before the error.
    """
    held: Step | None = None
    try:
        for step in steps:
            if held is not None:
                yield held
            held = step if step.then is not None and step.then.turn > 1 else None
            if held is None:
                yield step
    except TongbanError:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield replace(held, then=None)


def first_place(paging: Paging, piece: int, number: int) -> Position:
    """Give the place of the first page."""
    at = ""
    if isinstance(paging, PageNumber | Offset | Cursor):
        at = str(paging.first)
    return Position(piece=piece, number=number, at=at)


def _walk_once(ask: Ask, start: Position, cap: int | None) -> Iterator[Step]:
    reply = ask(Place())
    total = reply.total
    if cap is None or total is None or total < cap:
        check_reached(reply, reply.count, total)
    yield Step(reply, start, None)


def _walk_linked(ask: Ask, start: Position, next_of: NextPlace, *, by_url: bool) -> Iterator[Step]:
    """Follow cursors or URLs that each answer names."""
    position = start
    asked: set[str] = set()
    while True:
        if by_url:
            reply = ask(Place(url=position.at or None))
        else:
            reply = ask(Place({"cursor": position.at}))
        asked.add(position.at)
        rows = position.rows + reply.count
        following = next_of(reply)
        if following in asked and following:
            if reply.count == 0 and following == position.at:
                following = ""  # an empty page that names itself is how some queues say "the end"
            else:
                raise PagingRepeats(
                    f"{reply.where}: the cursor of the next page was already used; following it "
                    "would never end",
                    page=position.number,
                )
        if not following:
            check_reached(reply, rows, reply.total)
            yield Step(reply, position, None)
            return
        then = position.moved(following, rows=rows)
        yield Step(reply, position, then)
        position = then


def _next_cursor(paging: Cursor, reply: Reply) -> str:
    following = reply.text(paging.next)
    if following.strip().lower() in _NO_CURSOR or following.strip() in paging.end:
        following = ""
    if paging.more is None:
        return following
    more = reply.text(paging.more).strip().lower()
    if not more:
        return following
    if more not in _TRUE:
        return ""
    if not following:
        raise PagingBroken(
            f"{reply.where}: {paging.more} promises another page but {paging.next} is empty"
        )
    return following


def _next_link(paging: LinkHeader, reply: Reply) -> str:
    """Read the target of rel="next" out of a Link header (RFC 8288)."""
    for target, parameters in _LINK.findall(reply.headers.get("link", "")):
        found = _REL_NEXT.search(parameters)
        if found and "next" in (found.group(1) or found.group(2)).lower().split():
            return followed(reply.url, target, reply.where, query_only=paging.take == "query")
    return ""


def _next_url(paging: NextUrl, reply: Reply) -> str:
    target = reply.text(paging.next).strip()
    if not target or target.lower() in _NO_CURSOR:
        return ""
    return followed(reply.url, target, reply.where, query_only=paging.take == "query")


def _walk_offset(paging: Offset, ask: Ask, start: Position) -> Iterator[Step]:
    """Read by row offset; the last row of each page is read again to prove that nothing moved.

    Where it is not found, rows moved: we step back page by page until it is, and read on there.
    """
    position, steps_back = start, 0
    first = paging.first
    while True:
        offset = int(position.at or first)
        back = min(paging.overlap, offset - first) if position.anchor else 0
        reply = ask(Place({"row": offset - back}))
        anchored = position.anchor in {each.hex() for each in reply.prints}
        if back and not anchored:
            steps_back += 1
            if steps_back > MAX_STEPS_BACK:
                raise PagingNeverStill(
                    f"{reply.where}: the list moved {MAX_STEPS_BACK} times while we read; read it "
                    "in quieter hours or in smaller windows"
                )
            earlier = max(first, offset - back - paging.size)
            anchor = position.anchor if earlier > first else ""
            position = Position(
                position.piece, position.number, str(earlier + back * bool(anchor)), anchor=anchor
            )
            continue
        reached = offset - back + reply.count
        total = reply.total
        fresh = reply.count - back
        more = fresh > 0 and (total is None or reached - first < total)
        if not more:
            check_reached(reply, reached - first, total)
            yield Step(reply, position, None)
            return
        anchor = reply.prints[-1].hex() if paging.overlap else ""
        then = position.moved(reached, rows=reached - first, anchor=anchor)
        yield Step(reply, position, then)
        position = then
