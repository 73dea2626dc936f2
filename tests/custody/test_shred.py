"""Shredding: what was sealed is unreadable in every copy, and a certificate says what it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.custody.test_rotate import names_of, payers
from tests.store.samples import PAYMENT, payments
from tongban.custody import jobs
from tongban.custody.quiet import wait_for_writers
from tongban.custody.retention import expire
from tongban.custody.rotate import rotate
from tongban.custody.shred import Order, planned, shred
from tongban.evidence.log import check
from tongban.kernel.errors import ConfigInvalid, DatabaseUnavailable
from tongban.kernel.records import Page
from tongban.kernel.retention import Retention
from tongban.protect import KeyRing, KeyShredded, open_column
from tongban.protect.envelope import read_header
from tongban.store.engine import transaction

pytestmark = pytest.mark.postgres

ALL = Order("payment", None, with_current=False, ordered_by="keeper", reason="test")


@pytest.fixture
def years(keeper, tmp_path):
    """Payments stored in 2024, five changed in 2026; the ring's clock is in 2026."""
    year = [2024]
    ring = KeyRing.open(tmp_path / "keys", {}, today=lambda: date(year[0], 6, 1))
    keeper.keyring = keeper.store.keyring = ring
    keeper.store.load(payments(10), payments(1, start=50))
    year[0] = 2026
    keeper.store.load(payments(5, minutes=5, amount="99.00"))
    return keeper


def envelopes(keeper, table):
    """Record id and sealed name of every row, as a backup of the database would hold them."""
    return keeper.store.rows(f'SELECT record_id, payer_name FROM data."{table}"')


def test_a_year_is_unreadable_in_every_copy_and_current_records_live_on(years):
    """History of 2024 is gone, also from backups; who is still current was carried to 2026."""
    backup = envelopes(years, "payment_v1_history")
    before = payers(years)

    shred(years, replace(ALL, period="2024"))

    assert before == payers(years)
    for record_id, name in backup:
        with pytest.raises(KeyShredded, match="certificate"):
            open_column(years.keyring, [name], "payment", "payer_name", [record_id.bytes])
    assert [] == list(years.keyring.files.folder.glob("data.payment.2024*.json"))


def test_ids_versions_and_digests_stay_for_proofs(years):
    """The husk tells that there was a version and nothing of what it said."""
    question = "SELECT record_id, version, row_digest FROM data.payment_v1_history ORDER BY 1, 2"
    before = years.store.rows(question)

    shred(years, replace(ALL, period="2024"))

    assert before == years.store.rows(question)
    body = "ticket_no, payer_name, payer_id_no_index, paid_amount, paid_at"
    assert {(None,) * 5} == set(years.store.rows(f"SELECT {body} FROM data.payment_v1_history"))


def test_the_certificate_counts_what_was_and_is_in_the_log(years):
    """Keys, envelopes, versions, one digest over them, who ordered it and why."""
    expected = planned(years, replace(ALL, period="2024"))

    made = shred(years, replace(ALL, period="2024"))

    assert (5, "2024", "keeper") == (
        made["versions"]["data.payment_v1_history"],
        made["period"],
        made["ordered_by"],
    )
    assert expected["digests"] == made["digests"]
    assert 0 == sum(made["remaining_envelopes"].values())
    with transaction(years.engine) as conn:
        assert [made] == jobs.shreddings(conn)
    subject = years.store.one("SELECT subject FROM hub.evidence_entry WHERE kind = 'key_shredding'")
    assert made == subject
    assert 1 == check(years.engine)


def test_the_certificate_is_signed_where_there_is_a_signer(years):
    """By whoever signs the seals of the evidence."""
    made = shred(years, replace(ALL, period="2024"), lambda found: {**found, "signature": "00"})

    assert "00" == made["signature"]


def test_an_open_refused_row_of_that_year_is_closed(years):
    """Nobody could correct it any more; the audit never meets it."""
    shred(years, replace(ALL, period="2024"))

    assert ["replaced"] == [s for (s,) in years.store.rows("SELECT state FROM hub.quarantine")]


