"""Where several systems provide one dataset, each is measured, scored and asked by itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.quality.loading import Office
from tongban.quality import journal, run_audit
from tongban.quality.audit import examine

pytestmark = pytest.mark.postgres
DAY = date(2026, 3, 2)  # a Monday without holidays near
BAD_NUMBER = "620899197906010091"  # wrong check digit
SECOND = {"hall": "fire_hall", "case_no": "XF-1"}


@pytest.fixture
def halls(office: Office) -> Office:
    """Two halls: one sent a wrong number, the other forgot a day."""
    office.store(
        "hall_case", {}, {"case_no": "JG-2", "applicant_id_no": BAD_NUMBER}, system="traffic_hall"
    )
    office.store(
        "hall_case",
        SECOND,
        {**SECOND, "case_no": "XF-2", "case_kind": "promised"},
        system="fire_hall",
    )
    return office


def test_a_finding_is_for_the_provider_of_the_row(halls: Office):
    """Nobody mends another's data."""
    counts = run_audit(halls.hub, day=DAY)

    assert (1, 3, 1, 0) == tuple(
        counts[name] for name in ("datasets", "stored", "quarantined", "disagreements")
    )
    assert [
        ("hall_case.applicant_id_valid", "traffic_hall", 1),
        ("hall_case.promised_has_day", "fire_hall", 1),
    ] == sorted(halls.rows("SELECT name, owner, rows FROM quality.audit_finding"))


def test_each_provider_has_its_own_score_and_lines_in_the_report(halls: Office):
    """A hall is not judged by the others' rows."""
    counts = run_audit(halls.hub, day=DAY)

    scores = counts["departments"]
    assert {"traffic_hall", "fire_hall"} == set(scores)
    assert scores["traffic_hall"] != scores["fire_hall"]
    text = Path(counts["report"]).read_text(encoding="utf-8")
    assert 1 <= text.count("平凉市公安消防支队")
    assert 1 <= text.count("平凉市公安局交警支队")


def test_a_provider_that_left_the_catalog_is_still_measured(halls: Office):
    """Its rows are stored, so they are audited."""
    halls.store("hall_case", {"hall": "old_hall", "case_no": "1"}, system="old_hall")

    journal.prepare(halls.hub.engine)
    found = {item.department: item.stored for item in examine(halls.hub, DAY).measured}

    assert {"traffic_hall": 1, "fire_hall": 2, "old_hall": 1} == found


def test_a_finding_keeps_its_first_day_for_its_own_provider_alone(halls: Office):
    """That one hall was late says nothing about another's deadline."""
    run_audit(halls.hub, day=DAY)
    halls.store("hall_case", {"case_no": "JG-3", "case_kind": "promised"}, system="traffic_hall")

    run_audit(halls.hub, day=date(2026, 3, 5))

    assert [("fire_hall", DAY), ("traffic_hall", date(2026, 3, 5))] == halls.rows(
        "SELECT owner, found_on FROM quality.audit_finding f JOIN quality.audit_run USING (run_id)"
        " WHERE name = 'hall_case.promised_has_day' AND day = '2026-03-05' ORDER BY owner"
    )
