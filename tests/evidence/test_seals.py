"""Seals: they cover everything once, remember it outside, and nobody waits for them."""

from __future__ import annotations

import json
import threading
import time
from operator import itemgetter

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.evidence.samples import SIGNER, append_some, archive_of, sealed_log
from tongban.evidence import seals
from tongban.evidence.checking import check_all
from tongban.evidence.heads import EvidenceRolledBack, Head, Heads
from tongban.evidence.log import _insert, append, append_fact, export, listen
from tongban.evidence.sealer import Sealer
from tongban.evidence.seals import read_seals, seal_all, seal_of
from tongban.evidence.signing import SM2, SignerAbsent, is_available, open_signer
from tongban.evidence.verify import GENESIS, merkle_root, verify_archive
from tongban.kernel.errors import EvidenceBroken
from tongban.store.engine import transaction

pytestmark = pytest.mark.postgres

TABLES = ("evidence_entry", "evidence_leaves", "evidence_seal", "evidence_key")


def spans(engine):
    """First and last entry of every seal."""
    with transaction(engine) as conn:
        return [(seal["first"], seal["last"]) for seal in read_seals(conn)]


def as_owner(engine, *statements):
    """Do what only an owner can who takes his own locks away."""
    with engine.begin() as conn:
        for table in TABLES:
            conn.execute(text(f"GRANT ALL ON hub.{table} TO CURRENT_USER"))
            conn.execute(text(f"ALTER TABLE hub.{table} DISABLE TRIGGER ALL"))
        for statement in statements:
            conn.execute(text(statement))


def test_every_entry_is_under_one_seal(engine, tmp_path):
    """Without gaps, without overlap."""
    sealed_log(engine, tmp_path, 3, 2, 1)

    assert [(1, 3), (4, 5), (6, 6)] == spans(engine)


def test_nothing_new_gives_no_seal(engine, tmp_path):
    """An idle hub writes nothing."""
    heads = sealed_log(engine, tmp_path, 1)

    assert 0 == seal_all(engine, SIGNER, heads)


def test_a_long_log_from_before_seals_is_sealed_in_pieces(engine, tmp_path, monkeypatch):
    """Old installations get seals over everything they have."""
    monkeypatch.setattr(seals, "MOST_ENTRIES", 2)
    append_some(engine, 5)

    assert 3 == seal_all(engine, SIGNER, Heads(tmp_path / "heads.jsonl"))
    assert [(1, 2), (3, 4), (5, 5)] == spans(engine)


def test_sealing_does_not_wait_for_an_open_append(engine, tmp_path):
    """Nor the append for the seal: an entry that is not committed goes under the next seal."""
    append_some(engine, 1)
    with transaction(engine) as conn:
        append_fact(conn, "approval", {})

        assert 1 == seal_all(engine, SIGNER, Heads(tmp_path / "heads.jsonl"))

    assert [(1, 1)] == spans(engine)


def test_of_several_sealers_one_seals(engine, tmp_path):
    """Each entry has one seal however many processes try."""
    heads = Heads(tmp_path / "heads.jsonl")

    def work():
        for _ in range(5):
            append_some(engine, 1)
            seal_all(engine, SIGNER, heads)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seal_all(engine, SIGNER, heads)

    assert 15 == check_all(engine, SIGNER, heads)["entries"]
    assert 15 == sum(last - first + 1 for first, last in spans(engine))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_change_is_refused_with_the_applications_own_credentials(
    engine, tmp_path, table, statement
):
    """By the right, which the owner gave away, and by the trigger."""
    sealed_log(engine, tmp_path, 1)
    column = {"evidence_entry": "kind = 'x'", "evidence_leaves": "dataset = 'x'"}
    change = column.get(table, "algorithm = 'x'")
    words = statement.format(f"hub.{table}", change)

    with pytest.raises(DBAPIError, match="permission denied"), engine.begin() as conn:
        conn.execute(text(words))
    with engine.begin() as conn:
        conn.execute(text(f"GRANT ALL ON hub.{table} TO CURRENT_USER"))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as conn:
        conn.execute(text(words))


def test_rolled_back_database_is_detected(engine, tmp_path):
    """An old backup is consistent in itself; the file of heads remembers more."""
    heads = sealed_log(engine, tmp_path, 2, 2)
    as_owner(
        engine,
        "DELETE FROM hub.evidence_seal WHERE seal = 2",
        "DELETE FROM hub.evidence_entry WHERE seq > 2",
    )
    append_some(engine, 1)

    with pytest.raises(EvidenceRolledBack, match=r"seal 2 \(up to entry 4\).* is not there"):
        seal_all(engine, SIGNER, heads)
    with pytest.raises(EvidenceRolledBack):
        check_all(engine, SIGNER, heads)


def test_log_that_went_on_after_a_roll_back_is_detected(engine, tmp_path):
    """Somebody fills the hole with other entries."""
    heads = sealed_log(engine, tmp_path, 2, 2)
    as_owner(
        engine,
        "DELETE FROM hub.evidence_seal WHERE seal = 2",
        "DELETE FROM hub.evidence_entry WHERE seq > 2",
    )
    sealed_log(engine, tmp_path / "other", 2)

    with pytest.raises(EvidenceRolledBack, match="is another one"):
        check_all(engine, SIGNER, heads)


