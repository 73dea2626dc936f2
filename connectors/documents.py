"""Documents: one view on an answer's content, whether it is JSON or XML.

Success layers, totals, cursors, receipts and rows are read through this view, so that nothing
after it asks which protocol an answer came by. Paths are dotted and relative to the document;
in XML they are local names, and `@name` is an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from connectors.errors import AnswerCountInvalid
from tongban.kernel.records import Decoded, RecordShape

_WHOLE = re.compile(r"(?<=[0-9])\.0+$")  # 1237.0 is how some serializers write a whole number


class Document(Protocol):
    """An answer, or an opened part of one."""

    def text(self, path: str) -> str | None:
        """Give one value as text, or None when it is absent or null."""
        ...

    def part(self, path: str) -> Document | None:
        """Give an inner document, or None when it is absent or null."""
        ...

    def items(self, path: str) -> Sequence[Document]:
        """Give the records at a path; absent means none."""
        ...

    def count(self, path: str) -> int:
        """Count the records at a path; absent means none."""
        ...

    def prints(self, path: str, skip: frozenset[str]) -> list[bytes]:
        """Give a fingerprint of each record, without the fields in `skip`."""
        ...

    def columns(self, path: str, shape: RecordShape, *, whole: bool) -> Decoded:
        """Read the records at a path into text columns.

        Args:
            path: Path of the record list.
            shape: Wanted fields, exploded list, known names.
            whole: Also report unknown names outside the exploded list.
        """
        ...


def number(text: str | None, path: str, where: str) -> int | None:
    """Read a count from an answer's text.

    Raises:
        AnswerCountInvalid: It is there but no whole number ≥ 0.
    """
    if text is None or not text.strip():
        return None
    text = _WHOLE.sub("", text.strip())
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004 - 64 bit
        raise AnswerCountInvalid(
            f"{where}: {path} is no whole number of 0 or more; the answer cannot be trusted",
            path=path,
        )
    return int(text)


def is_known(name: str, known: frozenset[str]) -> bool:
    """Tell whether a dotted name, or a part of it that is taken as a whole, is known."""
    return name in known or any(
        name[:at] in known for at, letter in enumerate(name) if letter == "."
    )


def has_known_parts(name: str, known: frozenset[str]) -> bool:
    """Tell whether names below this one are known, so that it must be looked into."""
    return any(each.startswith(name + ".") for each in known)


def assemble(
    shape: RecordShape,
    parents: Mapping[str, Sequence[str | None] | pl.Series],
    children: Mapping[str, Sequence[str | None] | pl.Series],
    parent_of: list[int] | None,
) -> pl.DataFrame:
    """Join parents' and exploded children's columns into one frame in the wanted order."""
    series: dict[str, pl.Series] = {}
    index = pl.Series(parent_of, dtype=pl.UInt32) if parent_of is not None else None
    for name in shape.fields:
        if name in children:
            series[name] = pl.Series(name, children[name], dtype=pl.String)
            continue
        given = parents[name]
        if isinstance(given, pl.Series) and given.dtype == pl.String:
            column = given.alias(name)
        else:
            column = pl.Series(name, given, dtype=pl.String)
        series[name] = column if index is None else column.gather(index)
    return pl.DataFrame(list(series.values()))
