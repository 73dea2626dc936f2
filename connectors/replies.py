"""Replies: one page as paging sees it, and how to ask for one.

Between the connector, which knows calls and layers, and the walkers, which know only places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.documents import Document, number
from connectors.positions import Position
from tongban.kernel.errors import PagingBroken


@dataclass(slots=True)
class Reply:
    """One answered page.

    Attributes:
        where: System and dataset, for messages.
        body: Bytes as received.
        headers: HTTP headers, lower-case names.
        url: What was asked, without secrets in it.
        document: Opened answer, or None for a declared "no rows".
        records: Path of the record list.
        total: Rows that the source declares for the whole window.
        skip: Fields that differ every time they are served.
    """

    where: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    url: str
    document: Document | None
    records: str
    total_path: str | None
    skip: frozenset[str] = frozenset()
    _count: int | None = None
    _prints: list[bytes] | None = None

    @property
    def count(self) -> int:
        """Rows on this page."""
        if self._count is None:
            self._count = self.document.count(self.records) if self.document else 0
        return self._count

    @property
    def total(self) -> int | None:
        """Rows that the source declares for the whole window, where it does."""
        if self.document is None or self.total_path is None:
            return None
        return number(self.document, self.total_path, self.where)

    @property
    def prints(self) -> list[bytes]:
        """Fingerprints of the rows."""
        if self._prints is None:
            self._prints = self.document.prints(self.records, self.skip) if self.document else []
        return self._prints

    def text(self, path: str) -> str:
        """Give one value of the answer, or an empty text."""
        return (self.document.text(path) or "") if self.document else ""


@dataclass(frozen=True, slots=True)
class Place:
    """What to ask with: template values, or a whole URL."""

    values: Mapping[str, Any] = field(default_factory=dict)
    url: str | None = None


Ask = Callable[[Place], Reply]


@dataclass(frozen=True, slots=True)
class Step:
    """One page to hand out: the reply, its place, and the next place or None."""

    reply: Reply
    here: Position
    then: Position | None


def check_reached(reply: Reply, rows: int, total: int | None) -> None:
    """Refuse to end with fewer rows than the source declares.

    Raises:
        PagingBroken: Rows are missing.
    """
    if total is not None and rows < total:
        raise PagingBroken(
            f"{reply.where}: the source declares {total} rows but its pages gave {rows}; nothing "
            "of the end is trusted, ask the department or correct paging",
            declared=total,
            read=rows,
        )
