"""`tongban evidence prove`, `check` and `seal`; configuration and leftovers around them."""

from __future__ import annotations

import json
import shutil

import psycopg
import pytest
from typer.testing import CliRunner

from tests.pipeline.city import ROOT
from tests.store.samples import PAYMENT
from tongban.cli import build
from tongban.evidence.configuration import note_configuration
from tongban.evidence.log import append_fact, append_records, export
from tongban.kernel.errors import ConfigInvalid
from tongban.orchestration.approval_watch import seal_now
from tongban.store.engine import open_engine, transaction
from tongban.store.leaves import LEAF_LENGTH

pytestmark = pytest.mark.postgres
RECORD = "00112233-4455-8677-8899-aabbccddeeff"


def run(*words: object):
    """One command in this process."""
    return CliRunner().invoke(build(), [str(word) for word in words])


@pytest.fixture
def installed(database_url, tmp_path, monkeypatch):
    """An installation on the test's database; gives an engine."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def kinds(engine):
    """What the log holds."""
    return [json.loads(line)["kind"] for line in export(engine)]


def test_proof_of_a_record_id_is_written_verified_and_noted(installed, tmp_path):
    """Who took a proof stands in the log."""
    leaf = bytes.fromhex(RECORD.replace("-", "")) + bytes(LEAF_LENGTH - 17) + b"n"
    with transaction(installed) as conn:
        append_records(conn, "load", PAYMENT.dataset, {"dataset": PAYMENT.dataset}, leaf)
    file = tmp_path / "proof.json"

    made = run("evidence", "prove", "--dataset", "payment", "--record-id", RECORD, "--file", file)
    verified = run("evidence", "verify", file, "--json")

    assert 0 == made.exit_code, made.output
    facts = json.loads(verified.stdout)
    assert ("proof", 1, None) == (facts["kind"], facts["entries"], facts["problem"])
    assert ["load", "configuration", "access"] == kinds(installed)


def test_proof_needs_a_key_or_a_record_id(installed):
    """Neither is no question."""
    result = run("evidence", "prove", "--dataset", "deed_tax_payment")

    assert isinstance(result.exception, ConfigInvalid)


def test_check_counts_entries_seals_and_remembered_seals(installed):
    """Everything in one call."""
    run("evidence", "seal")

    result = run("evidence", "check", "--json")

    assert 0 == result.exit_code, result.output
    facts = json.loads(result.stdout)
    assert (1, 1, 1, "none") == tuple(
        facts[name] for name in ("entries", "seals", "remembered_seals", "findings")
    )


def test_changed_file_is_one_entry_that_names_it(installed, tmp_path):
    """At the next start; a start without a change writes nothing."""
    root = tmp_path / "root"
    for folder in ("contracts", "mappings", "connectors/systems"):
        shutil.copytree(ROOT / folder, root / folder)
    note_configuration(installed, root)
    note_configuration(installed, root)
    changed, gone = root / "mappings/tax/deed_tax_payment.yaml", root / "mappings/codes/gender.csv"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    gone.unlink()

    note_configuration(installed, root)

    first, second = [json.loads(line)["subject"] for line in export(installed)]
    assert first["files"] == len(first["changed"])
    assert {"mappings/tax/deed_tax_payment.yaml", "mappings/codes/gender.csv"} == set(
        second["changed"]
    )
    assert second["changed"]["mappings/codes/gender.csv"] is None


def test_what_a_killed_process_left_is_sealed_by_the_triggerer(installed, database_url):
    """And by every hub that is opened and closed."""
    with transaction(installed) as conn:
        append_fact(conn, "approval", {})

    made = seal_now()

    with psycopg.connect(database_url) as conn:
        (last,) = conn.execute("SELECT max(last) FROM hub.evidence_seal").fetchone()
    assert (1, 2) == (made, last)
