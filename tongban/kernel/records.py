"""The nouns that travel: windows, pages, decoded rows, outgoing records, receipts.

They are shared by every verb and by the connectors, so they know no protocol and no table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import polars as pl

BEIJING = ZoneInfo("Asia/Shanghai")

Operation = Literal["I", "U", "D"]
Outcome = Literal["accepted", "duplicate", "rejected"]
Rereport = Literal["late", "resent", "corrected"]


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open [since, until) of the source's change time, Asia/Shanghai.

    Attributes:
        since: First moment inside, or None for everything from the beginning.
        until: First moment outside.
    """

    since: datetime | None
    until: datetime

    def __post_init__(self) -> None:
        """Refuse moments without a zone: an eight-hour error must be impossible."""
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a window needs moments with a time zone")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer as received.

    Attributes:
        number: 1, 2, 3 … within the window.
        body: Bytes as received, before any decoding.
        cursor: What we asked with; opaque to everyone but the connector.
        next_cursor: What to ask with next, or None on the last page.
        declared_total: Rows that the source says the whole window has, or None.
    """

    number: int
    body: bytes = field(repr=False)
    cursor: str
    next_cursor: str | None
    declared_total: int | None


@dataclass(frozen=True, slots=True)
class RecordShape:
    """Which source fields a mapping reads.

    Attributes:
        fields: Dotted source paths in the order of the wanted columns.
        explode: Dotted path of the list whose elements become the rows, or None.
        known: Every source name that is used or knowingly ignored; others are drift.
    """

    fields: tuple[str, ...]
    explode: str | None = None
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows of one page as columns of text, named by their dotted source path.

    Attributes:
        frame: One String column per wanted field; null where the source had none.
        unknown_fields: Names that the page has and the mapping does not know; `name[]` is one
            that came several times where one value is read, `name~` one out of its schema's order.
        deleted: Per row whether the source marks it as deleted; None where it marks nothing.
    """

    frame: pl.DataFrame = field(repr=False)
    unknown_fields: frozenset[str] = frozenset()
    deleted: pl.Series | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One record for one target, in the target's own field names.

    Attributes:
        guid: Idempotency key; the same for every try and every version of the record.
        op: I insert, U update, D delete.
        version: Counts up with every change of the record.
        digest: SHA-256 of the canonical JSON of `data`, lower hex.
        data: Nested document; never logged.
        rereport: Why a version that the receiver has acknowledged goes out once more: `late`,
            `resent`, `corrected`; None for an ordinary delivery.
    """

    guid: str
    op: Operation
    version: int
    digest: str
    data: dict[str, Any] = field(repr=False)
    rereport: Rereport | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver's own answer for one record."""

    guid: str
    outcome: Outcome
    receipt_no: str = ""
    code: str = ""
    message: str = field(default="", repr=False)
