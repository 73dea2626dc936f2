"""The evidence log: appended with its effect, never changed, verifiable by anyone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import tongban.evidence.verify as verifier
from tests.store.samples import PAYMENT, Hub, payments
from tongban.evidence.log import append, append_load, check, export
from tongban.kernel.errors import EvidenceBroken
from tongban.protect import KeyRing
from tongban.store.engine import open_engine, transaction
from tongban.store.load import write_chunk
from tongban.store.migrate import migrate

REFUSED = r"append-only|permission denied"

pytestmark = pytest.mark.postgres


@pytest.fixture
def engine(database_url):
    """An engine on a fresh database."""
    engine = open_engine(database_url)
    migrate(engine, [PAYMENT])
    yield engine
    engine.dispose()


def append_some(engine, count):
    """Append entries, one transaction each."""
    for number in range(count):
        with transaction(engine) as conn:
            append(conn, "configuration", {"number": number}, bytes([number % 256]))


def test_entries_are_numbered_without_gaps_and_verify(engine):
    """The normal life of the log."""
    append_some(engine, 5)

    assert 5 == check(engine)
    assert [1, 2, 3, 4, 5] == [json.loads(line)["seq"] for line in export(engine)]


def test_entry_of_a_rolled_back_transaction_leaves_nothing(engine):
    """No entry without its effect."""
    append_some(engine, 1)
    with engine.connect() as conn:
        append(conn, "load", {}, b"")
        conn.rollback()

    append_some(engine, 1)

    assert 2 == check(engine)


def test_concurrent_writers_make_one_chain(engine):
    """Many workers append; nobody forks the chain."""
    writers = [threading.Thread(target=append_some, args=(engine, 10)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert 40 == check(engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hub.evidence_entry SET kind = 'x'",
        "DELETE FROM hub.evidence_entry",
        "TRUNCATE hub.evidence_entry",
        "UPDATE hub.evidence_entry SET kind = 'x' WHERE false",
    ],
)
def test_change_is_refused_with_the_applications_own_credentials(engine, statement):
    """Whoever steals the hub's password still cannot rewrite its past."""
    append_some(engine, 1)

    with pytest.raises(DBAPIError, match=REFUSED), engine.begin() as conn:
        conn.execute(text(statement))

    assert 1 == check(engine)


def test_change_is_refused_in_replica_mode_too(engine):
    """The usual way around triggers is closed."""
    append_some(engine, 1)

    statement = "SET LOCAL session_replication_role = replica; DELETE FROM hub.evidence_entry"
    with pytest.raises(DBAPIError, match=REFUSED), engine.begin() as conn:
        conn.execute(text(statement))


def test_change_behind_the_triggers_is_found(engine):
    """An owner who grants himself the right and disables the trigger is still found out."""
    append_some(engine, 3)
    with engine.begin() as conn:
        conn.execute(text("GRANT UPDATE ON hub.evidence_entry TO CURRENT_USER"))
        conn.execute(
            text("ALTER TABLE hub.evidence_entry DISABLE TRIGGER evidence_entry_append_only")
        )
        conn.execute(text("UPDATE hub.evidence_entry SET subject = '{}' WHERE seq = 2"))

    with pytest.raises(EvidenceBroken, match="line 2: content and hash differ"):
        check(engine)


def test_subject_with_a_type_of_no_single_form_is_refused(engine):
    """A float would verify on one machine and fail on another."""
    with pytest.raises(TypeError, match="float"), transaction(engine) as conn:
        append(conn, "load", {"share": 0.1}, b"")


def test_load_leaves_one_entry_with_its_counts(engine, tmp_path):
    """A chunk and its entry are one transaction."""
    hub = Hub(engine, KeyRing.open(tmp_path / "keys", {}))

    write_chunk(engine, hub.chunk(payments(3), payments(1, start=9)), evidence=append_load)

    (line,) = export(engine)
    entry = json.loads(line)
    assert ("load", 4, 3, 1) == (
        entry["kind"],
        *(entry["subject"][name] for name in ("read", "new", "quarantined")),
    )


def test_failed_evidence_rolls_the_chunk_back(engine, tmp_path):
    """No effect without its entry."""
    hub = Hub(engine, KeyRing.open(tmp_path / "keys", {}))

    def refuse(conn, outcome):  # noqa: ARG001
        raise TypeError

    with pytest.raises(TypeError):
        write_chunk(engine, hub.chunk(payments(3)), evidence=refuse)

    assert 0 == hub.one("SELECT count(*) FROM data.payment_v1")


def test_evidence_holds_no_classified_value(engine, tmp_path):
    """Ids, counts and digests only."""
    hub = Hub(engine, KeyRing.open(tmp_path / "keys", {}))
    write_chunk(engine, hub.chunk(payments(3)), evidence=append_load)

    text_of_log = "\n".join(export(engine))

    assert "62089919850314" not in text_of_log
    assert "T00000" not in text_of_log


def test_verifier_runs_alone_on_an_exported_file(engine, tmp_path):
    """An auditor has one Python file and one log, and no hub."""
    append_some(engine, 3)
    copy = tmp_path / "verify_copy.py"
    copy.write_bytes(Path(verifier.__file__).read_bytes())
    log = tmp_path / "evidence.jsonl"
    log.write_text("\n".join(export(engine)) + "\n", encoding="utf-8")

    answer = subprocess.run(
        [sys.executable, "-I", copy, log], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (0, "OK 3 entries") == (answer.returncode, answer.stdout[:12])
