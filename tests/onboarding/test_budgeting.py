"""`system check` and `system try` count their calls where the workers count theirs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from connectors.budget import ledger_key
from tests.connectors.serving import JSON, ok, rest_system, serving
from tests.onboarding.conftest import street  # noqa: F401 - a fixture
from tongban.cli import build
from tongban.hub import open_hub
from tongban.kernel.connections import Connection, Connections
from tongban.kernel.errors import OutsideBudget, TongbanError
from tongban.kernel.ledger import LedgerState, Limits, MemoryLedger
from tongban.kernel.settings import load_settings
from tongban.onboarding.asking import asking, first_page, window
from tongban.onboarding.budgeting import shared_ledger
from tongban.onboarding.plain_http import is_plain, open_secrets
from tongban.store.ledger import PostgresLedger

ROOT = Path(__file__).parents[2]
TIGHT = {"requests_per_second": 1000, "concurrent": 1, "total_timeout_s": 0.2}


def settings(tmp_path, url):
    """An installation with that database."""
    made = load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path)})
    return replace(made, database_url=url)


def state(database_url: str, system: str, address: str) -> LedgerState:
    """What the shared ledger holds of a system."""
    with psycopg.connect(database_url) as conn:
        row = conn.execute(
            "SELECT state FROM hub.budget_ledger WHERE system = %s", [ledger_key(system, address)]
        ).fetchone()
    return LedgerState(**row[0]) if row else LedgerState()


def test_a_slot_that_a_worker_holds_is_not_taken_by_a_trial(tmp_path, database_url):
    """One call at a time means one, whoever makes it."""
    system = rest_system(budget=TIGHT)
    with (
        serving(lambda _asked: ok([{"id": "1"}])) as server,
        shared_ledger(settings(tmp_path, database_url)) as (ledger, is_shared),
    ):
        key = ledger_key("fund", server.url)
        limits = Limits(gap_s=0, slots=1, failures=5, open_s=60, hold_s=60)
        held = ledger.enter(key, limits)
        with asking(system, Connection("fund", server.url), ROOT, rows=1, ledger=ledger) as asked:
            with pytest.raises(OutsideBudget, match="other workers held"):
                first_page(asked.connector, "account", window(None))
            assert [] == server.asked
            ledger.leave(key, held.token or "", "silent", limits)
            assert first_page(asked.connector, "account", window(None)) is not None

    assert is_shared
    assert isinstance(ledger, PostgresLedger)


def test_the_rows_of_a_trial_count_for_the_night_of_all(tmp_path, database_url):
    """A trial that reads the last rows leaves none for the workers."""
    system = rest_system(budget={"rows_per_night": 1}, dataset={"call": {"path": "/accounts"}})
    with (
        serving(lambda _asked: ok([{"id": "1"}])) as server,
        shared_ledger(settings(tmp_path, database_url)) as (ledger, _),
        asking(system, Connection("fund", server.url), ROOT, rows=1, ledger=ledger) as asked,
    ):
        first_page(asked.connector, "account", window(None))
        with pytest.raises(OutsideBudget, match="used up by all workers"):
            first_page(asked.connector, "account", window(None))

    assert 1 == len(server.asked)
    assert 1 == state(database_url, "fund", server.url).rows


@pytest.mark.parametrize(
    "url", [None, "postgresql://nobody@127.0.0.1:9/none"], ids=["none", "away"]
)
def test_without_a_database_a_trial_counts_by_itself(tmp_path, url):
    """And says so; a department may be looked at before the hub has a database."""
    with shared_ledger(settings(tmp_path, url)) as (ledger, is_shared):
        assert not is_shared
        assert isinstance(ledger, MemoryLedger)


def test_a_database_that_was_never_migrated_has_no_ledger(tmp_path, empty_database_url):
    """Its tables are not there."""
    with shared_ledger(settings(tmp_path, empty_database_url)) as (_, is_shared):
        assert not is_shared


def test_the_command_shares_the_ledger_of_the_hub(street, database_url, monkeypatch):  # noqa: F811
    """Reach, and every call of the check, stand in the hub's table."""
    street.connect("housing")
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)

    found = json.loads(CliRunner().invoke(build(), ["system", "check", "housing", "--json"]).stdout)

    folder = load_settings().connections_dir
    kept = state(database_url, "housing", Connections(folder).get("housing").base_url)
    assert found["shares_budget"]
    assert kept.next_at > 0
    assert {} == kept.slots


