"""What a column looks like: one word of a closed list."""

from __future__ import annotations

import pytest

from tongban.drift.seen import looks_like


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "0", "1"], "boolean"),
        (["是", "否"], "boolean"),
        (["12", "-3", "400"], "integer"),
        (["1.5", "2", "1,300.25"], "decimal"),
        (["20240305", "19991231"], "date yyyyMMdd"),
        (["20241305", "20240305"], "integer"),
        (["2024-03-05"], "date yyyy-MM-dd"),
        (["2024/3/5"], "date yyyy/MM/dd"),
        (["2024年3月5日"], "date yyyy年MM月dd日"),
        (["2024-03-05 10:00:00"], "datetime yyyy-MM-dd HH:mm"),
        (["2024-03-05T10:00:00+08:00"], "datetime yyyy-MM-ddTHH:mm"),
        (["1709604000000"], "epoch_ms"),
        (['{"a": 1}'], "nested"),
        (['["a"]'], "list"),
        (["某某", "2024-03-05"], "text"),
        ([], "empty"),
    ],
)
def test_a_column_has_one_look(cells: list[str], expected: str):
    """The first look that nine of ten cells have."""
    assert expected == looks_like(cells)


def test_one_dirty_cell_in_ten_changes_no_look():
    """Dirt is the rules' business."""
    assert "integer" == looks_like(["1200"] * 9 + ["many"])
