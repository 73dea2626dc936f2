"""`tongban audit`, `tongban evidence export` and `tongban evidence verify`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tongban.cli import build
from tongban.kernel.errors import EvidenceBroken


def run(*words: object):
    """One command in this process."""
    return CliRunner().invoke(build(), [str(word) for word in words])


@pytest.fixture
def installed(database_url, tmp_path, monkeypatch):
    """An installation on the test's database."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.postgres
def test_audit_writes_a_report_and_says_where(installed):
    """JSON for programs; the same counts as the DAG gives."""
    result = run("audit", "--json")

    assert 0 == result.exit_code, result.output
    counts = json.loads(result.stdout)
    assert {"score", "grade", "departments", "report", "disagreements"} <= set(counts)
    assert (installed / "home" / "reports" / "latest.html").is_file()


@pytest.mark.postgres
def test_exported_log_verifies_without_the_hub(installed, monkeypatch):
    """An auditor needs the file only."""
    run("audit")
    file = installed / "evidence.jsonl"

    written = run("evidence", "export", file)
    monkeypatch.delenv("TONGBAN_DATABASE_URL")
    verified = run("evidence", "verify", file, "--json")

    assert 0 == written.exit_code, written.output
    assert 0 == verified.exit_code, verified.output
    verdict = json.loads(verified.stdout)
    assert 2 == verdict["entries"]  # the configuration at the first start, the audit
    assert verdict["problem"] is None
    assert [file] == [p for p in installed.iterdir() if p.is_file()]


@pytest.mark.postgres
def test_changed_archive_is_refused(installed):
    """One digit in one entry."""
    run("audit")
    file = installed / "evidence.jsonl"
    run("evidence", "export", file)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"datasets":0', '"datasets":9'), encoding="utf-8")

    result = run("evidence", "verify", file)

    assert isinstance(result.exception, EvidenceBroken)
    assert "line 3: content and hash differ" in str(result.exception)


def test_archive_that_is_not_there_is_wrong_usage(tmp_path):
    """Exit code 2, as for every wrong call."""
    assert 2 == run("evidence", "verify", tmp_path / "none.jsonl").exit_code


def test_verify_opens_no_hub(tmp_path, monkeypatch):
    """Neither settings nor database nor contracts are needed."""
    monkeypatch.setenv("TONGBAN_ROOT", str(tmp_path))
    monkeypatch.setenv("TONGBAN_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    empty = tmp_path / "empty.jsonl"
    empty.touch()

    result = run("evidence", "verify", empty)

    assert 0 == result.exit_code
    assert "0 entries verify" in result.output
