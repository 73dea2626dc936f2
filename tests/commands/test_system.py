"""`tongban system check` and `tongban system try` against real servers."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.connectors.serving import raw_serving, serving
from tests.onboarding.conftest import SYSTEMS, small_city, street  # noqa: F401 - fixtures
from tongban.cli import build
from tongban.kernel.errors import ConfigInvalid

ROOT = Path(__file__).parents[2]


def run(*words: object):
    """One command in this process."""
    return CliRunner().invoke(build(), [str(word) for word in words])


def steps(*words: object) -> dict[str, dict[str, str]]:
    """The points of one check by name (and dataset), from its JSON."""
    found = json.loads(run("system", "check", *words, "--json").stdout)
    return {f"{s['name']} {s['dataset']}".strip(): s for s in found["steps"]}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_running_department_passes_its_check(street, name):  # noqa: F811
    """Six protocols, one command, exit code 0."""
    street.connect(name)

    result = run("system", "check", name, "--json")

    found = json.loads(result.stdout)
    assert 0 == result.exit_code, result.stdout
    assert found["is_right"]
    assert set() == {s["name"] for s in found["steps"] if s["state"] == "failed"}
    assert {"ok"} == {s["state"] for s in found["steps"] if s["name"] in {"clock", "charset"}}


def test_the_table_says_the_same_for_people(street):  # noqa: F811
    """Without --json there is a table."""
    street.connect("housing")

    result = run("system", "check", "housing")

    assert 0 == result.exit_code
    assert "authenticate" in result.stdout


def test_wrong_password_is_named_and_fails(street):  # noqa: F811
    """The point `authenticate` fails with our error code."""
    street.connect("housing", password="wrong")

    result = run("system", "check", "housing", "--json")

    found = {s["name"]: s for s in json.loads(result.stdout)["steps"]}
    assert 1 == result.exit_code
    assert ("failed", "fatal.authentication_refused") == (
        found["authenticate"]["state"],
        found["authenticate"]["code"],
    )


def test_a_refused_identity_is_not_tried_for_every_dataset(street):  # noqa: F811
    """Accounts get locked by less."""
    street.connect("registration", login="wrong")

    found = json.loads(run("system", "check", "registration", "--json").stdout)["steps"]

    states = [s["state"] for s in found if s["name"] == "rows"]
    assert ["failed", "skipped", "skipped"] == states


def test_nobody_listening_is_named_and_nothing_else_is_tried(street):  # noqa: F811
    """A closed port ends the check at `reach`."""
    street.connect("housing", base_url="http://127.0.0.1:9")

    found = steps("housing")

    assert "failed" == found["reach"]["state"]
    assert "authenticate" not in found


def test_missing_connection_is_a_point_of_the_check(street):  # noqa: F811, ARG001
    """It says where connections are looked for."""
    assert "fatal.credentials_missing" == steps("housing")["connection"]["code"]


def test_changed_pinned_wsdl_stops_before_the_first_call(street, tmp_path, monkeypatch):  # noqa: F811
    """Another digest than the pinned one: nothing is asked."""
    for name in ("connectors/systems", "connectors/wsdl", "mappings", "contracts"):
        shutil.copytree(ROOT / name, tmp_path / "root" / name)
    wsdl = tmp_path / "root/connectors/wsdl/TaxExchange.wsdl"
    wsdl.write_bytes(wsdl.read_bytes() + b"\n")
    monkeypatch.setenv("TONGBAN_ROOT", str(tmp_path / "root"))
    street.connect("tax")

    found = steps("tax")

    assert "fatal.interface_changed" == found["pinned wsdl"]["code"]
    assert "skipped" == found["authenticate"]["state"]


def test_a_clock_that_is_ten_minutes_off_is_found(street):  # noqa: F811
    """The Date header of the answers tells."""
    body = b'{"code": "0000", "data": {"total": 0, "list": []}}'
    head = f"HTTP/1.1 200 OK\r\nDate: Thu, 01 Oct 2026 00:00:00 GMT\r\nContent-Length: {len(body)}"

    with raw_serving(lambda link: link.sendall(head.encode() + b"\r\n\r\n" + body)) as server:
        street.connect("housing", base_url=server.url)
        found = steps("housing")

    assert "failed" == found["clock"]["state"]


def test_try_shows_masked_rows_with_source_and_target(street):  # noqa: F811
    """Names and numbers of people are masked on both sides."""
    street.connect("tax")

    result = run("system", "try", "tax", "deed_tax_payment", "--rows", 3, "--json")

    assert 0 == result.exit_code, result.output
    found = json.loads(result.stdout)
    assert 3 == len(found["rows"])
    row = found["rows"][0]
    assert re.fullmatch(r"620899\*{8}.{4}|\S\*+\S*", row["target"]["payer_id_no"])
    assert not re.search(r"620899[0-9]{11}[0-9X]", result.stdout)
    assert row["target"]["ticket_no"] == row["source"]["DZSPHM"]
    assert "***" == row["target"]["tax_base"] == row["source"]["JSJE"]


def test_try_shows_rows_inside_the_pages_of_another_dataset(street):  # noqa: F811
    """Right holders come out of the pages of their rights."""
    street.connect("registration")

    result = run("system", "try", "registration", "right_holder", "--json")

    assert 0 == result.exit_code, result.output
    assert all("*" in row["target"]["name"] for row in json.loads(result.stdout)["rows"])


def test_try_names_the_rule_that_a_row_breaks(street):  # noqa: F811
    """A contract's findings stand beside the row; no accepted row means exit code 1."""
    row = {"contractNo": "", "changedAt": "2026-13-01 00:00:00"}
    body = json.dumps({"code": "0000", "data": {"total": 1, "list": [row]}}).encode()
    with serving(lambda _a: (200, {"Content-Type": "application/json"}, body)) as server:
        street.connect("housing", base_url=server.url)
        result = run("system", "try", "housing", "sale_contract", "--json")

    (shown,) = json.loads(result.stdout)["rows"]
    assert 1 == result.exit_code
    assert "quarantined" == shown["outcome"]
    assert "contract_no.required" in {item["rule"] for item in shown["findings"]}


