"""Plans: rows that a sandbox system will serve later, by a trigger or by a call to advance.

A pending row waits for what another department must first accept (a tax payment for its contract, a
right for its tax payment). A change waits for `advance`. Both are written by the population and
fired by the servers; the tables live in the file of `sandbox.state`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sandbox.datasets import Document
from sandbox.state import put_record, to_json


@dataclass(frozen=True, slots=True)
class Pending:
    """A row that appears once its trigger has happened; dataset "retire" ends an old right."""

    id: int
    trigger_kind: str
    trigger_key: str
    dataset: str
    doc: Document


@dataclass(frozen=True, slots=True)
class Change:
    """A prepared later state of one record, and the defect that it carries, if any."""

    n: int
    dataset: str
    key: str
    doc: Document
    defect: str | None


def add_pending(
    connection: sqlite3.Connection, kind: str, key: str, dataset: str, doc: Document
) -> None:
    """Prepare a row that appears when trigger (`kind`, `key`) happens."""
    connection.execute(
        "INSERT INTO pending(trigger_kind, trigger_key, dataset, doc) VALUES(?,?,?,?)",
        (kind, key, dataset, to_json(doc)),
    )


def pending_for(connection: sqlite3.Connection, kind: str, key: str) -> list[Pending]:
    """Read what waits for trigger (`kind`, `key`) and has not fired yet, in order."""
    sql = (
        "SELECT id, trigger_kind, trigger_key, dataset, doc FROM pending"
        " WHERE trigger_kind=? AND trigger_key=? AND done=0 ORDER BY id"
    )
    rows = connection.execute(sql, (kind, key))
    return [Pending(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows]


def mark_pending_done(connection: sqlite3.Connection, pending_id: int) -> None:
    """Note that a pending row has fired, so that it never fires twice."""
    connection.execute("UPDATE pending SET done=1 WHERE id=?", (pending_id,))


def add_changes(connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
    """Store prepared changes under their own numbers."""
    connection.executemany(
        "INSERT INTO change(n, dataset, key, doc, defect) VALUES(?,?,?,?,?)",
        [(c.n, c.dataset, c.key, to_json(c.doc), c.defect) for c in changes],
    )


def changes(
    connection: sqlite3.Connection, *, applied: bool | None = None, limit: int | None = None
) -> list[Change]:
    """Read prepared changes in order: all, those already applied, or the next ones to apply."""
    sql = (
        "SELECT n, dataset, key, doc, defect FROM change"
        " WHERE ? IS NULL OR applied=? ORDER BY n LIMIT ?"
    )
    wanted = None if applied is None else int(applied)
    rows = connection.execute(sql, (wanted, wanted, -1 if limit is None else limit))
    return [Change(row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in rows]


def apply_changes(connection: sqlite3.Connection, count: int, when: datetime) -> list[Change]:
    """Serve the next `count` prepared changes from now on, with change time `when`.

    The caller runs this inside `transaction` and then calls `sandbox.truth.note_applied` with the
    number of the last change.
    """
    due = changes(connection, applied=False, limit=count)
    for change in due:
        put_record(connection, change.dataset, change.doc, when)
        connection.execute("UPDATE change SET applied=1 WHERE n=?", (change.n,))
    return due
