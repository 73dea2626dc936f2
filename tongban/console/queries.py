"""Queries: the set-based reads that pages are made of; counts and reasons, never a record.

Plain SQL through the engine, read-only, each bounded by an index or by the size of the catalog.
A row's findings name rules and fields only; its sealed content is not read here.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

Row = dict[str, Any]
Route = tuple[str, str, str]  # direction, system, dataset

PAGE_SIZE = 50
_COLUMNS = """transfer_id, direction, system, dataset, parent_id, state, window_since, window_until,
 contract_version, landing, run_id, declared_rows, pages, chunks, read_rows, new_rows, changed_rows,
 same_rows, quarantined_rows, duplicate_rows, stale_rows, warning_rows, pushed_rows,
 acknowledged_rows, rejected_rows, waiting_rows, unclear_rows, work_ms, error_code, error_message,
 started_at, landed_at, finished_at"""


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """One read-only transaction: all numbers of a page are of the same moment."""
    with engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    ) as connection:
        yield connection


def _rows(connection: Connection, statement: str, **parameters: Any) -> list[Row]:
    found = connection.exec_driver_sql(statement, parameters)
    return [dict(row) for row in found.mappings()]


def latest(connection: Connection, routes: Sequence[Route]) -> list[Row]:
    """The last transfer of each route; a route that never ran gives no row."""
    statement = f"""
    SELECT t.* FROM unnest(%(directions)s::text[], %(systems)s::text[], %(datasets)s::text[])
             AS r(direction, system, dataset)
    CROSS JOIN LATERAL (
      SELECT {_COLUMNS} FROM hub.transfer t
      WHERE t.system = r.system AND t.dataset = r.dataset AND t.direction = r.direction
      ORDER BY t.started_at DESC LIMIT 1) t
    ORDER BY t.started_at DESC, t.transfer_id"""  # noqa: S608 - a constant list of columns
    directions, systems, datasets = ([route[i] for route in routes] for i in range(3))
    return _rows(connection, statement, directions=directions, systems=systems, datasets=datasets)


def history(
    connection: Connection,
    *,
    system: str | None = None,
    dataset: str | None = None,
    direction: str | None = None,
    state: str | None = None,
    before: datetime | None = None,
    limit: int = PAGE_SIZE,
) -> list[Row]:
    """Transfers, newest first, that started before a moment; one more than `limit` is read."""
    statement = f"""
    SELECT {_COLUMNS} FROM hub.transfer
    WHERE (%(system)s::text IS NULL OR system = %(system)s)
      AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
      AND (%(direction)s::text IS NULL OR direction = %(direction)s)
      AND (%(state)s::text IS NULL OR state = %(state)s)
      AND (%(before)s::timestamptz IS NULL OR started_at < %(before)s)
    ORDER BY started_at DESC, transfer_id LIMIT %(limit)s"""  # noqa: S608 - constant columns
    return _rows(
        connection,
        statement,
        system=system,
        dataset=dataset,
        direction=direction,
        state=state,
        before=before,
        limit=limit + 1,
    )


def transfer(connection: Connection, transfer_id: UUID) -> Row | None:
    """One transfer, or None."""
    statement = f"SELECT {_COLUMNS} FROM hub.transfer WHERE transfer_id = %(id)s"  # noqa: S608
    found = _rows(connection, statement, id=transfer_id)
    return found[0] if found else None


def relatives(connection: Connection, row: Row) -> list[Row]:
    """Transfers that share the pages of this one: its parent and the parent's children."""
    statement = f"""
    SELECT {_COLUMNS} FROM hub.transfer
    WHERE (transfer_id = %(parent)s OR parent_id = %(parent)s) AND transfer_id <> %(id)s
    ORDER BY dataset"""  # noqa: S608 - constant columns
    parent = row["parent_id"] or row["transfer_id"]
    return _rows(connection, statement, parent=parent, id=row["transfer_id"])


def findings(connection: Connection, transfer_id: UUID) -> list[Row]:
    """Rows per rule and severity of one transfer, most first."""
    statement = """
    SELECT rule, severity, rows FROM hub.transfer_finding WHERE transfer_id = %(id)s
    ORDER BY severity, rows DESC, rule"""
    return _rows(connection, statement, id=transfer_id)


