"""The truth that holds now: base lines, applied changes, and nothing that a later change mended."""

from __future__ import annotations

import threading

import pytest

from sandbox import truth
from sandbox.errors import StateMissing
from sandbox.plans import Change, add_changes
from sandbox.state import create_state
from sandbox.truth import TruthLine

BASE = TruthLine("registration", "real_estate_right", "Y1", "bad_date", "quarantined")
CHILD = TruthLine("registration", "right_holder", "Y2|1", "bad_check_digit", "quarantined")
TWIN = TruthLine("tax", "taxpayer", "T1", "duplicate_row", "duplicate")
LATER = TruthLine("registration", "real_estate_right", "Y3", "bad_date", "quarantined", batch=2)


@pytest.fixture
def folder(tmp_path):
    """A state folder: change 1 mends Y1, 2 spoils Y3, 3 mends the holder of Y2, 4 mends Y3."""
    connection = create_state(tmp_path, "registration")
    keys = {1: "Y1", 2: "Y3", 3: "Y2", 4: "Y3"}
    add_changes(
        connection,
        [Change(n, "real_estate_right", key, {"YWH": key}, None) for n, key in keys.items()],
    )
    connection.close()
    truth.write(tmp_path, [BASE, CHILD, TWIN, LATER])
    return tmp_path


def test_before_any_change_the_base_lines_hold(folder):
    """Prepared defects do not count yet."""
    assert [BASE, CHILD, TWIN] == truth.load(folder)
    assert [BASE, CHILD, TWIN, LATER] == truth.load_all(folder)


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        (1, [CHILD, TWIN]),
        (2, [CHILD, TWIN, LATER]),
        (3, [TWIN, LATER]),
        (4, [TWIN]),
    ],
)
def test_each_change_spoils_or_mends_its_record(folder, applied, expected):
    """A change of the parent mends its children."""
    truth.note_applied(folder, "registration", applied)

    assert expected == truth.load(folder)


def test_the_changes_of_one_system_do_not_touch_another(folder):
    """Numbers count per system."""
    truth.note_applied(folder, "housing", 99)

    assert [BASE, CHILD, TWIN] == truth.load(folder)


def test_an_applied_number_never_goes_back(folder):
    """Whatever order the servers report in."""
    truth.note_applied(folder, "registration", 3)
    truth.note_applied(folder, "registration", 1)

    assert {"registration": 3} == truth.applied(folder)


def test_servers_that_report_at_once_lose_nothing(folder):
    """Each has its own number in the same small file."""
    systems = [f"s{n}" for n in range(12)]
    threads = [
        threading.Thread(target=truth.note_applied, args=(folder, name, at))
        for at, name in enumerate(systems, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {name: at for at, name in enumerate(systems, 1)} == truth.applied(folder)


def test_a_missing_truth_says_what_to_do(tmp_path):
    """The message names the command."""
    with pytest.raises(StateMissing, match="population"):
        truth.load(tmp_path)


def test_a_child_line_points_to_its_parent_record():
    """Contracts and rights are served with their children inside."""
    party = TruthLine("housing", "sale_contract_party", "HT1|2", "unknown_code", "quarantined")

    assert ("real_estate_right", "Y2") == CHILD.record
    assert ("sale_contract", "HT1") == party.record
    assert ("real_estate_right", "Y1") == BASE.record
