"""Text columns as bytes: which cells, in which order, and which days there are."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel.byte_columns import BLOCK, blocks, days_since_epoch, fixed_width


def test_only_cells_of_that_many_bytes_are_given():
    """Bytes, not characters; nulls are left out."""
    rows, matrix = fixed_width(pl.Series(["abc", None, "甲", "ab", "xyz"]), 3)

    assert rows is not None
    assert [0, 2, 4] == rows.tolist()
    assert [b"abc", "甲".encode(), b"xyz"] == [bytes(line) for line in matrix]


def test_a_column_of_one_width_needs_no_row_numbers():
    """The usual case."""
    rows, matrix = fixed_width(pl.Series(["abc", "xyz"]), 3)

    assert rows is None
    assert (2, 3) == matrix.shape


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=30), st.integers(1, 6))
def test_blocks_hold_exactly_the_cells_of_their_width(cells, width):
    """Each once, each in its row."""
    column = pl.Series(cells, dtype=pl.String)
    positions = np.arange(len(cells))
    found = {
        int(row): bytes(block[:, i])
        for rows, block in blocks(column, width)
        for i, row in enumerate(positions[rows])
    }

    expected = {
        i: cell.encode() for i, cell in enumerate(cells) if cell and len(cell.encode()) == width
    }
    assert expected == found


def test_a_long_column_comes_in_several_blocks():
    """None of them larger than the limit."""
    column = pl.Series(["ab"] * (BLOCK * 2 + 1))

    assert [BLOCK, BLOCK, 1] == [block.shape[1] for _, block in blocks(column, 2)]


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_a_year_and_a_month_day_are_a_day_exactly_when_the_calendar_has_it(year, month_day):
    """Against the standard library."""
    try:
        expected = (date(year, month_day // 100, month_day % 100) - date(1970, 1, 1)).days
    except ValueError:
        expected = None

    real, days = days_since_epoch(
        np.array([year], dtype=np.int32), np.array([month_day], dtype=np.int32)
    )

    assert expected == (int(days[0]) if real[0] else None)