def test_try_prints_a_table_for_people(street):  # noqa: F811
    """One table per row; nothing was stored."""
    street.connect("social")

    result = run("system", "try", "social", "person_insurance", "--rows", 2)

    assert 0 == result.exit_code, result.output
    assert "nothing was stored" in result.stdout


def test_unknown_system_is_refused_with_a_suggestion():
    """As everywhere."""
    result = run("system", "check", "housng")

    assert isinstance(result.exception, ConfigInvalid)
    assert 'did you mean "housing"' in str(result.exception)


def test_check_compiles_what_goes_out_and_what_the_hub_makes(tmp_path, monkeypatch):
    """An operation that no outgoing mapping has is found by `tongban check`."""
    for name in ("connectors/systems", "connectors/wsdl", "mappings", "contracts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    push = tmp_path / "mappings/tax/sale_contract.push.yaml"
    push.write_text(push.read_text().replace("percent_text", "percent_txt"))
    monkeypatch.setenv("TONGBAN_ROOT", str(tmp_path))

    result = run("check", "--json")

    assert 1 == result.exit_code
    assert any("percent_txt" in line for line in json.loads(result.stdout)["problems"])


@pytest.fixture
def faked(tmp_path, monkeypatch):
    """A running `system fake housing` with its first line, in a home of its own."""
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    command = [
        sys.executable,
        "-m",
        "tongban",
        "system",
        "fake",
        "housing",
        "--rows",
        "7",
        "--json",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_fake_serves_until_interrupted_and_its_file_connects_the_hub(faked, monkeypatch):
    """The printed file, put into the environment, is all that check and try need."""
    process, told = faked
    account = Path(told["connection"])
    monkeypatch.setenv("TONGBAN_CONN_HOUSING", account.read_text(encoding="utf-8"))

    checked = run("system", "check", "housing", "--json")
    tried = run("system", "try", "housing", "sale_contract", "--json")
    process.send_signal(signal.SIGINT)

    assert 0 == checked.exit_code, checked.stdout
    assert {"sale_contract": 7, "house_unit": 7} == told["accepted"]
    assert 7 == json.loads(tried.stdout)["declared_total"]
    assert 0o600 == account.stat().st_mode & 0o777
    assert 130 == process.wait(10)
