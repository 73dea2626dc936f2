"""`tongban compare`: people come from a file or a pipe, and only row numbers and answers go out."""

from __future__ import annotations

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from tests.compare.places import ASKER, PURPOSE, civil_affairs, pair, rows_of
from tongban.cli import build
from tongban.kernel.errors import TongbanError

pytestmark = pytest.mark.postgres

WORDS = ["compare", "civil_affairs", "marriage", "--purpose", PURPOSE, "--asker", ASKER]
PAIRS = [pair(n) for n in range(6)]


@pytest.fixture
def home(tmp_path, database_url, monkeypatch):
    """An installation that is connected to a fake of civil affairs."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path))
    with civil_affairs(tmp_path, database_url):
        yield tmp_path


def table(pairs, **more):
    """Pairs as CSV, as a spreadsheet writes it."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*pairs[0], *more])
    writer.writeheader()
    writer.writerows({**one, **more} for one in pairs)
    return "\ufeff" + stream.getvalue()


def run(*words, typed=None):
    """Run the command."""
    return CliRunner().invoke(build(), [*WORDS, *words], input=typed)


def test_a_table_brings_row_numbers_and_answers_and_nothing_else(home, database_url):
    """What stands in the file is not repeated."""
    (home / "pairs.csv").write_text(table(PAIRS), encoding="utf-8")

    result = run("--file", str(home / "pairs.csv"), "--case", "C-7")

    assert 0 == result.exit_code, result.output
    lines = result.stdout.splitlines()
    assert "row,answer" == lines[0]
    assert [str(n) for n in range(1, 7)] == [line.split(",")[0] for line in lines[1:]]
    assert {line.split(",")[1] for line in lines[1:]} <= {"yes", "no", "unknown"}
    assert not [v for one in PAIRS for v in one.values() if v in result.output]
    assert {"C-7"} == {row["case_no"] for row in rows_of(database_url)}


def test_json_from_a_pipe_brings_receipts_and_proofs(home, database_url):
    """A case number of the row's own goes before that of the command."""
    asked = [PAIRS[0], {**PAIRS[1], "case_no": "C-2"}]

    result = run(
        "--file", "-", "--case", "C-1", "--request", "R-9", "--json", typed=json.dumps(asked)
    )

    assert 0 == result.exit_code, result.output
    document = json.loads(result.stdout)
    assert "R-9" == document["request"]
    assert {"row", "answer", "receipt", "receipt_no", "proof"} == set(document["answers"][0])
    assert {"C-1", "C-2"} == {row["case_no"] for row in rows_of(database_url)}
    assert {one["receipt"] for one in document["answers"]} == {
        str(row["comparison_id"]) for row in rows_of(database_url)
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"[{", "not valid JSON"),
        (b'[{"id_a": 1}]', "row 1 is no mapping of names to text"),
        (b"id_a,id_b\n1", "row 1 is longer or shorter than the header"),
        (b'id_a\n"62089919', "row 1 is no CSV"),
        (b"", "there is no question"),
        (",".join(PAIRS[0].values()).encode() + b"\n" + b"x,x,x,x", "4 fields that are not asked"),
    ],
)
def test_a_file_that_cannot_be_asked_is_told_without_its_content(home, content, message):
    """Exit code 1; nothing is asked."""
    (home / "pairs").write_bytes(content)

    result = run("--file", str(home / "pairs"))

    assert 1 == result.exit_code
    assert isinstance(result.exception, TongbanError)
    assert message in str(result.exception)
    assert not [v for v in PAIRS[0].values() if v in str(result.exception)]
    assert "row,answer" not in result.stdout


def test_there_is_no_way_to_name_a_person_on_the_command_line(home):
    """The list of processes and the shell's history are no place for anybody."""
    result = run("--id-a", PAIRS[0]["id_a"])

    assert 2 == result.exit_code
