"""Key-set paging: ask for the rows after the last row's key.

The one way in which rows that come and go between two pages move nothing, as long as the source
orders by that key. The list ends with an empty page: a short one proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from connectors.errors import PagingRepeats
from connectors.positions import Position
from connectors.replies import Ask, Place, Reply, Step, check_reached
from tongban.kernel.errors import ConfigInvalid, PagingBroken
from tongban.kernel.pagings import (
    KeySet,
)


class AfterKey:
    """Gives `{after:FIELD}` in a call, and `{after}` where the key is a single field."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __call__(self, name: str | None = None) -> str:
        """Give one field of the key."""
        if name is None and len(self._values) == 1:
            return next(iter(self._values.values()))
        if name not in self._values:
            known = ", ".join(self._values)
            raise ConfigInvalid(f"{{after:{name}}} is no field of the key; `keys` has {known}")
        return self._values[name]


def walk_keys(paging: KeySet, ask: Ask, start: Position) -> Iterator[Step]:
    """Yield pages until one is empty.

    Raises:
        PagingRepeats: A page ends with a key that was asked before.
        PagingBroken: The last row has no key.
        RowsMissing: Fewer rows came than the first page declared.
    """
    position = start
    asked = {start.at}
    while True:
        reply = ask(Place({"after": AfterKey(_key(paging, position.at))}))
        again = 1 if paging.inclusive and position.rows and reply.count else 0
        rows = position.rows + reply.count - again
        total = reply.total if position.total is None else position.total
        following = _last_key(paging, reply) if reply.count else ""
        if _is_end(paging, reply, position, following):
            check_reached(reply, rows, total)
            yield Step(reply, position, None)
            return
        if following in asked:
            raise PagingRepeats(
                f"{reply.where}: a page ends with a key that was asked before; the source ignores "
                "it, does not order by it, or has a whole page of one key",
                page=position.number,
            )
        asked.add(following)
        then = position.moved(following, rows=rows, total=total)
        yield Step(reply, position, then)
        position = then


def _key(paging: KeySet, at: str) -> dict[str, str]:
    values = json.loads(at) if at else [paging.first.get(name, "") for name in paging.keys]
    return dict(zip(paging.keys, values, strict=True))


def _is_end(paging: KeySet, reply: Reply, position: Position, following: str) -> bool:
    if not reply.count:
        return True
    repeats = paging.inclusive and following == position.at
    return repeats and reply.count < paging.size


def _last_key(paging: KeySet, reply: Reply) -> str:
    values = reply.last(paging.keys)
    if any(not value for value in values):
        raise PagingBroken(
            f"{reply.where}: the last row of a page lacks a field of the key, so the next page "
            "cannot be asked"
        )
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
