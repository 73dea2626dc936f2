"""Paging: cut the page that a request asks for, by the paging that the dataset declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tongban.kernel.pagings import (
    Cursor,
    KeySet,
    LinkHeader,
    NextUrl,
    Offset,
    PageNumber,
)
from tongban.onboarding.fake.records import Record

AT = "fake_at"  # parameter that our own links carry
_TOKEN = "at-"  # noqa: S105 - how our cursors begin


@dataclass(frozen=True, slots=True)
class Cut:
    """One page, and where the next one is.

    Attributes:
        next_at: Index of the next page's first row, or None at the end.
        words: What the answer says about the next page: path → value.
        link_path: Where the body names the next URL; "" for a Link header, None for neither.
    """

    records: Sequence[Record] = field(repr=False)
    next_at: int | None
    words: dict[str, Any] = field(default_factory=dict)
    link_path: str | None = None


def cut(paging: Any, records: Sequence[Record], asked: Mapping[str, Any], link_at: str) -> Cut:
    """The page that `asked` (the values of the placeholders) means.

    Args:
        paging: As declared.
        records: All records of the window, oldest change first.
        asked: Values of the request's placeholders.
        link_at: What a link of ours carries, "" for the first page.
    """
    size = max(1, whole(asked.get("size"), paging.size))
    if isinstance(paging, KeySet):
        return _after_key(paging, records, asked, size)
    if isinstance(paging, PageNumber):
        start = (whole(asked.get("page"), paging.first) - paging.first) * size
    elif isinstance(paging, Offset):
        start = whole(asked.get("row"), paging.first) - paging.first
    elif isinstance(paging, Cursor):
        start = _from_token(str(asked.get("cursor") or ""))
    elif isinstance(paging, LinkHeader | NextUrl):
        start = whole(link_at, 0)
    else:
        return Cut(records, None)
    start = max(start, 0)
    end = start + size
    next_at = end if end < len(records) else None
    words: dict[str, Any] = {}
    if isinstance(paging, Cursor):
        words[paging.next] = "" if next_at is None else f"{_TOKEN}{next_at}"
        if paging.more is not None:
            words[paging.more] = next_at is not None
    path = paging.next if isinstance(paging, NextUrl) else None
    link = "" if isinstance(paging, LinkHeader) else path
    return Cut(records[start:end], next_at, words, link)


def _after_key(
    paging: KeySet, records: Sequence[Record], asked: Mapping[str, Any], size: int
) -> Cut:
    """Rows after a key, in the order of the key."""

    def key_of(record: Record) -> tuple[str, ...]:
        return tuple(str(record.document.get(name, "")) for name in paging.keys)

    after = tuple(str(asked.get(f"after:{name}") or "") for name in paging.keys)
    ordered = sorted(records, key=key_of)
    if paging.inclusive:
        left = [record for record in ordered if key_of(record) >= after]
    else:
        left = [record for record in ordered if key_of(record) > after]
    return Cut(left[:size], None)


def whole(value: Any, fallback: int) -> int:
    """A whole number, or the fallback when it is none."""
    text = str(value if value is not None else "").strip()
    return int(text) if text.lstrip("-").isdigit() and len(text) < 12 else fallback  # noqa: PLR2004


def _from_token(token: str) -> int:
    return whole(token.removeprefix(_TOKEN), 0) if token.startswith(_TOKEN) else 0