def test_end_that_was_cut_off_behind_the_seals_back_is_detected(engine, tmp_path):
    """Entries are gone, their seal is still there."""
    heads = sealed_log(engine, tmp_path, 3)
    as_owner(engine, "DELETE FROM hub.evidence_entry WHERE seq = 3")

    with pytest.raises(EvidenceBroken, match="seal 1"):
        check_all(engine, SIGNER, heads)


def test_half_a_line_of_heads_after_a_crash_is_passed_over(tmp_path):
    """The machine lost power while the file was written."""
    heads = Heads(tmp_path / "heads.jsonl")
    heads.add(Head(1, 5, "ab"))
    with (tmp_path / "heads.jsonl").open("ab") as file:
        file.write(b'{"seal":2,"la')

    assert Head(1, 5, "ab") == heads.newest()
    heads.add(Head(2, 9, "cd"))
    assert [Head(1, 5, "ab"), Head(2, 9, "cd")] == list(heads.all())


def test_file_of_heads_is_private(tmp_path):
    """Only the hub's account writes it."""
    heads = Heads(tmp_path / "evidence" / "heads.jsonl")

    heads.add(Head(1, 1, "ab"))

    assert 0o600 == (tmp_path / "evidence" / "heads.jsonl").stat().st_mode & 0o777


def test_clock_that_is_set_back_keeps_the_order_and_is_a_named_finding(engine, tmp_path):
    """One entry says so, and the archive's verdict tells it."""
    append_some(engine, 1)
    as_owner(engine)
    with engine.begin() as conn:  # an entry of a time that has not come: as if the clock went back
        conn.execute(text("DELETE FROM hub.evidence_entry"))
        future = conn.execute(text("SELECT now() + interval '1 hour'")).scalar_one()
        _insert(conn, 1, future, "approval", {}, b"", GENESIS)
    append_some(engine, 2)
    seal_all(engine, SIGNER, Heads(tmp_path / "heads.jsonl"))

    entries = [json.loads(line) for line in export(engine)]
    verdict = verify_archive(archive_of(engine).splitlines(keepends=True))

    assert ["approval", "clock", "approval", "approval"] == [entry["kind"] for entry in entries]
    assert entries == sorted(entries, key=itemgetter("at", "seq"))
    assert 3598 < entries[1]["subject"]["seconds"] <= 3600
    assert (None, ("entry 2: the clock was set back",)) == (verdict.problem, verdict.findings)


def test_sealer_seals_beside_the_work_and_at_the_end(engine, tmp_path):
    """Within its time without being asked, and the rest when it is closed."""
    sealer = Sealer(engine, lambda: SIGNER, Heads(tmp_path / "heads.jsonl"), every_s=0.05)
    append_some(engine, 1)
    until = time.monotonic() + 10
    while not spans(engine) and time.monotonic() < until:
        time.sleep(0.02)
    sealed_meanwhile = spans(engine)
    append_some(engine, 1)
    sealer.close()

    assert [(1, 1)] == sealed_meanwhile
    assert [(1, 1), (2, 2)] == spans(engine)
    assert [] == [thread for thread in threading.enumerate() if thread.name == "evidence"]


def test_seal_that_fails_stops_no_work(engine, tmp_path, caplog):
    """The error is told, the entry stays without a seal."""

    def nobody():
        raise SignerAbsent("no installed package signs with SM2")

    sealer = Sealer(engine, nobody, Heads(tmp_path / "heads.jsonl"))
    append_some(engine, 1)
    sealer.close()

    assert "fatal.signer_absent" in caplog.text
    assert [] == spans(engine)


def test_sm2_without_its_package_says_so(monkeypatch):
    """Off if absent."""
    monkeypatch.setenv("TONGBAN_SEAL_ALGORITHM", SM2)

    assert not is_available(SM2)
    with pytest.raises(SignerAbsent, match="no installed package signs with SM2"):
        open_signer(b"k" * 32)


def test_seal_of_an_entry_is_found(engine, tmp_path):
    """The proof of an entry needs it."""
    sealed_log(engine, tmp_path, 2, 2)
    append_some(engine, 1)

    with transaction(engine) as conn:
        found = [seal_of(conn, seq) for seq in (2, 3, 5)]

    assert [1, 2, None] == [seal and seal["seal"] for seal in found]


def test_append_calls_its_listener_in_the_transaction(engine):
    """Once per entry."""
    heard = []
    listen(engine, lambda: heard.append(1))
    with transaction(engine) as conn:
        append(conn, "approval", {}, b"")

    assert [1] == heard


@pytest.mark.parametrize("count", [1, 127, 128, 129, 300, 385])
def test_root_that_is_made_in_pieces_is_the_root_of_the_whole(count):
    """The verifier makes it in one piece."""
    hashes = [bytes([number % 256]) * 32 for number in range(count)]

    assert merkle_root(hashes) == seals._root(b"".join(hashes))
