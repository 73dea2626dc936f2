"""Repair: put what the target lacks back into the queue, and only that.

A record goes out again in the version that was acknowledged, with the receiver's marker for it.
What a newer version of ours will replace anyway, what the target has newer than we, and what it
has without us waits for a person. So does a difference so large that the statement itself is more
likely wrong than the deliveries.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

HOLD_ROWS = 1000
HOLD_SHARE = 0.05

# Versions that were refused or are being sent meanwhile decide by themselves what comes next.
_REQUEUE = text("""
    WITH again AS (
        UPDATE hub.outbox o
           SET state = 'queued', next_try_at = now(), closed_at = NULL, attempts = 0, code = NULL,
               queued_at = now(), rank_at = now(), tried_at = NULL
          FROM hub.statement_difference d
         WHERE d.statement_id = :statement_id AND d.rereport IS NOT NULL
           AND o.record_id = d.record_id AND o.target = d.target AND o.dataset = d.dataset
           AND o.version = d.our_version AND o.state IN ('accepted', 'duplicate')
           AND NOT EXISTS (SELECT FROM hub.outbox n
                            WHERE n.record_id = d.record_id AND n.target = d.target
                              AND n.dataset = d.dataset AND n.version > d.our_version)
        RETURNING o.record_id)
    UPDATE hub.statement_difference d SET action = 'requeued'
      FROM again WHERE d.statement_id = :statement_id AND d.record_id = again.record_id
""")
_HOLD = text("""
    UPDATE hub.statement_difference SET action = 'held'
     WHERE statement_id = :statement_id AND rereport IS NOT NULL
""")


def is_too_many(rows: int, ours: int) -> bool:
    """Whether so many differences say more about the statement than about the deliveries."""
    return rows > HOLD_ROWS and rows > HOLD_SHARE * ours


def requeue(conn: Connection, statement_id: UUID) -> int:
    """Queue every difference that sending can mend; gives how many."""
    return conn.execute(_REQUEUE, {"statement_id": statement_id}).rowcount


def hold(conn: Connection, statement_id: UUID) -> int:
    """Leave them to a person; gives how many."""
    return conn.execute(_HOLD, {"statement_id": statement_id}).rowcount
