"""State: the SQLite file behind each sandbox system, and its served records.

The population writes the records once; the servers page through them (`sandbox.servers.records`).
Rows that appear later are in `sandbox.plans`; what the servers keep themselves (accepted pushes,
faults, nonces) is in `sandbox.intake`. Documents are stored as served. Nothing knows a protocol.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.datasets import STATE_TIME, Document, key_of, stamp
from sandbox.errors import StateMissing

SCHEMA = """
CREATE TABLE IF NOT EXISTS record(
  dataset TEXT NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL, changed_at TEXT NOT NULL,
  doc TEXT NOT NULL, PRIMARY KEY(dataset, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_changed ON record(dataset, changed_at, key);
CREATE INDEX IF NOT EXISTS record_key ON record(dataset, key);
CREATE TABLE IF NOT EXISTS pending(
  id INTEGER PRIMARY KEY, trigger_kind TEXT NOT NULL, trigger_key TEXT NOT NULL,
  dataset TEXT NOT NULL, doc TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS pending_trigger ON pending(trigger_kind, trigger_key);
CREATE TABLE IF NOT EXISTS change(
  n INTEGER PRIMARY KEY, dataset TEXT NOT NULL, key TEXT NOT NULL, doc TEXT NOT NULL,
  defect TEXT, applied INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS accepted(
  dataset TEXT NOT NULL, row_guid TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
  op TEXT NOT NULL, doc TEXT NOT NULL, receipt_no TEXT NOT NULL, received_at TEXT NOT NULL,
  PRIMARY KEY(dataset, row_guid));
CREATE TABLE IF NOT EXISTS accepted_log(
  n INTEGER PRIMARY KEY, dataset TEXT NOT NULL, row_guid TEXT NOT NULL, version TEXT NOT NULL,
  op TEXT NOT NULL, receipt_no TEXT NOT NULL, received_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fault(
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, rate REAL, count INTEGER, match TEXT, seconds REAL);
CREATE TABLE IF NOT EXISTS nonce(value TEXT PRIMARY KEY, expires REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One served row. `changed_at` is naive Beijing time, `YYYY-MM-DDTHH:MM:SS`."""

    dataset: str
    seq: int
    key: str
    changed_at: str
    doc: Document


def state_file(state_dir: Path, system: str) -> Path:
    """Name the state file of one system."""
    return state_dir / f"{system}.sqlite"


def create_state(state_dir: Path, system: str) -> sqlite3.Connection:
    """Make an empty state file, replacing an earlier one."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_file(state_dir, system)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = _connect(path)
    connection.executescript(SCHEMA)
    return connection


def open_state(state_dir: Path, system: str) -> sqlite3.Connection:
    """Open an existing state file.

    The connection may be used from several threads if the caller serialises them.

    Raises:
        StateMissing: The population of this folder was never built.
    """
    path = state_file(state_dir, system)
    if not path.is_file():
        raise StateMissing(
            f"{path}: no state for {system}; run `python -m sandbox population` first"
        )
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[sqlite3.Connection, None, None]:
    """Group writes: all of them, or after an exception none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def to_json(doc: Document) -> str:
    """Write a document the one way that the state files use."""
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":"))


def add_records(
    connection: sqlite3.Connection, dataset: str, docs: Iterable[tuple[str, Document]]
) -> int:
    """Append (changed_at, document) pairs in the given order and count them."""
    start = _next_seq(connection, dataset)
    rows = [
        (dataset, start + at, key_of(dataset, doc), changed_at, to_json(doc))
        for at, (changed_at, doc) in enumerate(docs)
    ]
    connection.executemany("INSERT INTO record VALUES(?,?,?,?,?)", rows)
    return len(rows)


def find_records(connection: sqlite3.Connection, dataset: str, key: str) -> list[Record]:
    """Read the rows of one key: none, one, or several where a duplicate was planted."""
    sql = (
        "SELECT dataset, seq, key, changed_at, doc FROM record"
        " WHERE dataset=? AND key=? ORDER BY seq"
    )
    return [_record(row) for row in connection.execute(sql, (dataset, key))]


def all_records(connection: sqlite3.Connection, dataset: str) -> Iterator[Record]:
    """Walk a whole dataset in queue order."""
    sql = "SELECT dataset, seq, key, changed_at, doc FROM record WHERE dataset=? ORDER BY seq"
    return (_record(row) for row in connection.execute(sql, (dataset,)))


def put_record(
    connection: sqlite3.Connection, dataset: str, doc: Document, when: datetime
) -> Document:
    """Insert `doc`, or replace every row of its key, with the change time `when`.

    Returns:
        The stored document, its change-time field written in the protocol's form.
    """
    stored = dict(doc)
    changed_at = stamp(dataset, stored, when)
    key = key_of(dataset, stored)
    updated = connection.execute(
        "UPDATE record SET changed_at=?, doc=? WHERE dataset=? AND key=?",
        (changed_at, to_json(stored), dataset, key),
    )
    if updated.rowcount == 0:
        add_records(connection, dataset, [(changed_at, stored)])
    return stored


def count_records(connection: sqlite3.Connection) -> dict[str, int]:
    """Count served rows per dataset."""
    rows = connection.execute("SELECT dataset, count(*) FROM record GROUP BY dataset ORDER BY 1")
    return {str(name): int(count) for name, count in rows}


def _next_seq(connection: sqlite3.Connection, dataset: str) -> int:
    sql = "SELECT coalesce(max(seq), -1) + 1 FROM record WHERE dataset=?"
    return int(connection.execute(sql, (dataset,)).fetchone()[0])


def _record(row: tuple[str, int, str, str, str]) -> Record:
    return Record(row[0], row[1], row[2], row[3], json.loads(row[4]))


def state_time(when: datetime) -> str:
    """Write a naive Beijing moment in the form of `record.changed_at`."""
    return when.strftime(STATE_TIME)
