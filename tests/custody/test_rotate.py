"""Rotation: new keys for what is stored, while the hub goes on, whatever kills it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text

from tests.store.samples import PAYMENT, payments
from tongban.custody import reseal
from tongban.custody.places import places_of
from tongban.custody.rotate import rotate
from tongban.evidence.log import check
from tongban.kernel.errors import EnvelopeBroken
from tongban.kernel.records import Page
from tongban.protect import KeyRing, Vault, open_quarantine
from tongban.store.engine import transaction

pytestmark = pytest.mark.postgres


def names_of(keeper, scope="payment"):
    """Key ids that stored envelopes name."""
    with transaction(keeper.engine) as conn:
        return {key for _, key in reseal.count_keys(conn, places_of(conn, scope))}


def payers(keeper, table="payment_v1"):
    """Every stored name, opened, by ticket and version."""
    columns = "record_id, ticket_no, payer_name, payer_id_no, version"
    with keeper.engine.connect() as conn:
        rows = conn.execute(text(f'SELECT {columns} FROM data."{table}"')).all()
    frame = pl.DataFrame(
        {
            "record_id": [row.record_id.bytes for row in rows],
            "payer_name": [row.payer_name for row in rows],
            "payer_id_no": [row.payer_id_no for row in rows],
        },
        schema=dict.fromkeys(("record_id", "payer_name", "payer_id_no"), pl.Binary),
    )
    opened = Vault(keeper.keyring).open_rows(frame, PAYMENT, ("payer_name", "payer_id_no"))
    return {
        (row.ticket_no, row.version): plain for row, plain in zip(rows, opened.rows(), strict=True)
    }


@pytest.fixture
def stored(keeper):
    """Ten payments, five of them in a second version, and one refused row."""
    keeper.store.load(payments(10))
    keeper.store.load(payments(5, minutes=5, amount="99.00"), payments(1, start=50))
    return keeper


def test_every_envelope_names_the_new_key_and_opens_to_what_it_was(stored):
    """Table, history and quarantine."""
    before = payers(stored), payers(stored, "payment_v1_history")
    (old,) = names_of(stored)

    done = rotate(stored, "payment")

    assert (10 + 5 + 1, 0, 0) == (done.rows, done.broken, done.remaining)
    (new,) = names_of(stored)
    assert old != new
    assert before == (payers(stored), payers(stored, "payment_v1_history"))
    key, sealed = stored.store.rows("SELECT key_index, row_sealed FROM hub.quarantine")[0]
    assert (
        "T000050"
        == open_quarantine(stored.keyring, "payment", key.bytes, sealed)["record"]["ticket_no"]
    )


def test_ids_digests_and_indexes_stay_as_they_are(stored):
    """Nothing looks new, and nothing is delivered a second time."""
    question = (
        "SELECT record_id, row_digest, payer_id_no_index, version FROM data.payment_v1 ORDER BY 1"
    )
    before = stored.store.rows(question)

    rotate(stored, "payment")

    assert before == stored.store.rows(question)
    assert (5, 5, 0) == (
        (again := stored.store.load(payments(10, minutes=9))).same,
        again.changed,
        again.new,
    )


def test_the_old_key_is_retired_with_its_count_as_proof(stored):
    """Only after no envelope names it; it still opens what a backup holds."""
    (old,) = stored.keyring.active_keys("payment")

    rotate(stored, "payment")

    states = {key.name: key.state for key in stored.keyring.files.facts("payment")}
    assert "retired" == states.pop(old.name)
    assert ["active"] == list(states.values())
    proof = stored.keyring.files.mark_of(old.name, ".retired")
    assert {"data.payment_v1", "data.payment_v1_history", "hub.quarantine"} == set(proof["counted"])
    assert 0 == sum(proof["counted"].values())


def test_the_log_of_evidence_has_an_entry(stored):
    """Which keys, how many rows, and what was counted."""
    rotate(stored, "payment")

    (subject,) = stored.store.rows(
        "SELECT subject FROM hub.evidence_entry WHERE kind = 'key_rotation'"
    )[0]
    assert ("payment", 16) == (subject["scope"], subject["rows"])
    assert 1 == check(stored.engine)


def test_years_are_never_mixed(keeper, tmp_path):
    """Else a year could not be shredded alone."""
    year = [2025]
    ring = KeyRing.open(tmp_path / "years", {}, today=lambda: date(year[0], 6, 1))
    keeper.keyring = keeper.store.keyring = ring
    keeper.store.load(payments(3))
    year[0] = 2026
    keeper.store.load(payments(2, start=10))

    rotate(keeper, "payment")

    by_period = {key.key_id: key.period for key in ring.active_keys("payment")}
    with transaction(keeper.engine) as conn:
        counted = reseal.count_keys(conn, places_of(conn, "payment"))
    assert {"2025": 6, "2026": 4} == {by_period[key]: n for (_, key), n in counted.items()}


def test_the_national_suite_takes_over_what_was_sealed_before(stored, tmp_path):
    """One column holds both until it is rotated."""
    before = payers(stored)
    national = KeyRing.open(tmp_path / "keys", {"TONGBAN_CRYPTO_SUITE": "national"})
    stored.keyring = stored.store.keyring = national
    stored.store.load(payments(2, start=20))
    with transaction(stored.engine) as conn:
        mixed = {algorithm for algorithm, _ in reseal.count_keys(conn, places_of(conn, "payment"))}

    rotate(stored, "payment")

    with transaction(stored.engine) as conn:
        after = {algorithm for algorithm, _ in reseal.count_keys(conn, places_of(conn, "payment"))}
    assert ({1, 2}, {2}) == (mixed, after)
    assert before.items() <= payers(stored).items()


def test_a_broken_envelope_stays_and_keeps_its_key(stored):
    """To seal it anew would hide who broke it; the others go on."""
    with transaction(stored.engine) as conn:
        conn.execute(
            text("""UPDATE data.payment_v1 SET payer_name = set_byte(payer_name, 20,
                    get_byte(payer_name, 20) # 1) WHERE ticket_no = 'T000007'""")
        )

    done = rotate(stored, "payment")

    assert (1, 2) == (done.broken, done.remaining)
    assert () == done.retired
    with pytest.raises(EnvelopeBroken):
        payers(stored)


