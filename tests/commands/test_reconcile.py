"""Commands reconcile, statements and quarantine, against the running city."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.pipeline.city import ROOT, city, city_template
from tongban.cli import build
from tongban.pipeline import push

__all__ = ["city", "city_template"]
ROUTE = ("--target", "substation", "--dataset", "deed_tax_payment")


@pytest.fixture
def run(city, monkeypatch):
    """Run a command of the city's installation; its tax payments are pulled and delivered."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", city.database_url)
    monkeypatch.setenv("TONGBAN_ROOT", str(ROOT))
    monkeypatch.setenv("TONGBAN_HOME", str(city.settings.home))
    city.pull("deed_tax_payment")
    push(city.hub, "substation", "deed_tax_payment")
    return lambda *words: CliRunner().invoke(build(), [str(word) for word in words])


def test_a_comparison_is_shown_and_its_statement_listed(run):
    """Both agree, and the exit code says so."""
    done = run("reconcile", *ROUTE, "--json")
    listed = run("statements", *ROUTE, "--json")

    assert 0 == done.exit_code, done.output
    (found,) = json.loads(done.stdout)["compared"]
    (row,) = json.loads(listed.stdout)
    assert ("agrees", found["statement_id"]) == (found["state"], row["statement_id"])
    assert found["statement_id"] in run("statements", row["statement_id"]).output


def test_the_same_comparison_for_people_names_the_target_and_the_result(run):
    """One line per route."""
    done = run("reconcile", *ROUTE)

    assert 0 == done.exit_code
    assert "substation" in done.output  # a narrow screen wraps longer names
    assert "agrees" in done.output


def test_a_notice_is_issued_exported_and_brought_back_unchanged(run, tmp_path):
    """What nobody corrected is still refused, which the exit code says."""
    book = tmp_path / "rows.xlsx"

    issued = json.loads(run("quarantine", "notice", "tax", "--by", "li", "--json").stdout)
    number = issued[0]["notice_no"]
    exported = run("quarantine", "export", number, book, "--by", "li")
    back = run("quarantine", "import", "tax", "deed_tax_payment", book, "--by", "li", "--json")

    assert (0, 1) == (exported.exit_code, back.exit_code)
    counts = json.loads(back.stdout)
    assert (issued[0]["rows"], 0) == (counts["refused"], counts["applied"])
    assert number in run("quarantine", "list", "tax", "--json").stdout
    assert number in run("quarantine", "notices", "--json").stdout


def test_a_waiver_says_which_rules_it_is_about(run, city):
    """Until the last day of the year."""
    number = city.one("SELECT min(quarantine_id) FROM hub.quarantine WHERE state = 'open'")
    until = city.one("SELECT ((now() AT TIME ZONE 'Asia/Shanghai')::date + 30)::text")

    done = run(
        "quarantine", "waive", number, "--by", "chief", "--reason", "none better", "--until", until
    )

    assert 0 == done.exit_code, done.output
    assert f"waived until {until}" in done.output