def receipts(connection: Connection, row: Row) -> list[Row]:
    """Outbox rows that one push transfer delivered, by outcome and code."""
    statement = """
    SELECT state, coalesce(code, '') AS code, count(*) AS rows FROM hub.outbox
    WHERE target = %(target)s AND dataset = %(dataset)s AND transfer_id = %(id)s
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""
    return _rows(
        connection,
        statement,
        target=row["system"],
        dataset=row["dataset"],
        id=row["transfer_id"],
    )


def quarantine_groups(
    connection: Connection, *, system: str | None = None, dataset: str | None = None
) -> list[Row]:
    """Open rows by system, dataset and rule; a row with two broken rules counts under both.

    Rows are grouped by their whole findings first, of which there are few kinds.
    """
    statement = """
    WITH kinds AS (
      SELECT system, dataset, findings, count(*) AS rows, max(seen_at) AS seen_at
      FROM hub.quarantine
      WHERE state = 'open' AND (%(system)s::text IS NULL OR system = %(system)s)
        AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
      GROUP BY 1, 2, 3)
    SELECT system, dataset, finding ->> 'rule' AS rule, sum(rows)::bigint AS rows,
           max(seen_at) AS seen_at
    FROM kinds CROSS JOIN LATERAL (
      SELECT DISTINCT ON (f ->> 'rule') f AS finding FROM jsonb_array_elements(findings) f) x
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3"""
    return _rows(connection, statement, system=system, dataset=dataset)


def quarantine_rows(
    connection: Connection, *, dataset: str, rule: str | None = None, limit: int = PAGE_SIZE
) -> list[Row]:
    """The open rows of a dataset that were seen last: references, rules and fields."""
    statement = """
    SELECT quarantine_id, transfer_id, key_index, has_key, findings, times_seen, quarantined_at,
           seen_at
    FROM hub.quarantine
    WHERE state = 'open' AND dataset = %(dataset)s
      AND (%(rule)s::text IS NULL
           OR findings @> jsonb_build_array(jsonb_build_object('rule', %(rule)s::text)))
    ORDER BY quarantine_id DESC LIMIT %(limit)s"""
    return _rows(connection, statement, dataset=dataset, rule=rule, limit=limit)


def quarantine_by_dataset(connection: Connection) -> dict[tuple[str, str], int]:
    """Open rows by system and dataset."""
    statement = """
    SELECT system, dataset, count(*) AS rows FROM hub.quarantine WHERE state = 'open'
    GROUP BY 1, 2"""
    return {(r["system"], r["dataset"]): r["rows"] for r in _rows(connection, statement)}


def outbox_open(connection: Connection) -> list[Row]:
    """Rows that workers still take up, by target, dataset and state (index outbox_pending)."""
    statement = """
    SELECT target, dataset, state, count(*) AS rows, min(queued_at) AS oldest FROM hub.outbox
    WHERE state IN ('queued', 'sent', 'waiting_parent') GROUP BY 1, 2, 3"""
    return _rows(connection, statement)


def outbox_refused(connection: Connection) -> list[Row]:
    """Rejected and parked rows by target, dataset, state and the target's code."""
    statement = """
    SELECT target, dataset, state, coalesce(code, '') AS code, count(*) AS rows,
           max(closed_at) AS last
    FROM hub.outbox WHERE state IN ('rejected', 'parked') GROUP BY 1, 2, 3, 4
    ORDER BY 5 DESC, 1, 2, 3, 4"""
    return _rows(connection, statement)


def pushed_totals(connection: Connection) -> dict[tuple[str, str], Row]:
    """Records acknowledged since ever, from the transfers' own counts."""
    statement = """
    SELECT system, dataset, sum(acknowledged_rows)::bigint AS acknowledged, max(finished_at) AS last
    FROM hub.transfer WHERE direction = 'push' GROUP BY 1, 2"""
    return {(r["system"], r["dataset"]): r for r in _rows(connection, statement)}


def stored_totals(connection: Connection) -> dict[str, Row]:
    """Records stored since ever and the end of the last good pull, by dataset."""
    statement = """
    SELECT t.dataset, sum(t.new_rows)::bigint AS stored, max(t.finished_at) AS last,
           (SELECT min(c.until) FROM hub.cursor c WHERE c.dataset = t.dataset) AS until
    FROM hub.transfer t WHERE t.direction = 'pull' AND t.state = 'finished' GROUP BY t.dataset"""
    return {r["dataset"]: r for r in _rows(connection, statement)}


def day(connection: Connection) -> Row:
    """The last 24 hours in two numbers."""
    statement = """
    SELECT count(*) AS transfers, coalesce(sum(new_rows + changed_rows), 0)::bigint AS stored
    FROM hub.transfer WHERE started_at > now() - interval '24 hours'"""
    return _rows(connection, statement)[0]
