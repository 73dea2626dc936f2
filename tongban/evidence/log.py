"""The log: append entries inside the transactions that they are about, read, check.

`append` is the last statement of a transaction: from there to the commit nobody else can append,
so the chain has no gap and no fork. An entry that is rolled back leaves nothing. Hashing, and the
leaves of the records, come before that lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, RowMapping, insert, select, text

from tongban.evidence.leaves import SEED_LENGTH, root_of
from tongban.evidence.verify import CLOCK, GENESIS, canonical, entry_hash, verify
from tongban.kernel.errors import EvidenceBroken
from tongban.store.engine import transaction
from tongban.store.evidence_tables import evidence_leaves
from tongban.store.leaves import LEAF_LENGTH
from tongban.store.load import ChunkOutcome
from tongban.store.tables import evidence_entry

_LOCK = 0x746F6E67_62616E02  # "tongban", 2: end of the evidence log
_EXPORT_BATCH = 1000
_PLAIN = (str, int, bool, type(None))
_CLOCK_STEP_S = 1.0  # what a clock may be set back without a word: nobody's deadline hangs on it
_LAST = (
    select(evidence_entry.c.seq, evidence_entry.c.at, evidence_entry.c.entry_hash)
    .order_by(evidence_entry.c.seq.desc())
    .limit(1)
)
_IS_TOLD = text("SELECT EXISTS (SELECT FROM hub.evidence_entry WHERE kind = 'clock' AND at = :at)")

_listeners: WeakKeyDictionary[Engine, Callable[[], None]] = WeakKeyDictionary()


def listen(engine: Engine, on_append: Callable[[], None]) -> None:
    """Have `on_append` called for every entry that this process appends; replaces an earlier one.

    It must return at once: the transaction is still open.
    """
    _listeners[engine] = on_append


def hold_end(conn: Connection) -> None:
    """Let nobody else append before this transaction ends."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def append(conn: Connection, kind: str, subject: Mapping[str, Any], leaf: bytes) -> int:
    """Append one entry; gives its number.

    Args:
        conn: The transaction that the entry is about; commit right after.
        kind: What happened: load, receipts, transfer, access, approval, comparison, audit,
            configuration.
        subject: Ids and counts (text, whole numbers, booleans, lists, dicts); never a value.
        leaf: Digest of what the entry is about.

    Raises:
        TypeError: The subject holds another type, which has no single written form.
    """
    _refuse_other_types(subject)
    hold_end(conn)
    last = conn.execute(_LAST).first()
    now: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    seq, at, previous = 1, now, GENESIS
    if last is not None:
        # A clock that is set back does not reorder the log.
        seq, at, previous = last.seq + 1, max(now, last.at), last.entry_hash.hex()
        behind_s = (last.at - now).total_seconds()
        if behind_s > _CLOCK_STEP_S and not conn.execute(_IS_TOLD, {"at": last.at}).scalar_one():
            told = {"finding": "clock set back", "seconds": int(behind_s)}
            previous = _insert(
                conn, seq, at, CLOCK, told, sha256(canonical(told)).digest(), previous
            )
            seq += 1
    _insert(conn, seq, at, kind, dict(subject), leaf, previous)
    if on_append := _listeners.get(conn.engine):
        on_append()
    return seq


def append_records(
    conn: Connection, kind: str, dataset: str, subject: Mapping[str, Any], records: bytes
) -> int:
    """Append an entry about records; its leaf is the root over their salted leaves.

    Args:
        conn: The transaction that the entry is about; commit right after.
        kind: load or receipts.
        dataset: Whose records they are.
        subject: As of `append`; the number of leaves is added.
        records: Leaves of `tongban.store.leaves`, one after the other.
    """
    seed = secrets.token_bytes(SEED_LENGTH)
    root = root_of(records, seed)
    if records:
        row = {"leaf": root, "dataset": dataset, "seed": seed, "records": records}
        conn.execute(insert(evidence_leaves).values(row))
    counted = {**subject, "leaves": len(records) // LEAF_LENGTH}
    return append(conn, kind, counted, root)


def append_load(conn: Connection, outcome: ChunkOutcome) -> None:
    """The entry of one loaded chunk; give it to `write_chunk(evidence=…)`."""
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
        "deleted": outcome.deleted,
    }
    append_records(conn, "load", outcome.dataset, subject, outcome.written)


def append_receipts(conn: Connection, subject: Mapping[str, Any], leaves: Sequence[bytes]) -> None:
    """The entry of one answered batch; give it to `deliver(evidence=…)`."""
    append_records(conn, "receipts", str(subject["dataset"]), subject, b"".join(leaves))


def append_fact(conn: Connection, kind: str, subject: Mapping[str, Any]) -> int:
    """Append an entry that is about nothing but what it says itself."""
    return append(conn, kind, subject, sha256(canonical(subject)).digest())


def append_approval(conn: Connection, subject: Mapping[str, Any]) -> None:
    """The entry of one decision of a person; give it to `approvals.decide(evidence=…)`."""
    append_fact(conn, "approval", subject)


def append_access(conn: Connection, subject: Mapping[str, Any]) -> None:
    """The entry of one look at values, or of an export: who, why, what, how many."""
    append_fact(conn, "access", subject)


def export(engine: Engine, *, first: int = 1, last: int | None = None) -> Iterator[str]:
    """Entries `first` to `last` as one canonical JSON line each, without line ends."""
    while True:
        statement = (
            select(evidence_entry)
            .where(evidence_entry.c.seq >= first)
            .order_by(evidence_entry.c.seq)
            .limit(_EXPORT_BATCH)
        )
        if last is not None:
            statement = statement.where(evidence_entry.c.seq <= last)
        with transaction(engine) as conn:
            rows = conn.execute(statement).mappings().all()
        for row in rows:
            yield canonical(document_of(row)).decode()
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


def document_of(row: RowMapping) -> dict[str, Any]:
    """One entry as it is hashed and exported."""
    return {
        "seq": row["seq"],
        "at": moment(row["at"]),
        "kind": row["kind"],
        "subject": row["subject"],
        "leaf": row["leaf"].hex(),
        "previous": row["previous"].hex(),
        "hash": row["entry_hash"].hex(),
    }


def moment(at: datetime) -> str:
    """One written form per moment."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _insert(
    conn: Connection,
    seq: int,
    at: datetime,
    kind: str,
    subject: dict[str, Any],
    leaf: bytes,
    previous: str,
) -> str:
    """Write one entry; gives its hash."""
    entry = {
        "seq": seq,
        "at": moment(at),
        "kind": kind,
        "subject": subject,
        "leaf": leaf.hex(),
        "previous": previous,
    }
    made = entry_hash(entry)
    columns = {"leaf": leaf, "previous": bytes.fromhex(previous), "entry_hash": bytes.fromhex(made)}
    conn.execute(insert(evidence_entry).values({**entry, **columns, "at": at}))
    return made


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
