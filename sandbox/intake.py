"""Intake: what a sandbox server keeps of accepted pushes, planned faults and seen nonces.

The tables live in the same file as the records (`sandbox.state`). Only servers and the CLI use
this module; the population never writes here. Receipts are kept so that a repeated push gets its
original answer.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from sandbox.datasets import Document
from sandbox.state import to_json


@dataclass(frozen=True, slots=True)
class Accepted:
    """The last version of a pushed row that a server took, with the receipt it answered."""

    dataset: str
    row_guid: str
    version: str
    digest: str
    op: str
    doc: Document
    receipt_no: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to play: for the next `count` matching calls, or for a share `rate` of them."""

    id: int
    kind: str
    rate: float | None
    count: int | None
    match: str | None
    seconds: float | None


def find_accepted(connection: sqlite3.Connection, dataset: str, row_guid: str) -> Accepted | None:
    """Read the last accepted version of a pushed row."""
    sql = "SELECT * FROM accepted WHERE dataset=? AND row_guid=?"
    row = connection.execute(sql, (dataset, row_guid)).fetchone()
    return _accepted(row) if row else None


def put_accepted(connection: sqlite3.Connection, row: Accepted) -> None:
    """Keep `row` as the last accepted version and write one line of the acceptance log."""
    connection.execute(
        "INSERT OR REPLACE INTO accepted VALUES(?,?,?,?,?,?,?,?)",
        (
            row.dataset,
            row.row_guid,
            row.version,
            row.digest,
            row.op,
            to_json(row.doc),
            row.receipt_no,
            row.received_at,
        ),
    )
    connection.execute(
        "INSERT INTO accepted_log(dataset, row_guid, version, op, receipt_no, received_at)"
        " VALUES(?,?,?,?,?,?)",
        (row.dataset, row.row_guid, row.version, row.op, row.receipt_no, row.received_at),
    )


def read_accepted(
    connection: sqlite3.Connection, dataset: str | None = None, limit: int | None = None
) -> list[Accepted]:
    """Read accepted rows, of one dataset or of all, in key order."""
    sql = "SELECT * FROM accepted WHERE ? IS NULL OR dataset=? ORDER BY dataset, row_guid LIMIT ?"
    rows = connection.execute(sql, (dataset, dataset, -1 if limit is None else limit))
    return [_accepted(row) for row in rows]


def count_accepted(connection: sqlite3.Connection) -> dict[str, int]:
    """Count accepted rows per dataset, deleted ones included."""
    rows = connection.execute("SELECT dataset, count(*) FROM accepted GROUP BY dataset ORDER BY 1")
    return {str(name): int(count) for name, count in rows}


def count_acceptances(connection: sqlite3.Connection, dataset: str, row_guid: str) -> int:
    """Count how often a row was taken as new; a repeat of the same version does not count."""
    sql = "SELECT count(*) FROM accepted_log WHERE dataset=? AND row_guid=?"
    return int(connection.execute(sql, (dataset, row_guid)).fetchone()[0])


def _accepted(row: tuple[str, str, str, str, str, str, str, str]) -> Accepted:
    return Accepted(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), row[6], row[7])


def add_fault(
    connection: sqlite3.Connection,
    kind: str,
    *,
    rate: float | None = None,
    count: int | None = None,
    match: str | None = None,
    seconds: float | None = None,
) -> None:
    """Plan a fault."""
    connection.execute(
        "INSERT INTO fault(kind, rate, count, match, seconds) VALUES(?,?,?,?,?)",
        (kind, rate, count, match, seconds),
    )


def faults(connection: sqlite3.Connection) -> list[Fault]:
    """Read the planned faults, oldest first; a used-up count is no longer listed."""
    sql = "SELECT id, kind, rate, count, match, seconds FROM fault ORDER BY id"
    return [Fault(*row) for row in connection.execute(sql) if row[3] is None or row[3] > 0]


def use_fault(connection: sqlite3.Connection, fault_id: int) -> None:
    """Count one play of a fault that has a count."""
    connection.execute(
        "UPDATE fault SET count=count-1 WHERE id=? AND count IS NOT NULL", (fault_id,)
    )


def clear_faults(connection: sqlite3.Connection) -> None:
    """Forget every planned fault."""
    connection.execute("DELETE FROM fault")


def remember_nonce(
    connection: sqlite3.Connection, value: str, *, now: float, lifetime_s: float
) -> bool:
    """Remember a nonce for `lifetime_s` seconds and tell whether it was new."""
    connection.execute("DELETE FROM nonce WHERE expires<=?", (now,))
    taken = connection.execute("INSERT OR IGNORE INTO nonce VALUES(?,?)", (value, now + lifetime_s))
    return taken.rowcount == 1
