"""The log: append entries inside the transactions that they are about, export, check.

`append` is the last statement of a transaction: from there to the commit nobody else can append,
so the chain has no gap and no fork. An entry that is rolled back leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, insert, select, text

from tongban.evidence.verify import GENESIS, canonical, entry_hash, merkle_root, verify
from tongban.kernel.errors import EvidenceBroken
from tongban.store.engine import transaction
from tongban.store.load import ChunkOutcome
from tongban.store.tables import evidence_entry

_LOCK = 0x746F6E67_62616E02  # "tongban", 2: end of the evidence log
_EXPORT_BATCH = 1000
_DIGEST_LENGTH = 16
_PLAIN = (str, int, bool, type(None))


def append(conn: Connection, kind: str, subject: Mapping[str, Any], leaf: bytes) -> int:
    """Append one entry; gives its number.

    Args:
        conn: The transaction that the entry is about; commit right after.
        kind: What happened: load, receipts, access, approval, comparison, configuration.
        subject: Ids and counts (text, whole numbers, booleans, lists, dicts); never a value.
        leaf: Digest of what the entry is about.

    Raises:
        TypeError: The subject holds another type, which has no single written form.
    """
    _refuse_other_types(subject)
    conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = conn.execute(
        select(evidence_entry.c.seq, evidence_entry.c.at, evidence_entry.c.entry_hash)
        .order_by(evidence_entry.c.seq.desc())
        .limit(1)
    ).first()
    now: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    at = now if last is None else max(now, last.at)  # a clock set back does not reorder the log
    entry: dict[str, Any] = {
        "seq": 1 if last is None else last.seq + 1,
        "at": _moment(at),
        "kind": kind,
        "subject": dict(subject),
        "leaf": leaf.hex(),
        "previous": GENESIS if last is None else last.entry_hash.hex(),
    }
    conn.execute(
        insert(evidence_entry).values(
            seq=entry["seq"],
            at=at,
            kind=kind,
            subject=entry["subject"],
            leaf=leaf,
            previous=bytes.fromhex(entry["previous"]),
            entry_hash=bytes.fromhex(entry_hash(entry)),
        )
    )
    return int(entry["seq"])


def append_load(conn: Connection, outcome: ChunkOutcome) -> None:
    """The entry of one loaded chunk; give it to `write_chunk(evidence=…)`."""
    digests = outcome.written
    leaves = [digests[at : at + _DIGEST_LENGTH] for at in range(0, len(digests), _DIGEST_LENGTH)]
    subject = {
        "transfer": str(outcome.transfer_id),
        "system": outcome.system,
        "dataset": outcome.dataset,
        "chunk": outcome.chunk_no,
        "is_last": outcome.is_last,
        "read": outcome.read,
        "new": outcome.new,
        "changed": outcome.changed,
        "same": outcome.same,
        "quarantined": outcome.quarantined,
        "duplicate": outcome.duplicate,
    }
    append(conn, "load", subject, merkle_root(leaves))


def append_receipts(conn: Connection, subject: Mapping[str, Any], leaves: Sequence[bytes]) -> None:
    """The entry of one answered batch; give it to `deliver(evidence=…)`."""
    append(conn, "receipts", subject, merkle_root(leaves))


def append_approval(conn: Connection, subject: Mapping[str, Any]) -> None:
    """The entry of one decision of a person; give it to `approvals.decide(evidence=…)`."""
    append(conn, "approval", subject, sha256(canonical(subject)).digest())


def export(engine: Engine, *, first: int = 1) -> Iterator[str]:
    """Every entry from number `first` on as one canonical JSON line, without line ends."""
    while True:
        statement = (
            select(evidence_entry)
            .where(evidence_entry.c.seq >= first)
            .order_by(evidence_entry.c.seq)
            .limit(_EXPORT_BATCH)
        )
        with transaction(engine) as conn:
            rows = conn.execute(statement).mappings().all()
        for row in rows:
            yield _line(row)
        if len(rows) < _EXPORT_BATCH:
            return
        first = int(rows[-1]["seq"]) + 1


def check(engine: Engine) -> int:
    """Verify the log in the database; gives the number of its entries.

    Raises:
        EvidenceBroken: An entry was changed, dropped or reordered behind our back.
    """
    verdict = verify(export(engine))
    if verdict.problem is not None:
        raise EvidenceBroken(
            f"evidence log: {verdict.problem}; {verdict.entries} entries before it verify, "
            "compare with the last exported archive",
            entries=verdict.entries,
        )
    return verdict.entries


def _line(row: RowMapping) -> str:
    """One entry as it is hashed and exported."""
    entry = {
        "seq": row["seq"],
        "at": _moment(row["at"]),
        "kind": row["kind"],
        "subject": row["subject"],
        "leaf": row["leaf"].hex(),
        "previous": row["previous"].hex(),
        "hash": row["entry_hash"].hex(),
    }
    return canonical(entry).decode()


def _moment(at: datetime) -> str:
    """One written form per moment."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _refuse_other_types(value: object) -> None:
    """Only what JSON in PostgreSQL gives back exactly as it was."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            _refuse_other_types(name)
            _refuse_other_types(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_other_types(item)
    elif not isinstance(value, _PLAIN):
        raise TypeError(f"an evidence subject holds no {type(value).__name__}")
