"""Inbox: take pushed rows once, durably, and answer each with a receipt.

Every department ends here after its own protocol is unwrapped. A batch is one transaction,
flushed to disk before the answer, so that a dropped connection loses an answer but never a row.
The same row again gets its first receipt; a broken row is refused by itself. No message holds a
field's value. What an accepted row sets in motion is in `reactions`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sandbox.datasets import Document, beijing_now
from sandbox.intake import Accepted, find_accepted, put_accepted
from sandbox.state import state_time, transaction

Status = Literal["accepted", "duplicate", "rejected"]

MISSING = "E101"
MALFORMED = "E102"
UNKNOWN_OPERATION = "E103"
PARENT_MISSING = "PARENT_MISSING"
DIGEST_MISMATCH = "DIGEST_MISMATCH"
STALE = "STALE"
VERSION_CONFLICT = "VERSION_CONFLICT"
DELETE = "D"
OPERATIONS = frozenset({"I", "U", DELETE})
REREPORTS = frozenset({"BBXZ", "CBXZ", "BL"})  # late, told again, with mended content


@dataclass(frozen=True, slots=True)
class Pushed:
    """One pushed row after its protocol is unwrapped. No version: the last content counts.

    A row that is marked as told once more replaces what is here of the same version.
    """

    row_guid: str
    op: str
    doc: Document
    version: str | None = None
    declared_digest: str | None = None
    is_rereport: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one row is refused."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one row."""

    row_guid: str
    status: Status
    receipt_no: str = ""
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """What a department demands of a pushed row: required fields, and shapes where it looks."""

    required: tuple[str, ...]
    shapes: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    required_to_delete: tuple[str, ...] = ()

    def problem(self, row: Pushed) -> Problem | None:
        """Find the first thing wrong with `row`, or nothing."""
        if not row.row_guid:
            return Problem(MISSING, "the row has no identifier")
        if row.op not in OPERATIONS:
            return Problem(UNKNOWN_OPERATION, "the operation must be I, U or D")
        deleting = row.op == DELETE
        for name in self.required_to_delete if deleting else self.required:
            if _blank(row.doc.get(name)):
                return Problem(MISSING, f"{name} is required")
        for name, fits in self.shapes.items():
            value = row.doc.get(name)
            if not _blank(value) and not fits(str(value)):
                return Problem(MALFORMED, f"{name} has a form that this office cannot read")
        return None


def _blank(value: object) -> bool:
    return value is None or value in ("", [])


Check = Callable[[Pushed], Problem | None]
Reaction = Callable[[Pushed], None]


def canonical_digest(doc: Mapping[str, object]) -> str:
    """Digest a document: SHA-256 over JSON with sorted keys and no blanks, lower-case hex."""
    text = json.dumps(doc, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Inbox:
    """The receiving desk of one system."""

    def __init__(self, connection: sqlite3.Connection, system: str) -> None:
        self._connection = connection
        self._system = system

    def receive(
        self,
        dataset: str,
        rows: Sequence[Pushed],
        check: Check,
        react: Reaction | None = None,
    ) -> list[Verdict]:
        """Judge and keep a batch, in order, in one durable transaction.

        Args:
            dataset: Hub name of what is pushed.
            rows: The batch; a row may refer to an earlier one of the same batch.
            check: Business check of one row.
            react: Called inside the transaction for every newly accepted row.

        Returns:
            One verdict per row, in order.
        """
        # WAL with synchronous=NORMAL may lose the last commits in a power cut; a receipt may not.
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            with transaction(self._connection):
                return [self._judge(dataset, row, check, react) for row in rows]
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")

    def _judge(self, dataset: str, row: Pushed, check: Check, react: Reaction | None) -> Verdict:
        problem = check(row)
        digest = canonical_digest(row.doc)
        if problem is None and row.declared_digest not in {None, digest}:
            problem = Problem(DIGEST_MISMATCH, "the digest does not belong to this content")
        if problem is not None:
            return Verdict(row.row_guid, "rejected", code=problem.code, message=problem.message)
        earlier = find_accepted(self._connection, dataset, row.row_guid)
        if earlier is not None:
            verdict = _compare(row, digest, earlier)
            if verdict is not None:
                return verdict
        accepted = self._keep(dataset, row, digest, earlier)
        if react is not None:
            react(row)
        return Verdict(row.row_guid, "accepted", receipt_no=accepted.receipt_no)

    def _keep(self, dataset: str, row: Pushed, digest: str, earlier: Accepted | None) -> Accepted:
        version = row.version or str(int(earlier.version) + 1 if earlier else 1)
        accepted = Accepted(
            dataset=dataset,
            row_guid=row.row_guid,
            version=version,
            digest=digest,
            op=row.op,
            doc=row.doc,
            receipt_no=self._next_receipt(),
            received_at=state_time(beijing_now()),
        )
        put_accepted(self._connection, accepted)
        return accepted

    def _next_receipt(self) -> str:
        sql = "SELECT coalesce(max(n), 0) + 1 FROM accepted_log"
        number = self._connection.execute(sql).fetchone()[0]
        return f"{self._system.upper()}-{beijing_now():%Y%m%d}-{number:08d}"


def _compare(row: Pushed, digest: str, earlier: Accepted) -> Verdict | None:
    """Judge a row against its last accepted version; None means it is a newer one."""
    same = digest == earlier.digest and (row.op == DELETE) == (earlier.op == DELETE)
    if row.version is None or row.version == earlier.version:
        if same:
            return Verdict(row.row_guid, "duplicate", receipt_no=earlier.receipt_no)
        if row.version is None or row.is_rereport:
            return None
        text = "this version was accepted with other content; send a higher version"
        return Verdict(row.row_guid, "rejected", code=VERSION_CONFLICT, message=text)
    if _older(row.version, earlier.version):
        text = "a later version was accepted before"
        return Verdict(row.row_guid, "rejected", code=STALE, message=text)
    return None


def _older(left: str, right: str) -> bool:
    if left.isdigit() and right.isdigit() and len(left) != len(right):
        return int(left) < int(right)
    return left < right
