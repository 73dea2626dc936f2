"""Summaries: where every route stands, in one set-based query each; ids and counts only.

For `tongban transfers` and the tests. `in_balance` is recomputed here
from the counts and from the tables, not read from a flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, text

from tongban.kernel.contracts import Contract
from tongban.store.datasets import DATA
from tongban.store.engine import transaction

_PULLS = text("""
    SELECT t.system, t.dataset, 'pull' AS direction,
           count(*) FILTER (WHERE t.state = 'finished') AS transfers,
           sum(t.read_rows)::bigint AS read,
           sum(t.new_rows + t.changed_rows + t.same_rows)::bigint AS accepted,
           sum(t.quarantined_rows)::bigint AS quarantined,
           sum(t.duplicate_rows)::bigint AS duplicate,
           0::bigint AS pushed, 0::bigint AS acknowledged,
           sum(t.work_ms)::float8 / 1000 AS seconds,
           (array_agg(t.state ORDER BY t.started_at DESC))[1] AS state,
           max(t.started_at) AS started_at, max(t.finished_at) AS finished_at,
           bool_and(t.state <> 'finished' OR t.read_rows = t.new_rows + t.changed_rows
                    + t.same_rows + t.quarantined_rows + t.duplicate_rows) AS in_balance
      FROM hub.transfer t
     WHERE t.direction = 'pull' AND t.started_at >= coalesce(:since, '-infinity'::timestamptz)
     GROUP BY t.system, t.dataset
""")
# What went out is counted by record and version, however often it was tried.
_PUSHES = text("""
    SELECT o.target AS system, o.dataset, 'push' AS direction,
           count(DISTINCT o.transfer_id) AS transfers,
           0::bigint AS read, 0::bigint AS accepted,
           0::bigint AS quarantined, 0::bigint AS duplicate,
           count(*) FILTER (WHERE o.sent_at IS NOT NULL OR o.state = 'rejected') AS pushed,
           count(*) FILTER (WHERE o.state IN ('accepted', 'duplicate')) AS acknowledged,
           (SELECT coalesce(sum(extract(epoch FROM t.finished_at - t.started_at)), 0)::float8
              FROM hub.transfer t WHERE t.direction = 'push' AND t.system = o.target
               AND t.dataset = o.dataset
               AND t.started_at >= coalesce(:since, '-infinity'::timestamptz)) AS seconds,
           CASE WHEN bool_or(o.state IN ('rejected', 'parked')) THEN 'refused'
                WHEN bool_or(o.state IN ('queued', 'sent', 'waiting_parent')) THEN 'open'
                ELSE 'finished' END AS state,
           min(o.sent_at) AS started_at, max(o.closed_at) AS finished_at,
           NOT bool_or(o.state IN ('queued', 'sent', 'waiting_parent', 'rejected', 'parked'))
               AS in_balance
      FROM hub.outbox o
     WHERE o.state NOT IN ('superseded', 'withheld')
       AND o.queued_at >= coalesce(:since, '-infinity'::timestamptz)
     GROUP BY o.target, o.dataset
""")
_QUARANTINE = text("""
    SELECT q.system, q.dataset, f ->> 'rule' AS rule, count(*) AS rows,
           max(q.seen_at) AS seen_at
      FROM hub.quarantine q CROSS JOIN LATERAL jsonb_array_elements(q.findings) f
     WHERE q.state = 'open' GROUP BY 1, 2, 3 ORDER BY 1, 2, 4 DESC, 3
""")
_OUTBOX = text("""
    SELECT target, dataset, state, count(*) AS rows, min(queued_at) AS oldest
      FROM hub.outbox GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """One line of the transfers table: a pulled or a pushed (system, dataset).

    Attributes:
        pushed: Versions that went out; superseded and withheld ones do not count.
        in_balance: Pull: every finished transfer's counts add up. Push: every version that had to
            go out is acknowledged.
    """

    system: str
    dataset: str
    direction: str
    transfers: int
    read: int
    accepted: int
    quarantined: int
    duplicate: int
    pushed: int
    acknowledged: int
    seconds: float
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    in_balance: bool


@dataclass(frozen=True, slots=True)
class DatasetBalance:
    """What transfers say was stored of a dataset, against what its tables and tombstones hold."""

    dataset: str
    counted_records: int
    stored_records: int
    counted_versions: int
    stored_versions: int

    @property
    def in_balance(self) -> bool:
        """Records and versions agree."""
        return (
            self.counted_records == self.stored_records
            and self.counted_versions == self.stored_versions
        )


def route_summaries(engine: Engine, *, since: datetime | None = None) -> list[RouteSummary]:
    """Every route that was used since a moment: pulls first, then pushes, each by name."""
    with transaction(engine) as conn:
        rows = _rows(conn, _PULLS, since) + _rows(conn, _PUSHES, since)
    found = [RouteSummary(**row) for row in rows]
    return sorted(found, key=lambda r: (r.direction, r.system, r.dataset))


def dataset_balances(engine: Engine, contracts: Sequence[Contract]) -> list[DatasetBalance]:
    """Recount every dataset's table and history and hold them against the transfers' counts."""
    found = []
    with transaction(engine) as conn:
        for contract in contracts:
            counted = conn.execute(
                text("""
                    SELECT coalesce(sum(new_rows), 0)::bigint AS records,
                           coalesce(sum(new_rows + changed_rows), 0)::bigint AS versions
                      FROM hub.transfer WHERE direction = 'pull' AND dataset = :dataset
                """),
                {"dataset": contract.dataset},
            ).one()
            table = f'{DATA}."{contract.table}"'
            history = f'{DATA}."{contract.table}_history"'
            records, versions = conn.execute(
                text(
                    f"SELECT (SELECT count(*) FROM {table})"  # noqa: S608 - our own names
                    " + (SELECT count(*) FROM hub.tombstone"
                    " WHERE dataset = :dataset AND returned_at IS NULL), "
                    f"(SELECT count(*) FROM {table}) + (SELECT count(*) FROM {history})"
                ),
                {"dataset": contract.dataset},
            ).one()
            found.append(
                DatasetBalance(
                    contract.dataset, counted.records, records, counted.versions, versions
                )
            )
    return found


def open_quarantine_counts(engine: Engine) -> list[RowMapping]:
    """Open rows by `system`, `dataset` and `rule`; a row with two broken rules counts twice."""
    with transaction(engine) as conn:
        return list(conn.execute(_QUARANTINE).mappings())


def outbox_counts(engine: Engine) -> list[RowMapping]:
    """Rows by `target`, `dataset` and `state`, and since when the oldest is there."""
    with transaction(engine) as conn:
        return list(conn.execute(_OUTBOX).mappings())


def _rows(conn: Connection, statement: Any, since: datetime | None) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(statement, {"since": since}).mappings()]
