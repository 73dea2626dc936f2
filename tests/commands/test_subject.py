"""`tongban subject`: a number may be asked for instead of standing on the command line."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tongban.cli import build

NUMBER = "11010519491231002X"


@pytest.mark.postgres
def test_a_number_that_is_typed_in_is_neither_argument_nor_output(
    database_url, tmp_path, monkeypatch
):
    """The list of processes and the shell's history are no place for somebody's number."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    words = ["subject", "-", "--purpose", "受理号 620826112400000134"]

    result = CliRunner().invoke(build(), words, input=f"{NUMBER}\n")

    assert 0 == result.exit_code, result.output
    assert "known nowhere" in result.output
    assert NUMBER not in result.output
