"""Drifts: what batches looked like, which habits changed, and pushes that wait for a person.

Fingerprints and events hold field names, counts and codes of code tables; the codes that no table
knows stand in a list of their own, so that somebody maps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

HELD_PUSH = "held_push"
"""Kind of the approval that lets held rows go."""

HISTORY = 10

_HISTORY = text("""
    SELECT f.rows, f.seen, f.is_snapshot, f.total FROM hub.fingerprint f
     WHERE f.system = :system AND f.dataset = :dataset AND f.major = :major
       AND f.transfer_id <> :transfer_id
     ORDER BY f.seen_at DESC LIMIT :history
""")
_KEEP = text("""
    INSERT INTO hub.fingerprint
           (transfer_id, system, dataset, major, is_snapshot, rows, total, seen)
    VALUES (:transfer_id, :system, :dataset, :major, :is_snapshot, :rows, :total, :seen)
    ON CONFLICT (transfer_id) DO UPDATE
       SET rows = excluded.rows, total = excluded.total, seen = excluded.seen
""").bindparams(bindparam("seen", type_=JSONB))
_EVENT = text("""
    INSERT INTO hub.drift_event (transfer_id, system, dataset, kind, field, policy, owner, detail)
    VALUES (:transfer_id, :system, :dataset, :kind, :field, :policy, :owner, :detail)
    ON CONFLICT (transfer_id, kind, field) DO UPDATE
       SET policy = excluded.policy, detail = excluded.detail
""").bindparams(bindparam("detail", type_=JSONB))
_CODE = text("""
    INSERT INTO hub.unmapped_code AS c
           (system, dataset, field, code, rows, first_transfer, last_transfer)
    VALUES (:system, :dataset, :field, :code, :rows, :transfer_id, :transfer_id)
    ON CONFLICT (system, dataset, field, code) DO UPDATE
       SET rows = CASE WHEN c.last_transfer = excluded.last_transfer THEN c.rows
                       ELSE c.rows + excluded.rows END,
           last_transfer = excluded.last_transfer, last_at = now()
""")
_HOLD = """
    UPDATE hub.outbox o SET held_by = :transfer_id
      FROM {source} t
     WHERE t.record_id = o.record_id AND t.version = o.version AND t.transfer_id = :transfer_id
       AND o.dataset = :dataset AND o.state = 'queued'
       AND NOT EXISTS (
           SELECT FROM hub.approval a JOIN hub.transfer f ON f.transfer_id = :transfer_id
            WHERE a.kind = :kind AND a.state = 'approved'
              AND a.subject = :dataset || '/' || coalesce(f.parent_id, f.transfer_id))
"""
_RELEASE = text("UPDATE hub.outbox SET held_by = NULL WHERE held_by = :transfer_id")


def history(
    conn: Connection, system: str, dataset: str, major: int, *, before: UUID
) -> list[RowMapping]:
    """The last batches of a dataset that were stored, newest first, without one transfer's own."""
    facts = {"system": system, "dataset": dataset, "major": major}
    asked = {**facts, "transfer_id": before, "history": HISTORY}
    return list(conn.execute(_HISTORY, asked).mappings())


def keep_fingerprint(conn: Connection, facts: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    """Keep what a stored batch looked like.

    Args:
        conn: Any transaction.
        facts: transfer_id, system, dataset, major, is_snapshot, rows (judged), total.
        seen: The fingerprint's document.
    """
    conn.execute(_KEEP, {**facts, "seen": dict(seen)})


def keep_events(
    conn: Connection, facts: Mapping[str, Any], events: Iterable[Mapping[str, Any]]
) -> None:
    """Keep changes of habit: kind, field, policy and detail, with transfer, place and owner."""
    for event in events:
        conn.execute(_EVENT, {**facts, **event})


def keep_new_codes(
    conn: Connection, facts: Mapping[str, Any], codes: Mapping[str, Mapping[str, int]]
) -> None:
    """Add to the list of codes that no code table knows; the empty code is what is none."""
    for field, found in codes.items():
        for code, rows in found.items():
            conn.execute(_CODE, {**facts, "field": field, "code": code, "rows": rows})


def hold_push(conn: Connection, dataset: str, table: str, transfer_id: UUID) -> int:
    """Let nothing of what this transfer wrote go to a target before somebody agrees.

    Returns:
        How many outbox rows wait; none where somebody has agreed in the meantime.
    """
    facts = {"dataset": dataset, "transfer_id": transfer_id, "kind": HELD_PUSH}
    held = 0
    for source in (f'data."{table}"', "hub.tombstone"):
        held += conn.execute(text(_HOLD.format(source=source)), facts).rowcount
    return held


def release_push(conn: Connection, transfer_id: UUID) -> int:
    """Let what was held go on; gives the number of outbox rows."""
    return int(conn.execute(_RELEASE, {"transfer_id": transfer_id}).rowcount)
