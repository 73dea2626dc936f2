"""The outbox: claim what may go out now, in order, and mark what must not go out any more.

A claim is a row lock: it lasts as long as the worker's transaction, so a worker that dies gives
its rows back at once, and two workers never hold the same row. Of a record only the newest
version goes out; older ones that nobody holds are superseded, and while another worker holds
an older one the newer one waits. Rows are never deleted. Rows of a transfer whose push waits for
a person (`held_by`) are not claimed.

The order is that of `rank_at`: the moment of queueing, or an earlier one where a case runs out of
time. A row that waits long enough is overtaken by none, so nothing starves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from tongban.store.engine import transaction

_TEMPORARY = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS push_claim (
        record_id uuid, version integer, seq bigint, rank_at timestamptz, attempts smallint,
        code text
    ) ON COMMIT DELETE ROWS
""")
_CLEAR = text("DELETE FROM push_claim")
# The rows of a claim are few against the tables: probe primary keys, never scan.
PROBE = text("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
PLAN_FREELY = text("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")
_CLAIM = text("""
    WITH claimed AS (
    INSERT INTO push_claim
    SELECT o.record_id, o.version, o.seq, o.rank_at, o.attempts, o.code FROM hub.outbox o
     WHERE o.target = :target AND o.dataset = :dataset
       AND o.state IN ('queued', 'sent', 'waiting_parent') AND o.held_by IS NULL
       AND o.next_try_at <= clock_timestamp()
     ORDER BY o.rank_at, o.seq LIMIT :rows
       FOR UPDATE OF o SKIP LOCKED
    RETURNING version)
    SELECT count(*), max(version) FROM claimed
""")
# Older versions of the claimed records, unless another worker is sending them just now.
_SUPERSEDE_OLDER = text("""
    UPDATE hub.outbox o SET state = 'superseded', closed_at = now()
      FROM (SELECT e.record_id, e.version FROM hub.outbox e
              JOIN (SELECT record_id, max(version) AS version FROM push_claim GROUP BY 1) c
                ON c.record_id = e.record_id
             WHERE e.target = :target AND e.dataset = :dataset AND e.version < c.version
               AND e.state IN ('queued', 'sent', 'waiting_parent')
               FOR UPDATE OF e SKIP LOCKED) old
     WHERE o.record_id = old.record_id AND o.target = :target AND o.dataset = :dataset
       AND o.version = old.version
""")
# Claimed versions that are not the stored one any more; without a stored record nothing goes out,
# but the version that is the record's deletion does.
_CLOSE_CLAIMED = """
    UPDATE hub.outbox o
       SET state = CASE WHEN t.record_id IS NULL THEN 'withheld' ELSE 'superseded' END,
           closed_at = now()
      FROM push_claim c LEFT JOIN data."{table}" t ON t.record_id = c.record_id
     WHERE (t.record_id IS NULL OR t.version > c.version) AND NOT {is_deletion}
       AND o.record_id = c.record_id AND o.target = :target AND o.dataset = :dataset
       AND o.version = c.version
       AND o.state IN ('queued', 'sent', 'waiting_parent')
"""
_ANY_TO_CLOSE = """
    SELECT EXISTS (SELECT FROM push_claim c LEFT JOIN data."{table}" t ON t.record_id = c.record_id
                    WHERE (t.record_id IS NULL OR t.version > c.version) AND NOT {is_deletion})
"""
_IS_DELETION = """
    (t.record_id IS NULL AND EXISTS (SELECT FROM hub.tombstone d WHERE d.dataset = :dataset
        AND d.record_id = c.record_id AND d.version = c.version AND d.returned_at IS NULL))
"""
_KEEP_SENDABLE = text("""
    DELETE FROM push_claim c
     WHERE EXISTS (SELECT FROM hub.outbox o
                    WHERE o.record_id = c.record_id AND o.target = :target
                      AND o.dataset = :dataset AND (
                          (o.version = c.version
                           AND o.state NOT IN ('queued', 'sent', 'waiting_parent'))
                          OR (o.version < c.version
                              AND o.state IN ('queued', 'sent', 'waiting_parent'))))
""")
_LEFT = text("SELECT count(*) FROM push_claim")
_NEXT_DUE = text("""
    SELECT extract(epoch FROM min(next_try_at) - clock_timestamp())::float8 FROM hub.outbox
     WHERE target = :target AND dataset = :dataset
       AND state IN ('queued', 'sent', 'waiting_parent') AND held_by IS NULL
""")
_REQUEUE = text("""
    UPDATE hub.outbox SET state = 'queued', next_try_at = now(), closed_at = NULL, attempts = 0
     WHERE target = :target AND dataset = :dataset AND state = ANY(CAST(:states AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim found: rows that may go out now, and rows that never will."""

    rows: int
    superseded: int

    @property
    def is_empty(self) -> bool:
        """There is nothing more to do now."""
        return self.rows == 0 and self.superseded == 0


def claim(conn: Connection, target: str, dataset: str, table: str, rows: int) -> Claim:
    """Lock up to `rows` outbox rows into the temporary table `push_claim`.

    Args:
        conn: The transaction that will also record the receipts.
        target: System that the rows are for.
        dataset: Which dataset.
        table: Its table in the schema `data`.
        rows: At most so many.
    """
    route = {"target": target, "dataset": dataset}
    conn.execute(_TEMPORARY)
    conn.execute(_CLEAR)
    claimed, newest = conn.execute(_CLAIM, {**route, "rows": rows}).one()
    if claimed == 0:
        return Claim(0, 0)
    conn.execute(PROBE)
    names = {"table": table, "is_deletion": _IS_DELETION}
    has_stale = conn.execute(text(_ANY_TO_CLOSE.format(**names)), {"dataset": dataset}).scalar_one()
    conn.execute(PLAN_FREELY)
    if newest == 1 and not has_stale:  # a first version has none before it
        return Claim(claimed, 0)
    superseded = conn.execute(_SUPERSEDE_OLDER, route).rowcount
    superseded += conn.execute(text(_CLOSE_CLAIMED.format(**names)), route).rowcount
    conn.execute(_KEEP_SENDABLE, route)
    return Claim(int(conn.execute(_LEFT).scalar_one()), superseded)


def seconds_until_due(conn: Connection, target: str, dataset: str) -> float | None:
    """When the next row may go out: 0 or less for now, None when nothing waits."""
    found: float | None = conn.execute(_NEXT_DUE, {"target": target, "dataset": dataset}).scalar()
    return found


def requeue(
    engine: Engine, target: str, dataset: str, states: Sequence[str] = ("parked", "rejected")
) -> int:
    """Send rejected or parked rows once more, after a person has removed the cause; gives how many.

    Versions that were replaced meanwhile are superseded by the next claim.
    """
    facts = {"target": target, "dataset": dataset, "states": list(states)}
    with transaction(engine) as conn:
        return conn.execute(_REQUEUE, facts).rowcount
