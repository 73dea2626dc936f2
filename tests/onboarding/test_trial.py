"""`tongban map try`: a sample before and after, masked, each failure with its operation."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.mappings.city import ROOT, mapping_of
from tongban.cli import build
from tongban.kernel.errors import AnswerUnreadable, ConfigInvalid
from tongban.onboarding.trial import Trial, try_sample

PAID = ROOT / "mappings" / "tax" / "deed_tax_payment.yaml"
HOLDER = ROOT / "mappings" / "registration" / "right_holder.yaml"
RECORD = mapping_of("tax", "deed_tax_payment").examples[0]["given"]


@pytest.fixture
def sample(tmp_path):
    """Writes a sample of plain records."""

    def write(*records):
        path = tmp_path / "sample.json"
        path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
        return path

    return write


def cell(found: Trial, name: str, row: int = 0):
    """One field of one row."""
    return next(item for item in found.rows[row].fields if item.field == name)


def test_good_record_is_shown_before_and_after(sample):
    """With its operations in order."""
    found = try_sample(ROOT, PAID, sample(RECORD))

    assert found.is_clean
    base = cell(found, "tax_base")
    assert (["JSJE"], ["***"], ["money"], "***") == (
        base.sources, base.before, base.operations, base.after,
    )  # fmt: skip
    assert (["10119"], "deed_tax") == (
        cell(found, "tax_kind").before,
        cell(found, "tax_kind").after,
    )


def test_nobody_is_shown_whole(sample):
    """Names, numbers and amounts are masked on both sides, in every output."""
    path = sample(RECORD)
    printed = [
        CliRunner().invoke(build(), ["map", "try", str(PAID), "--sample", str(path), *more]).stdout
        for more in ([], ["--json"])
    ]

    for text in (*printed, repr(try_sample(ROOT, PAID, path))):
        assert "李娜" not in text
        assert "620899199002280248" not in text
        assert "560000" not in text


def test_failure_is_named_with_its_operation_and_rule(sample):
    """A day that does not exist, a code that nobody knows."""
    found = try_sample(ROOT, PAID, sample({**RECORD, "JKRQ": "20230230101010", "SZDM": "1"}))

    assert "quarantined" == found.rows[0].outcome
    assert (["datetime"], None) == (cell(found, "paid_at").failed, cell(found, "paid_at").after)
    assert "paid_at.type" in cell(found, "paid_at").rules
    assert ["code"] == cell(found, "tax_kind").failed
    assert [] == cell(found, "ticket_no").failed


def test_exit_code_says_whether_the_sample_passes(sample):
    """0 for a clean one, 1 where a row would be quarantined."""
    words = ["map", "try", str(PAID), "--json", "--sample"]
    good = CliRunner().invoke(build(), [*words, str(sample(RECORD))])
    bad = CliRunner().invoke(build(), [*words, str(sample({**RECORD, "JKRQ": None}))])

    assert (0, 1) == (good.exit_code, bad.exit_code)
    assert "accepted" == json.loads(good.stdout)["rows"][0]["outcome"]


def test_nested_records_are_exploded_and_unknown_names_told(sample):
    """As a decoder would."""
    holder = {"SXH": 1, "QLRMC": "李娜", "ZJZL": "1", "ZJH": "620899199002280248", "NEU": "x"}
    record = {
        "YWH": "B1",
        "GXSJ": "2024-03-01T09:00:00+08:00",
        "QLRLIST": {"QLR": [holder, holder]},
    }

    found = try_sample(ROOT, HOLDER, sample(record))

    assert (2, ["QLRLIST.QLR.NEU"]) == (found.total, found.unknown_fields)
    assert ["1"] == cell(found, "holder_no", 1).before


def test_page_that_the_protocol_cannot_read_is_refused_without_quoting_it(tmp_path):
    """The system's own decoder judges it."""
    page = tmp_path / "page.xml"
    page.write_text("<secret>620899199002280248</secret>", encoding="utf-8")

    with pytest.raises(AnswerUnreadable) as caught:
        try_sample(ROOT, PAID, page)
    assert "620899199002280248" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: 元", "unit: 千元", 'does not know the unit "千元", did you mean "元"'),
        ("  tax_organ: {", "  tax_orgna: {", 'no field "tax_orgna", did you mean "tax_organ"'),
    ],
)
def test_mapping_that_does_not_fit_is_refused_with_its_line(tmp_path, sample, old, new, message):
    """Before any row is read; the file need not be in the catalog."""
    changed = tmp_path / "deed_tax_payment.yaml"
    changed.write_text(PAID.read_text("utf-8").replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ConfigInvalid, match=message):
        try_sample(ROOT, changed, sample(RECORD))


def test_sample_that_is_not_there_is_said(tmp_path):
    """With its path."""
    with pytest.raises(ConfigInvalid, match=r"gone\.json: No such file"):
        try_sample(ROOT, PAID, tmp_path / "gone.json")