def test_with_current_the_records_go_too_and_only_newer_rows_bring_them_back(years):
    """The whole dataset is forgotten; what a department changes afterwards is new."""
    shred(years, replace(ALL, with_current=True))

    assert 0 == years.store.one("SELECT count(*) FROM data.payment_v1")
    assert 15 == years.store.one("SELECT count(*) FROM data.payment_v1_history")
    assert 10 == years.store.one("SELECT count(*) FROM hub.tombstone")
    again = years.store.load(payments(1, minutes=1))
    assert (0, 0, 1) == (again.new, again.changed, again.same)
    back = years.store.load(payments(1, minutes=60))
    assert (0, 1) == (back.new, back.changed)
    assert 4 == years.store.one("SELECT version FROM data.payment_v1")


def test_all_years_of_a_dataset_leave_the_current_records_readable(years):
    """They are under a new key; every older key is gone."""
    before = payers(years)
    old = {key.key_id for key in years.keyring.files.facts("payment")}

    shred(years, ALL)

    assert before == payers(years)
    (key,) = years.keyring.active_keys("payment")
    assert key.key_id not in old
    assert {key.key_id} == names_of(years) - old


def test_other_datasets_keep_their_keys(years):
    """Each has keys of its own."""
    years.keyring.sealing_key("sale")

    shred(years, ALL)

    assert ["active"] == [key.state for key in years.keyring.files.facts("sale")]


def test_raw_pages_go_with_the_year_in_which_they_came(years):
    """They hold the same people in plain order."""
    landing = years.landing.landing("tax", "payment", "1")
    landing.append(Page(number=1, body=b"<a/>", cursor="", next_cursor=None, declared_total=1))
    with transaction(years.engine) as conn:
        conn.execute(text("UPDATE hub.transfer SET landing = 'tax/payment/1'"))

    shred(years, ALL)

    assert [] == list(years.landing.sealed_files())
    assert 0 == years.store.one("SELECT count(*) FROM hub.transfer WHERE landing IS NOT NULL")


def test_a_period_without_keys_is_refused(years):
    """Nothing was sealed then."""
    with pytest.raises(ConfigInvalid, match="none of the period 2019"):
        shred(years, replace(ALL, period="2019"))


def test_a_shredded_key_is_not_made_again(years):
    """Its name stays taken, so that no reader mistakes another key for it."""
    (old,) = years.keyring.active_keys("payment", "2024")
    shred(years, replace(ALL, period="2024"))

    years.keyring.make(old.name)

    assert not years.keyring.files.path(old.name).exists()
    assert f"data.payment.2024-{old.number + 1:04d}" == years.keyring.next_name("payment", "2024")


def test_rotation_passes_over_what_was_shredded(years):
    """Refused rows of that year stay sealed for ever."""
    shred(years, replace(ALL, period="2024"))

    done = rotate(years, "payment")

    assert (0, 0) == (done.broken, done.remaining)


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from tongban.custody.shred import Order, shred
from tongban.protect import KeyRing
from tongban.pull import LandingStore
from tongban.store.engine import open_engine

url, keys, after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
lines = 0

def trace(frame, event, arg):
    global lines
    if not any(part in frame.f_code.co_filename for part in ("tongban/custody", "keyfiles")):
        return None
    lines += event == "line"
    if lines >= after:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

