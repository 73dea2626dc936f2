"""Byte columns: a text column of one width seen as a matrix of bytes, and days from digits.

Check digits and dates of fixed layout cost less on bytes than any text operation. Used by the
normalizer (dates, 15-digit numbers) and by the validator (check digits). No cell is ever a
Python object here, and nothing here depends on pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Rows = slice | npt.NDArray[np.intp]

BLOCK = 16_384  # rows at a time, so that a block stays in the processor's cache
ZERO = np.uint8(ord("0"))
EPOCH_OFFSET = 719_162  # days from 0001-01-01 to 1970-01-01, proleptic Gregorian
_POWERS = (10.0 ** np.arange(6, -1, -1)).astype(np.float32)
_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _year_tables() -> tuple[Int32, Int32]:
    """First day of each year since the epoch, and 10000 for leap years; year 0 is no year."""
    years = np.arange(10_000, dtype=np.int32)
    before = years - 1
    starts = before * 365 + before // 4 - before // 100 + before // 400 - EPOCH_OFFSET
    leap = ((years % 4 == 0) & (years % 100 != 0)) | (years % 400 == 0)
    return starts.astype(np.int32), leap.astype(np.int32) * 10_000


def _day_table() -> Int32:
    """Day of the year (from 0) by leap * 10000 + MMDD; -1 where there is no such day."""
    table = np.full(20_000, -1, dtype=np.int32)
    for leap in (0, 1):
        day = 0
        for month, length in enumerate(_MONTH_LENGTHS, start=1):
            for number in range(1, length + 1 + (leap if month == 2 else 0)):  # noqa: PLR2004 - February
                table[leap * 10_000 + month * 100 + number] = day
                day += 1
    return table


_YEAR_STARTS, _LEAP = _year_tables()
_DAYS = _day_table()


def blocks(texts: pl.Series, width: int) -> Iterator[tuple[Rows, Bytes]]:
    """Yield the cells of exactly `width` bytes, block by block, one array row per position.

    Args:
        texts: String column; nulls and cells of other lengths are left out.
        width: Bytes, not characters: six Chinese characters are 18 bytes too.

    Yields:
        Which rows of `texts` they are, and a contiguous (width, rows) matrix.
    """
    for start in range(0, len(texts), BLOCK):
        part = texts.slice(start, BLOCK)
        rows, matrix = fixed_width(part, width)
        if len(matrix):
            whole: Rows = slice(start, start + len(part))
            yield (whole if rows is None else rows + start), np.ascontiguousarray(matrix.T)


def fixed_width(texts: pl.Series, width: int) -> tuple[npt.NDArray[np.intp] | None, Bytes]:
    """Row numbers (None for all rows) and the (rows, width) matrix of cells of that width."""
    fits = (texts.str.len_bytes() == width).fill_null(value=False)
    everything = bool(fits.all())
    picked = texts if everything else texts.filter(fits)
    if picked.is_empty():
        return np.empty(0, dtype=np.intp), np.empty((0, width), dtype=np.uint8)
    raw = joined(picked)
    matrix = np.frombuffer(raw, dtype=np.uint8).reshape(-1, width)
    return (None if everything else np.flatnonzero(fits.to_numpy())), matrix


def joined(texts: pl.Series) -> bytes:
    """The UTF-8 of all cells, one after the other: cheap to search for what a column lacks."""
    raw: bytes = texts.str.join("").cast(pl.Binary).item()
    return raw


def smallest(raw: bytes) -> int:
    """The smallest byte; 255 where there is none."""
    return int(np.frombuffer(raw, dtype=np.uint8).min(initial=255))


def largest(raw: bytes) -> int:
    """The largest byte; 0 where there is none."""
    return int(np.frombuffer(raw, dtype=np.uint8).max(initial=0))


def digits_value(digits: npt.NDArray[np.float32]) -> Int32:
    """Number that each column of digit values (0-9, one array row per position) spells.

    At most seven positions, so that the sums are exact in single precision.
    """
    value: Int32 = np.einsum("ij,i->j", digits, _POWERS[-len(digits) :]).astype(np.int32)
    return value


def days_since_epoch(years: Int32, month_days: Int32) -> tuple[Flags, Int32]:
    """Days since 1970-01-01 from years (0-9999) and MMDD numbers (0-9999).

    Returns:
        Which of them are real dates, and the days (meaningless where they are not).
    """
    day_of_year = _DAYS.take(_LEAP.take(years) + month_days)
    return (day_of_year >= 0) & (years > 0), _YEAR_STARTS.take(years) + day_of_year