def test_outside_the_hours_not_even_a_connection_is_opened(street, tmp_path, monkeypatch):  # noqa: F811
    """The hard stop holds for people, too."""
    for name in ("connectors/systems", "connectors/wsdl", "mappings", "contracts"):
        shutil.copytree(ROOT / name, tmp_path / "root" / name)
    path = tmp_path / "root/connectors/systems/housing.yaml"
    now = window(None).until
    hour = (now.hour + 6) % 24
    text = path.read_text(encoding="utf-8")
    begin = text.index("  hours:") if "  hours:" in text else -1
    span = f'  hours: [{{from: "{hour:02d}:00", to: "{(hour + 1) % 24:02d}:00"}}]\n'
    if begin >= 0:
        text = text[:begin] + span + text[text.index("\n", begin) + 1 :]
    else:
        text = text.replace("budget:\n", f"budget:\n{span}")
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("TONGBAN_ROOT", str(tmp_path / "root"))
    with serving(lambda _asked: (200, JSON, b"{}")) as server:
        street.connect("housing", base_url=server.url)
        found = json.loads(
            CliRunner().invoke(build(), ["system", "check", "housing", "--json"]).stdout
        )
        assert [] == server.asked

    steps = {s["name"]: s for s in found["steps"]}
    assert ("failed", OutsideBudget.code) == (steps["reach"]["state"], steps["reach"]["code"])
    assert "rows" not in steps


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("http://fund.example.invalid", True),
        ("HTTP://10.0.0.5:8080", True),
        ("https://fund.example.invalid", False),
        ("http://127.0.0.1:9", False),
        ("http://localhost", False),
    ],
)
def test_plain_is_http_to_another_machine(address, plain):
    """Nobody is between a machine and itself."""
    assert plain == is_plain(address)


@pytest.mark.parametrize(
    ("auth", "kinds"),
    [
        ({"kind": "basic"}, ["basic"]),
        ([{"kind": "api_key"}, {"kind": "none"}], ["api_key"]),
        ({"kind": "oauth2_client_credentials", "token_path": "/t"}, ["oauth2_client_credentials"]),
        ({"kind": "ws_security_username", "password": "text"}, ["ws_security_username"]),
        ({"kind": "ws_security_username"}, []),
        ({"kind": "none"}, []),
    ],
)
def test_identities_whose_secret_travels_are_known(auth, kinds):
    """A signature shows no secret."""
    assert kinds == open_secrets(rest_system(interface={"auth": auth}))


def test_the_check_of_everything_warns_of_a_secret_over_plain_http(street):  # noqa: F811
    """It is no error: exit code 0, and the line names file, identity and connection."""
    street.connect("market", base_url="http://market.example.invalid")

    result = CliRunner().invoke(build(), ["check", "--json"])

    warnings = json.loads(result.stdout)["warnings"]
    (warning,) = [said for said in warnings if "http" in said]
    assert 0 == result.exit_code
    assert "connectors/systems/market.yaml" in warning
    assert "plain http" in warning


def test_a_hub_that_cannot_be_opened_keeps_no_connection(tmp_path, database_url):
    """Otherwise every failed try holds one until the process ends."""
    broken = settings(tmp_path, database_url)
    broken.keys_dir.parent.mkdir(parents=True, exist_ok=True)
    broken.keys_dir.write_text("no folder", encoding="utf-8")

    with pytest.raises((TongbanError, OSError)):
        open_hub(broken)

    name = database_url.rpartition("/")[2]
    with psycopg.connect(database_url) as conn:
        (open_now,) = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        ).fetchone()
    assert 0 == open_now
