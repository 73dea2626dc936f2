"""Rectification: who is asked, and until which working day."""

from __future__ import annotations

from datetime import date

import pytest

from tests.contracts.odcs import contract_of
from tongban.kernel.calendar import WorkingDays
from tongban.quality.comparisons import Outcome, comparisons_of
from tongban.quality.rectification import RectificationList, overdue

MONDAY = date(2026, 3, 2)
CHECK = next(
    check for check in comparisons_of([contract_of("deed_tax_payment")]) if check.id == "payer_name"
)
OWNER = contract_of(CHECK.dataset).owner
HOLIDAY = date(2026, 3, 5)


def listed(day: date = MONDAY, known: dict | None = None) -> RectificationList:
    """An empty list with a Thursday off, in a year that the calendar covers."""
    names = (CHECK.dataset, CHECK.other)
    contracts = {name: contract_of(name) for name in names}
    return RectificationList(day, WorkingDays(off=[HOLIDAY], worked=[]), contracts, known or {})


def test_deadline_counts_working_days_from_the_next_day():
    """Five of them from Monday: Tue, Wed, (holiday), Fri, (weekend), Mon, Tue."""
    found = listed()
    found.add_comparison(CHECK, Outcome(compared=9, bad=("t",)))

    assert [(MONDAY, date(2026, 3, 10), False)] == [
        (f.found_on, f.due_on, f.is_provisional) for f in found.findings
    ]


def test_year_without_an_arrangement_is_provisional():
    """The State Council has not said yet which days are off."""
    found = listed(date(2027, 3, 1))
    found.add_comparison(CHECK, Outcome(compared=9, bad=("t",)))

    assert [True] == [f.is_provisional for f in found.findings]


def test_known_finding_keeps_its_first_day():
    """Otherwise nobody would ever be late."""
    found = listed(known={("comparison", CHECK.dataset, CHECK.id, OWNER): date(2026, 2, 2)})
    found.add_comparison(CHECK, Outcome(compared=9, bad=("t",)))

    assert [date(2026, 2, 2)] == [f.found_on for f in found.findings]
    assert 1 == overdue(found.findings, MONDAY)


def test_first_day_is_never_after_the_audits_own():
    """An audit for an earlier day does not know the future."""
    found = listed(known={("comparison", CHECK.dataset, CHECK.id, OWNER): date(2026, 12, 1)})
    found.add_comparison(CHECK, Outcome(compared=9, bad=("t",)))

    assert [MONDAY] == [f.found_on for f in found.findings]


def test_comparison_asks_its_own_owner_together_with_the_other():
    """Both sides are named, one of them answers."""
    found = listed()
    found.add_comparison(CHECK, Outcome(compared=9, bad=("t", "u"), skipped=3))

    (item,) = found.findings
    assert ("tax", "housing", 2, 9, 3) == (
        item.owner,
        item.other_owner,
        item.rows,
        item.applicable,
        item.skipped,
    )


def test_comparison_that_holds_is_no_finding():
    """Good news is in the report, not in the list."""
    found = listed()
    found.add_comparison(CHECK, Outcome(compared=9))

    assert [] == found.findings


@pytest.mark.parametrize(
    ("ours", "theirs", "words"), [(3, 1, "3 / 1"), (None, 2, "— / 2"), (2, None, "2 / —")]
)
def test_disagreement_is_asked_of_the_hub_itself(ours, theirs, words):
    """No department can mend our own counting."""
    found = listed()
    found.add_disagreement(CHECK.dataset, "status.code", ours, theirs)

    (item,) = found.findings
    assert ("engine", "hub") == (item.kind, item.owner)
    assert words in item.statement


def test_list_begins_with_the_earliest_deadline_and_then_the_most_rows():
    """What is late comes first."""
    found = listed(known={("engine", CHECK.dataset, "b", "hub"): date(2026, 2, 2)})
    found.add_disagreement(CHECK.dataset, "a", 9, 0)
    found.add_disagreement(CHECK.dataset, "b", 1, 0)
    found.add_comparison(CHECK, Outcome(compared=20, bad=tuple("abcdefghijklm")))

    assert ["b", "payer_name", "a"] == [f.name for f in found.findings]
