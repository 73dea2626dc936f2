"""Statements: read the receiver's own list of what it holds, page by page, as columns.

The list is the receiver's word, not ours: a line without key or version is refused as unreadable,
never guessed, and nothing is remembered between pages. Who compares it is `tongban.reconcile`.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from connectors.caller import Caller
from connectors.documents import Document
from connectors.documents import number as count_of
from connectors.paging import first_place, walk
from connectors.replies import Place, Reply
from connectors.templates import version_from_time
from tongban.kernel.errors import AnswerUnreadable
from tongban.kernel.records import RecordShape
from tongban.kernel.systems import Counted, Statement

HELD: dict[str, pl.DataType] = {
    "guid": pl.String(),
    "version": pl.Int64(),
    "digest": pl.String(),
    "receipt_no": pl.String(),
}
"""Columns of a page of a statement; `receipt_no` is null where the receiver does not repeat it."""


def held_pages(caller: Caller, spec: Statement, where: str) -> Iterator[pl.DataFrame]:
    """Read the whole list, one frame of `HELD` per page.

    Raises:
        AnswerUnreadable: A line lacks its key, its version or its digest.
        RetryLater: The receiver paused; read the list again from the beginning.
    """

    def ask(place: Place) -> Reply:
        values = {"page": None, "row": None, "cursor": None, "size": spec.paging.size}
        outcome = caller.call(spec.call, values | dict(place.values), where, url=place.url)
        answer = outcome.answer
        return Reply(
            where, answer.body, answer.headers, outcome.url, outcome.document, spec.records, None
        )

    for step in walk(spec.paging, ask, first_place(spec.paging, 0, 1)):
        if step.reply.document is not None:
            yield _held(step.reply.document, spec, where)


def held_count(caller: Caller, spec: Counted, where: str) -> int:
    """Ask how many live records the receiver holds.

    Raises:
        AnswerUnreadable: The answer has no count.
    """
    document = caller.call(spec.call, {}, where).document
    found = count_of(document.text(spec.total), spec.total, where) if document else None
    if found is None:
        raise AnswerUnreadable(f"{where}: no count at {spec.total}; ask the receiver")
    return found


def _held(document: Document, spec: Statement, where: str) -> pl.DataFrame:
    """One page as typed columns."""
    paths = {"guid": spec.guid, "version": spec.version, "digest": spec.digest}
    if spec.receipt_no is not None:
        paths["receipt_no"] = spec.receipt_no
    fields = tuple(dict.fromkeys(paths.values()))
    shape = RecordShape(fields=fields, explode=None, known=frozenset(fields))
    rows = document.columns(spec.records, shape, whole=False).frame
    texts = rows.select(
        (pl.col(paths[name]) if name in paths else pl.lit(None, pl.String)).alias(name)
        for name in HELD
    )
    version = (
        pl.col("version").map_elements(_counted, return_dtype=pl.Int64, skip_nulls=True)
        if spec.version_is_time
        else pl.col("version").cast(pl.Int64, strict=False)
    )
    held = texts.with_columns(version)
    broken = held.filter(
        pl.col("guid").is_null()
        | (pl.col("guid").str.len_bytes() == 0)
        | pl.col("digest").is_null()
        | pl.col("version").is_null()
        | (pl.col("version") < 0)
    )
    if broken.height:
        raise AnswerUnreadable(
            f"{where}: a line lacks its key, version or digest ({broken.height} of {held.height} "
            "do); show the page to the receiver",
            lines=broken.height,
        )
    return held


def _counted(text: str) -> int | None:
    """A version that was told as a time."""
    try:
        return version_from_time(text)
    except ValueError:
        return None
