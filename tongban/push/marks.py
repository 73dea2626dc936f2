"""Marks: which rows may be on their way, committed before the first byte leaves the house.

A claim is a lock, so it ends with its worker, and what the worker had sent by then nobody knows.
Without a note a later version would go out as a first one, and the deletion of a record that the
target has would be kept back. So the keys of a claim are committed as one row, which the claim's
own transaction deletes again: it is gone with the answers, and comes back when the worker dies.

While a mark's worker lives, its session holds the mark's lock. A mark whose lock is free turns
its rows into `sent`: they went out perhaps, and go out again with the same guid.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from tongban.kernel.records import OutgoingRecord
from tongban.store.engine import transaction

_KEY = 20  # bytes of a record id and a version
_LOCK_BITS = 62

_LOCK = text("SELECT pg_advisory_xact_lock(:lock_no)")
_PUT = text("""
    INSERT INTO hub.push_mark (lock_no, target, dataset, keys)
    VALUES (:lock_no, :target, :dataset, :keys)
""")
_TAKE_AWAY = text("DELETE FROM hub.push_mark WHERE lock_no = :lock_no")
# Shared: several may look at once, and only the worker's own lock says that it lives.
_LEFT_BEHIND = text("""
    SELECT lock_no, keys, begun_at FROM hub.push_mark m
     WHERE target = :target AND dataset = :dataset
       AND pg_try_advisory_xact_lock_shared(m.lock_no)
""")
_ROUTE_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:route, 0))")
_MAYBE_SENT = text("""
    UPDATE hub.outbox o
       SET state = 'sent', code = NULL, sent_at = greatest(o.sent_at, :begun_at),
           attempts = least(o.attempts + 1, 32000), tried_at = coalesce(o.tried_at, :begun_at)
      FROM unnest(CAST(:record_ids AS uuid[]), CAST(:versions AS integer[])) k (record_id, version)
     WHERE o.record_id = k.record_id AND o.version = k.version
       AND o.target = :target AND o.dataset = :dataset
       AND o.state IN ('queued', 'sent', 'waiting_parent')
""")


def mark(
    engine: Engine, conn: Connection, target: str, dataset: str, records: Iterable[OutgoingRecord]
) -> None:
    """Commit what is about to go out; `conn` is the claim's transaction, which ends the mark."""
    lock_no = secrets.randbits(_LOCK_BITS)
    conn.execute(_LOCK, {"lock_no": lock_no})
    keys = b"".join(
        bytes.fromhex(record.guid.replace("-", "")) + record.version.to_bytes(4, "big")
        for record in records
    )
    with transaction(engine) as other:
        facts = {"lock_no": lock_no, "target": target, "dataset": dataset, "keys": keys}
        other.execute(_PUT, facts)
    conn.execute(_TAKE_AWAY, {"lock_no": lock_no})


def any_left_behind(conn: Connection, target: str, dataset: str) -> bool:
    """Whether a worker died with rows of this route on their way."""
    return conn.execute(_LEFT_BEHIND, {"target": target, "dataset": dataset}).first() is not None


def settle_left_behind(engine: Engine, target: str, dataset: str) -> int:
    """Note the rows of dead workers as sent, answer unknown; gives how many there were."""
    route = {"target": target, "dataset": dataset}
    rows = 0
    with transaction(engine) as conn:
        conn.execute(_ROUTE_LOCK, {"route": f"push_mark|{target}|{dataset}"})
        for lock_no, keys, begun_at in conn.execute(_LEFT_BEHIND, route).all():
            record_ids, versions = _opened(bytes(keys))
            facts = {"record_ids": record_ids, "versions": versions, "begun_at": begun_at}
            rows += conn.execute(_MAYBE_SENT, {**route, **facts}).rowcount
            conn.execute(_TAKE_AWAY, {"lock_no": lock_no})
    return rows


def _opened(keys: bytes) -> tuple[list[UUID], list[int]]:
    """Record ids and versions of a mark."""
    places = range(0, len(keys), _KEY)
    return (
        [UUID(bytes=keys[at : at + 16]) for at in places],
        [int.from_bytes(keys[at + 16 : at + _KEY], "big") for at in places],
    )
