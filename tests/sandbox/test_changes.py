"""Prepared changes: harmless, new, wrong or mending, and never a cross-department difference."""

from __future__ import annotations

from collections import Counter

import pytest

from sandbox import truth
from sandbox.changes import UPDATES, plan_changes
from sandbox.datasets import DATASETS, SYSTEMS, beijing_now, key_of
from sandbox.plans import apply_changes, changes
from sandbox.state import all_records, open_state, transaction
from tests.sandbox import rules
from tests.sandbox.test_injection import documents

SHARED = {  # what another department states as well
    "deed_tax_payment": ("HTBH", "BDCDYH", "NSRMC", "NSRSBH", "JSJE"),
    "taxpayer": ("SHXYDM", "NSRMC", "FDDBRXM"),
    "real_estate_right": ("BDCDYH", "FDCJYHTH", "FDCJYJG", "QLRLIST", "QSZT"),
    "sale_contract": ("unitNo", "totalPrice", "parties", "status"),
    "unit_insurance": ("BAB010", "AAB004"),
    "enterprise": ("entname", "lerep", "regstate"),
    "enterprise_person": ("uniscid", "name", "cerno"),
}


@pytest.fixture(scope="module")
def plans(spoiled):
    """The changes of the session's city, and the truth lines that come with them."""
    return plan_changes(spoiled.city, spoiled.injected)


def walk(plans):
    """Give every change of every system with its truth line or None."""
    lines = {(line.system, line.batch): line for line in plans[1]}
    for system, rows in plans[0].items():
        for change in rows:
            yield system, change, lines.get((system, change.n))


def test_changes_are_numbered_from_one_per_system(plans):
    """The number is what the truth calls a batch."""
    assert set(SYSTEMS) == plans[0].keys()
    for rows in plans[0].values():
        assert list(range(1, len(rows) + 1)) == [change.n for change in rows]


def test_there_are_enough_for_several_calls(plans):
    """About ten calls of one percent each."""
    assert 700 < sum(len(rows) for rows in plans[0].values())
    assert min(len(rows) for rows in plans[0].values()) >= 20


def test_a_change_without_defect_is_valid(plans):
    """Updates, inserts and corrections would all be accepted."""
    wrong = [
        (change.dataset, change.key, rules.RULES[change.dataset](change.doc))
        for _, change, line in walk(plans)
        if line is None
    ]

    assert [] == [entry for entry in wrong if entry[2]]


def test_a_change_with_defect_is_marked_on_both_sides(plans):
    """The state file names the defect, the truth the record."""
    marked = [(change, line) for _, change, line in walk(plans) if line or change.defect]

    assert len(marked) > 5
    for change, line in marked:
        assert (change.defect, change.n) == (line.defect, line.batch)
        assert (change.dataset, change.key) == line.record
        assert "quarantined" == line.expect


def test_all_four_kinds_of_change_occur(spoiled, plans):
    """Updates, inserts, new defects, corrections."""
    docs = documents(spoiled.city)
    bad = {line.record for line in spoiled.injected.lines if line.expect == "quarantined"}
    kinds = Counter()
    for _, change, line in walk(plans):
        record = (change.dataset, change.key)
        kinds["defect"] += line is not None
        kinds["insert"] += record not in docs
        kinds["correction"] += record in bad
        kinds["update"] += line is None and record in docs and record not in bad

    assert {"defect", "insert", "correction", "update"} == set(+kinds)
    assert kinds["update"] > 500


def test_an_update_changes_something_but_no_shared_statement(spoiled, plans):
    """No difference between departments arises by itself."""
    docs = documents(spoiled.city)
    spoiled_records = {line.record for line in [*spoiled.injected.lines, *plans[1]]}
    for _, change, _line in walk(plans):
        before = docs.get((change.dataset, change.key))
        if before is None or (change.dataset, change.key) in spoiled_records:
            continue
        assert before != change.doc
        for field in SHARED.get(change.dataset, ()):
            assert before.get(field) == change.doc.get(field)


def test_protected_records_never_change(spoiled, plans):
    """A case in flight meets what it expects."""
    changed = {(change.dataset, change.key) for _, change, _ in walk(plans)}

    assert not changed & spoiled.city.protected


def test_a_record_changes_at_most_once_unless_it_is_mended(plans):
    """Two changes of one record are a new defect and its correction."""
    lines = {(line.system, *line.record) for line in plans[1]}
    counts = Counter((system, c.dataset, c.key) for system, c, _ in walk(plans))

    assert {record for record, count in counts.items() if count > 1} <= lines


def test_a_correction_brings_the_clean_record_back(clean_city, spoiled, plans):
    """Nothing but the defect changes."""
    clean = documents(clean_city)
    bad = {line.record for line in spoiled.injected.lines if line.expect == "quarantined"}
    mended = [c for _, c, _ in walk(plans) if (c.dataset, c.key) in bad]

    assert mended
    assert all(clean[c.dataset, c.key] == c.doc for c in mended)


def test_every_dataset_has_an_update():
    """Time passes everywhere."""
    assert DATASETS.keys() == UPDATES.keys()


def test_the_truth_follows_the_served_records_through_all_changes(small_state):
    """After every step, the rules refuse exactly the records that the truth names."""
    for _ in range(3):
        assert refused(small_state) == truth_records(small_state)
        for system in SYSTEMS:
            connection = open_state(small_state, system)
            with transaction(connection):
                done = apply_changes(connection, 15, beijing_now())
            truth.note_applied(small_state, system, done[-1].n)
            connection.close()
    assert refused(small_state) == truth_records(small_state)


def truth_records(folder):
    """Records that hold a quarantined defect now, by the truth."""
    return {line.record for line in truth.load(folder) if line.expect == "quarantined"}


def refused(folder):
    """Records that the independent rules refuse now, healing defects left aside."""
    healing = {line.record for line in truth.load(folder) if line.expect in {"accepted", "audit"}}
    found = set()
    for dataset, row in DATASETS.items():
        connection = open_state(folder, row.system)
        for record in all_records(connection, dataset):
            if is_refused(row, record.doc):
                found.add((dataset, key_of(dataset, record.doc)))
        connection.close()
    return found - healing


def is_refused(row, doc):
    """Tell whether the rules refuse a document or one of its children."""
    try:
        own = bool(rules.RULES[row.name](doc))
        children = doc.get(row.child_list, []) if row.child_list else []
        return own or any(rules.RULES[row.child_dataset](child) for child in children)
    except (ValueError, ArithmeticError, TypeError, IndexError):
        return True


def test_the_state_folder_holds_the_planned_changes(populated):
    """Population writes what the planner made, none of it applied."""
    for system in SYSTEMS:
        connection = open_state(populated, system)
        assert changes(connection, applied=False)
        assert [] == changes(connection, applied=True)
        connection.close()
