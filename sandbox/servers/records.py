"""Records: read pages of the served rows out of a system's state file.

Positional pages (tax, housing, social) remember where the page before ended, so that walking a
window costs the same per page at its end as at its start; a write forgets the positions, and the
pages then shift as they do at a real department. Rows come back as the stored JSON text: a JSON
service hands it on unparsed. Nothing here knows a protocol or writes a row.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from dataclasses import dataclass
from typing import Literal

from sandbox.servers.refusals import Reason, Refusal

Order = Literal["changed", "changed_desc", "key"]
Position = tuple[str, str, int]  # changed_at, key, seq

_ORDER_BY: dict[Order, str] = {
    "changed": "changed_at, key, seq",
    "changed_desc": "changed_at DESC, key, seq",
    "key": "key, seq",
}
_AFTER: dict[Order, str] = {
    "changed": "changed_at>=:at AND (changed_at, key, seq) > (:at, :key, :seq)",
    "changed_desc": "changed_at<=:at AND (changed_at<:at OR (key, seq) > (:key, :seq))",
    "key": "(key, seq) > (:key, :seq)",
}
_WINDOW = "dataset=:dataset AND changed_at>=:since AND changed_at<:until"
_BROAD = 20  # a window of more than 1/20 of a dataset is walked in key order, not sorted
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open change window of one dataset, in state times."""

    dataset: str
    since: str
    until: str

    @property
    def mark(self) -> str:
        """A short digest that ties a cursor to its window."""
        text = f"{self.dataset}|{self.since}|{self.until}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


class Records:
    """Paged reading of one system's state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._totals: dict[Window, int] = {}
        self._ends: dict[tuple[Window, Order, int], Position] = {}

    def changed(self) -> None:
        """Forget remembered counts and positions; to be called after every write of a record."""
        self._totals.clear()
        self._ends.clear()

    def total(self, window: Window) -> int:
        """Count the rows of a window."""
        if window not in self._totals:
            sql = f"SELECT count(*) FROM record WHERE {_WINDOW}"
            self._totals[window] = int(self._one(sql, window))
        return self._totals[window]

    def page(self, window: Window, order: Order, offset: int, limit: int) -> list[str]:
        """Read rows offset..offset+limit of the window in the given order.

        Returns:
            Documents as JSON text.
        """
        start = self._ends.get((window, order, offset)) if offset else None
        values: dict[str, object] = {**self._values(window), "limit": limit}
        if start is None:
            where, values["offset"] = _WINDOW, offset
        else:
            where = f"{_WINDOW} AND {_AFTER[order]}"
            values |= {"at": start[0], "key": start[1], "seq": start[2], "offset": 0}
        sql = (
            f"SELECT changed_at, key, seq, doc FROM record {self._index(window, order)}"
            f" WHERE {where} ORDER BY {_ORDER_BY[order]} LIMIT :limit OFFSET :offset"
        )
        rows = self._connection.execute(sql, values).fetchall()
        if rows:
            if len(self._ends) >= _REMEMBERED:
                self._ends.clear()
            self._ends[window, order, offset + len(rows)] = rows[-1][:3]
        return [row[3] for row in rows]

    def page_after(
        self, window: Window, cursor: str | None, limit: int
    ) -> tuple[list[str], str | None]:
        """Read a page in (change time, key) order after an opaque cursor.

        Returns:
            Documents as JSON text, and the next cursor or None at the end.

        Raises:
            Refusal: The cursor was not given out for this window.
        """
        at, key, seq = _open_cursor(cursor, window) if cursor else ("", "", -1)
        sql = (
            "SELECT changed_at, key, seq, doc FROM record INDEXED BY record_changed"
            f" WHERE {_WINDOW} AND {_AFTER['changed']} ORDER BY {_ORDER_BY['changed']} LIMIT :limit"
        )
        values = {**self._values(window), "at": at, "key": key, "seq": seq, "limit": limit + 1}
        rows = self._connection.execute(sql, values).fetchall()
        more = len(rows) > limit
        following = _seal_cursor(rows[limit - 1][:3], window) if more else None
        return [row[3] for row in rows[:limit]], following

    def page_of_queue(
        self, window: Window, cursor: str | None, limit: int
    ) -> tuple[list[str], str | None]:
        """Read a page in queue order after an opaque cursor; returns as `page_after`.

        Raises:
            Refusal: The cursor was not given out for this window.
        """
        seq = _open_cursor(cursor, window)[2] if cursor else -1
        sql = f"SELECT seq, doc FROM record WHERE {_WINDOW} AND seq>:seq ORDER BY seq LIMIT :limit"
        values = {**self._values(window), "seq": seq, "limit": limit + 1}
        rows = self._connection.execute(sql, values).fetchall()
        more = len(rows) > limit
        following = _seal_cursor(("", "", rows[limit - 1][0]), window) if more else None
        return [row[1] for row in rows[:limit]], following

    def _index(self, window: Window, order: Order) -> str:
        if order != "key":
            return "INDEXED BY record_changed"
        everything = Window(window.dataset, "", "~")
        broad = self.total(window) * _BROAD > self.total(everything)
        return "INDEXED BY record_key" if broad else "INDEXED BY record_changed"

    def _one(self, sql: str, window: Window) -> int:
        return int(self._connection.execute(sql, self._values(window)).fetchone()[0])

    @staticmethod
    def _values(window: Window) -> dict[str, object]:
        return {"dataset": window.dataset, "since": window.since, "until": window.until}


def _seal_cursor(position: Position, window: Window) -> str:
    text = json.dumps([window.mark, *position], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _open_cursor(cursor: str, window: Window) -> Position:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        mark, at, key, seq = json.loads(base64.urlsafe_b64decode(padded.encode()))
    except ValueError as exc:
        raise Refusal(Reason.CURSOR, "the cursor was not given out by this service") from exc
    if mark != window.mark:
        raise Refusal(Reason.CURSOR, "the cursor belongs to another window; start without one")
    return str(at), str(key), int(seq)
