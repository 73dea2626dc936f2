"""A transfer's balance is shown as it is: equal, unbalanced, or off the source's declaration."""

from __future__ import annotations

import pytest

from tongban.console.labels import balance


def row(**counts: int | str | None) -> dict[str, object]:
    """A finished pull of ten stored rows, changed as the test says."""
    facts: dict[str, object] = {
        "state": "finished",
        "direction": "pull",
        "parent_id": None,
        "declared_rows": 10,
        "read_rows": 10,
        "new_rows": 10,
        "changed_rows": 0,
        "same_rows": 0,
        "quarantined_rows": 0,
        "duplicate_rows": 0,
    }
    return facts | counts


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (row(), ("balanced", 0)),
        (row(state="landed"), ("not_yet", 0)),
        (row(new_rows=9), ("unbalanced", 1)),
        (row(declared_rows=12), ("declared_off", -2)),
        (row(declared_rows=None), ("balanced", 0)),
        (row(read_rows=13, duplicate_rows=3), ("balanced", 0)),
        (row(read_rows=13, new_rows=13), ("declared_off", 3)),
    ],
)
def test_rows_read_twice_to_prove_a_page_are_no_difference(
    facts: dict[str, object], expected: tuple[str, int]
):
    """Only rows that are missing, or that nobody declared, are a difference."""
    assert expected == balance(facts)