def test_a_scope_without_keys_has_nothing_to_rotate(keeper):
    """A dataset that was never pulled."""
    assert rotate(keeper, "sale") is None


def test_landed_pages_get_the_hubs_new_key(keeper):
    """They are replayed afterwards as before."""
    landing = keeper.landing.landing("tax", "payment", "1")
    landing.append(Page(number=1, body=b"<a/>", cursor="", next_cursor=None, declared_total=1))
    landing.keep_unreadable(b"?")
    landing.close(since=None, until="2026-01-01")
    (old,) = keeper.keyring.active_keys("hub")

    done = rotate(keeper, "hub")

    assert (3, 0) == (done.rows, done.remaining)
    assert (old.name,) == done.retired
    assert [b"<a/>"] == [page.body for page in landing.pages()]
    assert [b"?"] == list(landing.unreadable())


KILLED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from tongban.custody import reseal
from tongban.custody.rotate import rotate
from tongban.protect import KeyRing
from tongban.store.engine import open_engine

url, keys, after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
reseal.CHUNK_ROWS = 3
counts = {"line": 0}

def trace(frame, event, arg):
    if not any(part in frame.f_code.co_filename for part in ("tongban/custody", "keyfiles")):
        return None
    counts["line"] += event == "line"
    if counts["line"] >= after:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
ring = KeyRing.open(keys, {})
rotate(SimpleNamespace(engine=open_engine(url), keyring=ring, landing=None), "payment")
"""


@pytest.mark.slow
def test_killed_anywhere_it_goes_on_and_nothing_is_lost(stored, database_url, tmp_path):
    """SIGKILL at lines spread over the whole job, again and again."""
    before = payers(stored), payers(stored, "payment_v1_history")
    killed = 0

    for after in (40, 200, 320, 400, 700, 1000, 1400, 1900, 2300):
        program = [sys.executable, "-c", KILLED, database_url, str(tmp_path / "keys"), str(after)]
        ended = subprocess.run(program, capture_output=True, cwd=Path.cwd(), check=False)
        assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr.decode()
        killed += ended.returncode != 0
        assert before == (payers(stored), payers(stored, "payment_v1_history"))

    done = rotate(stored, "payment")
    assert killed >= 5
    assert (0, 1) == (done.remaining, len(names_of(stored)))
    assert 0 == stored.store.one("SELECT count(*) FROM hub.key_job WHERE state = 'running'")
    assert before == (payers(stored), payers(stored, "payment_v1_history"))


def test_loads_go_on_meanwhile(keeper, monkeypatch):
    """A load that changes the very rows loses nothing, and no old envelope stays."""
    monkeypatch.setattr(reseal, "CHUNK_ROWS", 7)
    keeper.store.load(payments(200))
    failures: list[BaseException] = []

    def load_again() -> None:
        try:
            for minutes in range(1, 9):
                keeper.store.load(payments(200, minutes=minutes, amount=f"{minutes}.00"))
        except BaseException as exc:  # noqa: BLE001 - shown below
            failures.append(exc)

    loader = threading.Thread(target=load_again)
    loader.start()
    rounds = 0
    while loader.is_alive() or rounds == 0:
        done = rotate(keeper, "payment")
        assert 0 == done.broken
        rounds += 1
    loader.join()
    rotate(keeper, "payment")

    assert [] == failures
    assert (1, 200) == (len(names_of(keeper)), len(payers(keeper)))
    assert 9 * 200 == len(payers(keeper)) + len(payers(keeper, "payment_v1_history"))