ring = KeyRing.open(keys, {}, today=lambda: date(2026, 6, 1))
store = LandingStore((keys / "none").as_uri(), seal=ring.seal, unseal=ring.unseal)
hub = SimpleNamespace(engine=open_engine(url), keyring=ring, landing=store)
sys.settrace(trace)
shred(hub, Order("payment", "2024", False, "keeper", "test"))
"""


@pytest.mark.slow
def test_killed_anywhere_the_certificate_still_counts_the_whole(years, database_url, tmp_path):
    """SIGKILL at lines spread over the whole job; current records are readable all the time."""
    before = payers(years)
    expected = planned(years, replace(ALL, period="2024"))
    killed = 0

    for after in (60, 180, 300, 420, 540, 660):
        program = [sys.executable, "-c", KILLED, database_url, str(tmp_path / "keys"), str(after)]
        ended = subprocess.run(program, capture_output=True, cwd=Path.cwd(), check=False)
        assert ended.returncode in {0, 1, -signal.SIGKILL}, ended.stderr.decode()
        killed += ended.returncode == -signal.SIGKILL
        years.keyring.forget([key for _, key in list(years.keyring._ciphers)])
        assert before == payers(years)
        if ended.returncode != -signal.SIGKILL:
            break

    with transaction(years.engine) as conn:
        done = jobs.shreddings(conn)
    made = done[0] if done else shred(years, replace(ALL, period="2024"))
    assert killed >= 4
    assert (expected["envelopes"], expected["digests"]) == (made["envelopes"], made["digests"])
    assert [] == list((tmp_path / "keys").glob("data.payment.2024*.json"))
    assert json.dumps(made)


def test_versions_older_than_their_term_lose_their_body(years):
    """Id and digest stay; what was replaced yesterday stays whole."""
    with transaction(years.engine) as conn:
        conn.execute(
            text("""UPDATE data.payment_v1_history SET replaced_at = now() - interval '40 days'
                     WHERE ticket_no < 'T000003'""")
        )
    contract = replace(PAYMENT, retention=Retention(history=30))

    assert ({"history": 3}, {"history": 0}) == (
        expire(years.engine, contract),
        expire(years.engine, contract),
    )

    assert 2 == years.store.one(
        "SELECT count(*) FROM data.payment_v1_history WHERE payer_name IS NOT NULL"
    )
    assert 5 == years.store.one("SELECT count(row_digest) FROM data.payment_v1_history")
    assert 10 == len(payers(years))
    assert 1 == years.store.one("SELECT count(*) FROM hub.evidence_entry WHERE kind = 'retention'")


def test_refused_rows_lose_their_body_after_they_were_closed_and_never_while_open(years):
    """A department may still correct an open one."""
    with transaction(years.engine) as conn:
        conn.execute(text("UPDATE hub.quarantine SET quarantined_at = now() - interval '9 years'"))
    contract = replace(PAYMENT, retention=Retention(quarantine=30))
    assert {"quarantine": 0} == expire(years.engine, contract)
    with transaction(years.engine) as conn:
        conn.execute(
            text("""UPDATE hub.quarantine SET state = 'replaced',
                    closed_at = now() - interval '31 days'""")
        )

    assert {"quarantine": 1} == expire(years.engine, contract)
    assert {"quarantine": 0} == expire(years.engine, contract)
    assert [(0, 16)] == years.store.rows(
        "SELECT length(row_sealed), length(row_digest) FROM hub.quarantine"
    )
    assert (0, 0) == ((done := rotate(years, "payment")).broken, done.remaining)


def test_without_a_term_nothing_goes(years):
    """Retention is opt-in, dataset by dataset."""
    assert {} == expire(years.engine, PAYMENT)


def test_the_key_of_a_shredded_envelope_is_named(years):
    """So that who meets one knows which certificate to ask for."""
    sealed = years.store.one("SELECT row_sealed FROM hub.quarantine")
    shred(years, replace(ALL, period="2024"))

    with pytest.raises(KeyShredded) as caught:
        years.keyring.unseal("x", sealed)

    assert read_header(sealed, "x")[1] == caught.value.context["key_id"]
    assert "period 2024" in str(caught.value)


def test_a_writer_that_sealed_before_the_order_is_waited_for(years):
    """What it commits a moment later is carried over with the rest, not lost."""
    made: list[dict[str, object]] = []
    order = replace(ALL, period="2024")
    shredder = threading.Thread(target=lambda: made.append(shred(years, order)))
    with transaction(years.engine) as conn:
        conn.execute(text("UPDATE hub.transfer SET run_id = 'writer'"))
        shredder.start()
        shredder.join(1.0)
        is_waiting = shredder.is_alive()
    shredder.join(30)

    assert (True, 1) == (is_waiting, len(made))


def test_a_writer_that_never_ends_stops_the_shredding_before_anything_is_destroyed(years):
    """Its rows would be unreadable."""
    with transaction(years.engine) as conn:
        conn.execute(text("UPDATE hub.transfer SET run_id = 'writer'"))

        with pytest.raises(DatabaseUnavailable, match="nothing was destroyed"):
            wait_for_writers(years.engine, patience_s=0.3)

    wait_for_writers(years.engine, patience_s=5)
    assert 10 == len(payers(years))
