"""Replies: one page as paging sees it, and how to ask for one.

Between the connector, which knows calls and layers, and the walkers, which know only places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.documents import Document, number
from connectors.errors import AnswerListMissing, PageShort, RowsMissing
from connectors.positions import Position
from connectors.protocols.jsondoc import JsonDocument

HEADER = "header:"


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
        says_success: A declared code of the answer has said that it succeeded.
    """

    where: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    url: str
    document: Document | None
    records: str
    total_path: str | None
    skip: frozenset[str] = frozenset()
    says_success: bool = False
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
        return self._number(self.total_path)

    @property
    def prints(self) -> list[bytes]:
        """Fingerprints of the rows."""
        if self._prints is None:
            self._prints = self.document.prints(self.records, self.skip) if self.document else []
        return self._prints

    def _number(self, path: str | None) -> int | None:
        return number(self.text(path), path, self.where) if path else None

    def check_count(self, path: str | None) -> None:
        """Refuse a page that has another number of rows than it says itself.

        Raises:
            PageShort: It has.
        """
        said = self._number(path)
        if said is not None and said != self.count:
            raise PageShort(
                f"{self.where}: a page says that it has {said} rows but {self.count} came; it is "
                "not trusted",
                declared=said,
                read=self.count,
            )

    def check_list(self) -> None:
        """Refuse an answer without the list of records that does not look like "no rows".

        A list that got another name, or an error that nobody declared, would otherwise be read as
        an empty window, and the next one would begin after it.

        Raises:
            AnswerListMissing: It looks like one of these.
        """
        document = self.document
        if not isinstance(document, JsonDocument) or self.total == 0 or self.count:
            return
        if not document.lacks(self.records):
            return
        other = document.other_list()
        if other is None and (self.says_success or self.total is not None):
            return
        found = f"but a list at {other}" if other else "and nothing that says it succeeded"
        raise AnswerListMissing(
            f"{self.where}: the answer has no list at {self.records}, {found}; it is not taken for "
            "no rows: correct `records`, or declare the code of success, or the total",
            path=self.records,
        )

    def text(self, path: str) -> str:
        """Give one value of the answer, or of a header (`header:NAME`), or an empty text."""
        if path.startswith(HEADER):
            return self.headers.get(path.removeprefix(HEADER).lower(), "")
        return (self.document.text(path) or "") if self.document else ""

    def last(self, paths: Sequence[str]) -> list[str | None]:
        """Give some fields of the last row."""
        item = self.document.items(self.records)[-1] if self.document else None
        return [item.text(path) if item else None for path in paths]


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
        RowsMissing: Rows are missing.
    """
    if total is not None and rows < total:
        raise RowsMissing(
            f"{reply.where}: the source declares {total} rows but its pages gave {rows}; nothing "
            "of the end is trusted, ask the department or correct paging",
            declared=total,
            read=rows,
        )
