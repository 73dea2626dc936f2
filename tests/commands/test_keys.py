"""`tongban keys …`: what the keeper of keys sees and does."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.store.samples import PAYMENT, Hub, payments
from tongban.cli import build
from tongban.evidence.signing import KEY_PURPOSE, open_signer
from tongban.kernel.errors import ConfigInvalid
from tongban.protect import KeyRing
from tongban.store.engine import open_engine
from tongban.store.migrate import migrate

pytestmark = pytest.mark.postgres


def run(*words: object):
    """One command in this process."""
    return CliRunner().invoke(build(), [str(word) for word in words])


def answer(*words: object):
    """The JSON document of a command that went well."""
    result = run(*words)
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def ring(database_url, tmp_path, monkeypatch):
    """The ring of an installation with three stored payments."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TONGBAN_MASTER_KEY", raising=False)
    engine = open_engine(database_url)
    migrate(engine, [PAYMENT])
    keyring = KeyRing.open(tmp_path / "home" / "keys", {})
    Hub(engine, keyring).load(payments(3))
    engine.dispose()
    return keyring


def test_status_shows_suite_master_key_and_every_key_but_no_secret(ring):
    """What an inspector asks first."""
    found = answer("keys", "status", "--count", "--json")

    assert ("international", "AES-256-GCM", "Ed25519", "file") == (
        found["suite"],
        found["sealing"],
        found["signatures"],
        found["master_key"]["kind"],
    )
    (payment,) = [key for key in found["keys"] if key["scope"] == "payment"]
    assert ("active", {"AES-256-GCM": 6}) == (payment["state"], payment["envelopes"])
    assert {} == found["unknown_keys"]
    secret = (ring.files.folder / "master.key").read_text().strip()
    assert secret not in run("keys", "status").stdout


def test_status_of_the_national_suite_says_that_sm2_is_off(ring, monkeypatch):
    """Never a silent replacement; `check` says it too."""
    monkeypatch.setenv("TONGBAN_CRYPTO_SUITE", "national")

    assert "SM2 is off" in answer("keys", "status", "--json")["signatures"]
    assert "SM2 is off" in answer("check", "--json")["signatures"]
    assert "SM4-GCM" in run("keys", "status").stdout


def test_rotation_retires_the_old_key_and_status_counts_the_new_one(ring):
    """One dataset."""
    (done,) = answer("keys", "rotate", "--dataset", "payment", "--json")

    assert (3, 0, 1) == (done["rows"], done["remaining"], len(done["retired"]))
    states = {
        key["state"]: key["envelopes"]
        for key in answer("keys", "status", "--count", "--json")["keys"]
        if key["scope"] == "payment"
    }
    assert {"retired": {}, "active": {"AES-256-GCM": 6}} == states


def test_without_a_dataset_every_scope_that_has_keys_is_rotated(ring):
    """And one line for each."""
    ring.sealing_key("hub")

    result = run("keys", "rotate")

    assert 0 == result.exit_code
    assert {"✓ payment: 3 rows, 1 keys retired", "✓ hub: 0 rows, 1 keys retired"} == set(
        result.stdout.splitlines()
    )


def test_a_dataset_that_is_not_stored_is_refused_with_a_suggestion(ring):
    """A typo never shreds or rotates something else."""
    result = run("keys", "rotate", "--dataset", "paiment")

    assert isinstance(result.exception, ConfigInvalid)
    assert 'did you mean "payment"' in str(result.exception)


def test_shredding_without_yes_does_nothing(ring):
    """It says what would go."""
    words = ("--dataset", "payment", "--by", "li.si", "--reason", "term is over")

    result = run("keys", "shred", *words)

    assert 0 == result.exit_code
    assert '"data.payment_v1": 6' in result.stdout
    assert [] == answer("keys", "certificates")
    assert ["active"] == [key.state for key in ring.files.facts("payment")]


def test_the_certificate_is_signed_printed_written_and_kept(ring, tmp_path):
    """By the key that signs the seals."""
    file = tmp_path / "certificate.json"
    words = ("--dataset", "payment", "--by", "li.si", "--reason", "term", "--with-current")

    made = answer("keys", "shred", *words, "--yes", "--certificate", file)

    assert made == json.loads(file.read_text())
    assert [made] == answer("keys", "certificates")
    assert open_signer(ring.derived(KEY_PURPOSE)).key == made["key"]
    assert 128 == len(made["signature"])
    assert "shredded" in {key.state for key in ring.files.facts("payment")}


def test_rewrapping_exchanges_the_master_key_in_its_file(ring):
    """One call; what is stored stays readable."""
    before = (ring.files.folder / "master.key").read_text()

    result = run("keys", "rewrap")

    assert 0 == result.exit_code, result.output
    assert before != (ring.files.folder / "master.key").read_text()
    assert 0 == answer("keys", "status", "--json")["rewrap_waiting"]


def test_a_master_key_elsewhere_is_exchanged_in_two_steps(ring, tmp_path, monkeypatch):
    """The new one is written where the keeper says, put in place by a person, then finished."""
    old = (ring.files.folder / "master.key").read_text().strip()
    monkeypatch.setenv("TONGBAN_MASTER_KEY", old)
    assert isinstance(run("keys", "rewrap").exception, ConfigInvalid)

    first = run("keys", "rewrap", "--new-key-file", tmp_path / "new.key")
    assert 0 == first.exit_code, first.output
    assert 0 < answer("keys", "status", "--json")["rewrap_waiting"]
    monkeypatch.setenv("TONGBAN_MASTER_KEY", (tmp_path / "new.key").read_text().strip())
    second = run("keys", "rewrap", "--finish")

    assert 0 == second.exit_code, second.output
    assert 0 == answer("keys", "status", "--json")["rewrap_waiting"]
