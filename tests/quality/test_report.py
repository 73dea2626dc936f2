"""The report: one file, offline, escaped, with everything that an auditor looks for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.contracts.odcs import bad_rows, good_rows
from tongban.quality import drawing, journal, report, run_audit
from tongban.quality.audit import examine
from tongban.quality.journal import Past

DAY = date(2026, 3, 2)
HOSTILE = '<script>alert("1")</script>'
TABLES_OF_CONTENTS = (
    "各单位概况",
    "数据集 × 维度",
    "主要不合格规则",
    "跨部门核对",
    "待整改数据平衡",
    "整改清单",
    "漂移与未对照代码",
    "方法与依据",
)


@pytest.fixture(scope="module")
def audit(shared_office):
    """An audit of two payments, one of them bad, and of their contract; not written."""
    office = shared_office
    journal.prepare(office.hub.engine)
    good = good_rows("deed_tax_payment")[0]
    office.store(
        "deed_tax_payment",
        {**good, "tax_base": "1000.00", "tax_amount": "15.00", "paid_amount": "15.00"},
        {**good, "ticket_no": "362089924000000077", "payer_id_no": "620899199002280249"},
    )
    office.store("sale_contract", {})
    for kind, field in (("new_field", HOSTILE), ("missing_required", "signed_at")):
        office.run(
            "INSERT INTO hub.drift_event"
            " (transfer_id, system, dataset, kind, field, policy, owner, detail, at)"
            " VALUES (gen_random_uuid(), 'housing', 'sale_contract', :kind, :field, 'frozen',"
            " 'housing', '{}', CAST(:day AS date))",
            kind=kind,
            field=field,
            day=DAY,
        )
    office.run(
        "INSERT INTO hub.unmapped_code (system, dataset, field, code, rows, first_transfer,"
        " last_transfer, last_at) VALUES ('housing', 'sale_contract', 'usage', '77', 5,"
        " gen_random_uuid(), gen_random_uuid(), CAST(:day AS date)),"
        " ('housing', 'sale_contract', 'usage', '', 3, gen_random_uuid(), gen_random_uuid(),"
        " CAST(:day AS date))",
        day=DAY,
    )
    return office, examine(office.hub, DAY)


pytestmark = pytest.mark.postgres


def html(audit) -> str:
    """The report of an audit."""
    office, found = audit
    return report.render(found, office.hub.catalog).decode()


def test_report_has_every_part(audit):
    """From the cover to the annex, Chinese first."""
    text = html(audit)

    assert text.startswith('<!doctype html>\n<html lang="zh-CN">')
    assert list(TABLES_OF_CONTENTS) == [part for part in TABLES_OF_CONTENTS if part in text]
    for english in ("Data quality audit report", "Departments", "Quarantine balance", "Annex"):
        assert english in text


def test_drift_has_a_ticket_with_owner_and_policy_and_codes_are_listed(audit):
    """A name from a department is text and nothing else."""
    text = html(audit).split("漂移与未对照代码")[1].split("方法与依据")[0]

    assert "DR-1" in text
    assert "必填字段缺失" in text
    assert "整批停载" in text
    assert "房产交易中心" in text
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert '<td class="code">77</td>' in text
    assert "非代码形式" in text


def test_report_asks_nobody_for_anything(audit):
    """No address, no script, no font, no picture from elsewhere; a policy says so too."""
    text = html(audit)

    assert [] == re.findall(r"(?:src|href|action|poster|srcset)\s*=", text)
    assert [] == re.findall(r"url\(|@import|https?:|//[a-z]|<script|<link|<iframe|<img", text)
    assert "default-src 'none'" in text


def test_report_names_its_run_and_digests(audit):
    """Who doubts it can compute it again."""
    _, found = audit
    text = html(audit)

    assert all(t in text for t in (str(found.run_id), found.input_digest, found.result_digest))


def test_failing_rule_is_shown_with_owner_rows_and_masked_samples(audit):
    """The department can find the row by its token, and a stranger learns nothing."""
    office, found = audit
    text = html(audit)
    (measured,) = [m for m in found.measured if m.dataset == "deed_tax_payment"]
    rule = next(r for r in measured.plan.rules if r.id.endswith("payer_id_valid"))

    assert rule.description in text
    assert "620899********0249" in text
    assert "620899199002280249" not in text
    assert measured.samples[rule.id][0].token[:12] in text
    assert office.hub.catalog.system("tax").department.name in text


def test_comparison_and_deadline_are_in_the_lists(audit):
    """Tax base against the price of the contract, due in five working days."""
    text = html(audit)

    assert "契税计税金额应等于网签合同成交总价" in text
    assert "2026-03-09" in text
    assert "会同 平凉市" in text


def test_same_audit_gives_the_same_bytes(audit):
    """Nothing of the moment of writing is in the file."""
    office, found = audit

    assert report.render(found, office.hub.catalog) == report.render(found, office.hub.catalog)


def test_labels_are_escaped(audit):
    """Contracts are written by people, too."""
    _office, found = audit
    hostile = [replace(m, contract=replace(m.contract, label=HOSTILE)) for m in found.measured]
    findings = [replace(f, statement=HOSTILE) for f in found.findings]

    text = html((audit[0], replace(found, measured=hostile, findings=findings)))

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_trend_shows_earlier_days_and_marks_only_sure_changes(audit):
    """An arrow needs more than one bad row among few."""
    office, found = audit
    past = [Past(day=DAY - timedelta(days=1), score=0.5, applicable=100_000)]
    known = replace(found, past={"tax": past})

    assert "<polyline" not in html(audit)
    text = html((office, known))
    assert 1 == text.count("<polyline")
    assert '<b class="up">▲</b>' in text


def test_trend_is_read_from_earlier_audits(office):
    """One point per day, the last audit of each."""
    office.store("sale_contract", {})
    for days in (0, 1, 1, 2):
        run_audit(office.hub, day=DAY + timedelta(days=days))

    found = examine(office.hub, DAY + timedelta(days=3))

    assert [DAY + timedelta(days=i) for i in range(3)] == [p.day for p in found.past["housing"]]
    assert [1.0, 1.0, 1.0] == [p.score for p in found.past["housing"]]


def test_rules_that_applied_to_no_row_are_listed_apart(audit):
    """Never counted as passed."""
    text = html(audit)

    assert "未评价的规则" in text
    assert "receipt_no.type" not in text.split("未评价的规则")[0]


def test_bad_examples_of_every_contract_show_no_value(office):
    """All rules of a contract broken at once, all samples masked."""
    rows = [
        {**e["row"], "ticket_no": f"3620899240{i:08d}"}
        for i, e in enumerate(bad_rows("deed_tax_payment"))
        if e["row"]["ticket_no"]
    ]
    for at in range(0, len(rows), 40):  # a whole batch of them would be refused
        office.store("deed_tax_payment", *rows[at : at + 40])
    journal.prepare(office.hub.engine)

    text = html((office, examine(office.hub, DAY)))

    values = {str(row[name]) for row in rows for name in ("payer_name", "payer_id_no", "unit_no")}
    assert [] == [v for v in values if len(v) > 1 and v != "None" and v in text]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "100"), (0.99999999, "99.99"), (0.9899, "98.99"), (0.0, "0.00"), (None, "—")],
)
def test_score_is_never_rounded_up_to_a_clean_hundred(value, shown):
    """One bad row in a million is one bad row."""
    assert shown == drawing.percent(value)


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ([0.5], "3.0,14.0 117.0,14.0"),
        ([0.0, 1.0], "3.0,25.0 117.0,3.0"),
        ([1.0, 1.0, 1.0], "3.0,14.0 60.0,14.0 117.0,14.0"),
    ],
)
def test_curve_fills_its_box(values, points):
    """From the left edge to the right, the best on top."""
    assert points == drawing.sparkline(values)
