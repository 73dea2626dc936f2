"""`tongban approvals` and `tongban approve`."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from tongban.cli import build
from tongban.store import approvals
from tongban.store.engine import open_engine, transaction
from tongban.store.migrate import migrate

pytestmark = pytest.mark.postgres


def run(*words: object):
    """One command in this process."""
    return CliRunner().invoke(build(), [str(word) for word in words])


@pytest.fixture
def question(database_url, tmp_path, monkeypatch):
    """The id of one question that waits."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    engine = open_engine(database_url)
    migrate(engine)
    with transaction(engine) as conn:
        found = approvals.ask(
            conn, "contract_version", "sale_contract/2.0.0", "less", owner="housing"
        )
    engine.dispose()
    return found


def waiting():
    """The ids that wait, as a program reads them."""
    return [row["approval_id"] for row in json.loads(run("approvals", "--json").stdout)]


@pytest.mark.parametrize(("words", "expected"), [((), "approved"), (("--reject",), "rejected")])
def test_a_question_is_listed_until_it_is_decided(question, words, expected):
    """And stays in the list of all with who decided and why."""
    assert [str(question)] == waiting()

    result = run("approve", question, "--by", "li.si", "--note", "by telephone", *words)

    assert 0 == result.exit_code, result.output
    assert expected in result.stdout
    assert [] == waiting()
    (row,) = json.loads(run("approvals", "--all", "--json").stdout)
    assert [expected, "li.si", "by telephone"] == [
        row[name] for name in ("state", "decided_by", "note")
    ]
    assert expected in run("approvals", "--all").stdout


def test_nothing_to_decide_is_said(question):
    """An empty table would leave doubts."""
    run("approve", question, "--by", "li.si")

    assert "nothing waits" in run("approvals").stdout


@pytest.mark.parametrize("words", [("one", "--by", "li.si"), (uuid4(),)])
def test_what_is_no_id_and_who_has_no_name_is_wrong_usage(question, words):
    """Exit code 2, as for every wrong call."""
    assert 2 == run("approve", *words).exit_code
    assert [str(question)] == waiting()


def test_an_unknown_question_is_one_line(question):
    """The error says where the list is."""
    result = run("approve", uuid4(), "--by", "li.si")

    assert isinstance(result.exception, approvals.ApprovalClosed)
