"""Paged reading, against a plain sorted list."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from operator import itemgetter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.servers.records import Records, Window
from sandbox.servers.refusals import Refusal
from sandbox.state import add_records, create_state, put_record

SINCE, UNTIL = "2026-01-01T00:00:00", "2026-12-31T00:00:00"
WINDOW = Window("house_unit", SINCE, UNTIL)
ORDERS = {
    "changed": itemgetter(0, 1, 2),
    "key": itemgetter(1, 2),
    "changed_desc": lambda row: (-datetime.fromisoformat(row[0]).timestamp(), row[1], row[2]),
}
rows_of_three_minutes = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=30
)


def filled(folder, marks):
    """Write rows with few distinct times and keys; return the state and the rows."""
    connection = create_state(folder, "housing")
    rows = [
        (f"2026-03-02T09:{minute:02d}:00", f"FW{key}", at) for at, (minute, key) in enumerate(marks)
    ]
    docs = [(row[0], {"houseCode": row[1], "at": row[2]}) for row in rows]
    add_records(connection, "house_unit", docs)
    return connection, rows


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    marks=rows_of_three_minutes,
    order=st.sampled_from(sorted(ORDERS)),
    size=st.integers(1, 7),
)
def test_pages_join_to_the_sorted_whole_in_every_order(tmp_path, marks, order, size):
    """Ties in time and key included, remembered positions or not."""
    connection, rows = filled(tmp_path, marks)
    for forget in (False, True):
        records = Records(connection)
        seen = []
        for offset in range(0, len(rows) + 1, size):
            if forget:
                records.changed()
            page = records.page(WINDOW, order, offset, size)
            seen += [json.loads(text)["at"] for text in page]

        assert [row[2] for row in sorted(rows, key=ORDERS[order])] == seen
    connection.close()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=rows_of_three_minutes, size=st.integers(1, 7))
def test_cursors_join_to_the_sorted_whole(tmp_path, marks, size):
    """The last page has no cursor, and no page but the last is short."""
    connection, rows = filled(tmp_path, marks)
    records = Records(connection)
    cursor, seen = None, []
    while True:
        page, cursor = records.page_after(WINDOW, cursor, size)
        seen += [json.loads(text)["at"] for text in page]
        if cursor is None:
            break
        assert size == len(page)

    assert [row[2] for row in sorted(rows, key=ORDERS["changed"])] == seen
    connection.close()


def test_a_write_between_two_pages_is_seen_once_it_is_told(tmp_path):
    """The next page by number is computed afresh."""
    connection, _ = filled(tmp_path, [(0, n) for n in range(6)])
    records = Records(connection)
    records.page(WINDOW, "changed_desc", 0, 3)
    put_record(connection, "house_unit", {"houseCode": "FW9", "at": 9}, datetime(2026, 5, 1))  # noqa: DTZ001
    records.changed()

    page = records.page(WINDOW, "changed_desc", 3, 3)

    assert ["FW2", "FW3", "FW4"] == [json.loads(text)["houseCode"] for text in page]
    assert 7 == records.total(WINDOW)
    connection.close()


def test_the_queue_goes_by_sequence_and_not_by_time(tmp_path):
    """Rows come in the order in which they were queued."""
    connection, _ = filled(tmp_path, [(2, 0), (0, 1), (1, 2)])
    records = Records(connection)

    first, cursor = records.page_of_queue(WINDOW, None, 2)
    second, end = records.page_of_queue(WINDOW, cursor, 2)

    assert [0, 1, 2] == [json.loads(text)["at"] for text in (*first, *second)]
    assert end is None
    connection.close()


def test_a_cursor_does_not_fit_another_window(tmp_path):
    """Not even one that differs by a second."""
    connection, _ = filled(tmp_path, [(0, 0), (0, 1)])
    records = Records(connection)
    _, cursor = records.page_after(WINDOW, None, 1)
    later = datetime.fromisoformat(UNTIL) + timedelta(seconds=1)

    with pytest.raises(Refusal):
        records.page_after(Window("house_unit", SINCE, later.isoformat()), cursor, 1)
    connection.close()


def test_deep_pages_cost_no_more_than_first_ones(tmp_path):
    """Rows read per page stay the same: counted by SQLite's own steps, not by a clock."""
    connection, _ = filled(tmp_path, [(0, n) for n in range(3000)])
    records = Records(connection)
    records.total(WINDOW)
    steps = []
    for offset in range(0, 3000, 100):
        count = [0]
        connection.set_progress_handler(lambda count=count: count.__setitem__(0, count[0] + 1), 10)
        records.page(WINDOW, "key", offset, 100)
        steps.append(count[0])
    connection.set_progress_handler(None, 0)
    connection.close()

    assert max(steps[1:]) <= 2 * max(1, steps[1])
