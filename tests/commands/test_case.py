"""`tongban case`, `case clock` and `items`: what a clerk sees, and why a case is due that day."""

from __future__ import annotations

import json
from datetime import date

import pytest
from typer.testing import CliRunner

from tests.cases.test_clock_store import at, open_case
from tongban.cases.aliases import Alias, add_alias
from tongban.cases.clock_store import record_event
from tongban.cases.number import accept_no
from tongban.cli import build
from tongban.store.engine import open_engine

DAY = date(2018, 10, 8)
NUMBER, OTHER = accept_no(DAY, 1), accept_no(DAY, 2)


def run(*words: str):
    """One command in this process, in a wide terminal."""
    return CliRunner().invoke(build(), list(words), env={"COLUMNS": "240"})


@pytest.fixture
def cases(database_url, tmp_path, monkeypatch):
    """Two cases under one contract, the first corrected and decided in time."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    engine = open_engine(database_url)
    with engine.begin() as conn:
        for number in (NUMBER, OTHER):
            open_case(conn, number, DAY)
            add_alias(conn, Alias("HT-1", "housing", "contract_no", number))
        add_alias(conn, Alias("SP-1", "tax", "ticket_no", NUMBER))
        for event in (
            at(DAY, "CORRECTION_ASKED", key="B1", notice_no="B1"),
            at(date(2018, 10, 9), "CORRECTION_DONE", key="B1"),
            at(date(2018, 10, 16), "DECIDED"),
            at(date(2018, 10, 17), "EXTENDED", days=5),
        ):
            record_event(conn, NUMBER, event, source="window")
    engine.dispose()


@pytest.mark.postgres
def test_every_interval_is_explained_with_rule_and_law(cases):
    """The vector of the notice: complete on the 9th, due on the 16th."""
    result = run("case", "clock", NUMBER, "--explain")

    assert 0 == result.exit_code, result.output
    assert "2018-10-16" in result.stdout
    assert "补正齐全之日起重新计算承诺时限" in result.stdout
    assert "平政办发〔2018〕179号 §6.2(4)" in result.stdout
    assert "行政许可法 art. 44" in result.stdout
    assert "EXTENDED: after_the_end" in result.stdout
    assert "not counted" in result.stdout


@pytest.mark.postgres
def test_programs_read_the_same_as_json(cases):
    """States, intervals and remarks."""
    found = json.loads(run("case", "clock", "SP-1", "--explain", "--json").stdout)

    promise = next(state for state in found["states"] if state["clock"] == "promise")
    assert NUMBER == found["accept_no"]
    assert ("ended", 2, 5, 0, "2018-10-16", False) == tuple(
        promise[name] for name in ("state", "epoch", "used", "remaining", "due_on", "is_overdue")
    )
    rules = [i["rule"]["code"] for i in found["intervals"] if i["clock"] == "promise"]
    assert ["promised", "correction_wait", "correction_restart"] == rules
    assert ["after_the_end"] == [remark["code"] for remark in found["remarks"]]


@pytest.mark.postgres
def test_a_case_is_shown_by_any_of_its_numbers(cases):
    """`case NUMBER` is `case show NUMBER`."""
    by_number = json.loads(run("case", NUMBER, "--json").stdout)

    assert by_number == json.loads(run("case", "show", "SP-1", "--json").stdout)
    assert NUMBER == by_number["accept_no"]
    assert not {"applicant_index", "application_id"} & set(by_number)
    assert NUMBER in run("case", NUMBER).stdout


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("HT-1", f"2 cases have this number: {NUMBER}, {OTHER}"),
        ("nosuch", "no case has this number"),
        (NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10), "its check digits are wrong"),
    ],
)
def test_a_number_that_means_no_case_or_several_is_refused(cases, number: str, message: str):
    """With what to do."""
    result = run("case", "clock", number)

    assert 1 == result.exit_code
    assert message in str(result.exception)


def test_items_are_counted_by_the_cuts_of_the_notice():
    """And listed with their flow or steps."""
    found = json.loads(run("items", "--group", "market", "--json").stdout)

    assert found["notice"] == found["totals"]
    assert 1887 == found["totals"]["all"]
    assert {"market"} == {item["group"] for item in found["items"]}
    assert "company_start" in run("items").stdout
    assert "no service group" in str(run("items", "--group", "markt").exception)
