"""Rows: the claimed records and their children, read in one query each and opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

import polars as pl
from psycopg import sql
from sqlalchemy import Connection, text

from tongban.kernel.contracts import Contract
from tongban.push.payload import Part, PushPlan
from tongban.store.copy import Selected, query_frame
from tongban.store.datasets import DATA, HISTORY_SUFFIX, stored_type

_ANY_DELETED = text("""
    SELECT EXISTS (SELECT FROM push_claim c JOIN hub.tombstone d ON d.record_id = c.record_id
                    AND d.version = c.version AND d.dataset = :dataset)
""")


class Vault(Protocol):
    """What delivery needs of protection; `tongban.protect.Vault` is one."""

    def open_rows(
        self, frame: pl.DataFrame, contract: Contract, fields: Iterable[str]
    ) -> pl.DataFrame:
        """Readable columns of stored rows."""
        ...

    def mask(self, kind: str, value: str | None) -> str | None:
        """A value as it may be shown."""
        ...

    def keyed_all(self, digests: Sequence[str | None]) -> list[bytes | None]:
        """Digests, lower hex, as they may be stored; null stays null."""
        ...

    def seal(self, context: str, data: bytes) -> bytes:
        """Seal a message that may quote a record."""
        ...


def claimed_rows(
    conn: Connection, plan: PushPlan, target: str, vault: Vault
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The claimed records in the order of the claim.

    Returns:
        The facts of each (`record_id` 16 bytes, `version`, `attempts`, `code` of the last one,
        `is_known`: the target may have an earlier version, `is_deleted`: this version is its
        deletion), and the readable fields that the plan needs, row by row; of a deleted record
        those of its last version.
    """
    contract = plan.main.contract
    is_known = sql.SQL(
        "c.version > 1 AND coalesce((SELECT o.op IS DISTINCT FROM 'D' "
        "OR o.state NOT IN ('accepted', 'duplicate') {} LIMIT 1), false)"
    ).format(_maybe_there(target, contract))
    columns: dict[str, Selected] = {
        "record_id": (sql.SQL("uuid_send(c.record_id)"), pl.Binary()),
        "version": (sql.SQL("c.version"), pl.Int32()),
        "attempts": (sql.SQL("c.attempts"), pl.Int16()),
        "code": (sql.SQL("c.code"), pl.String()),
        "is_known": (is_known, pl.Boolean()),
        **_selected(contract, plan.needed, "t"),
        "place": (sql.SQL("row_number() OVER (ORDER BY c.rank_at, c.seq)"), pl.Int64()),
    }
    rest = sql.SQL(
        "FROM push_claim c JOIN {} t ON t.record_id = c.record_id AND t.version = c.version "
        "ORDER BY c.rank_at, c.seq"
    ).format(_table(contract))
    found = query_frame(conn, columns, rest).with_columns(is_deleted=pl.lit(value=False))
    if conn.execute(_ANY_DELETED, {"dataset": contract.dataset}).scalar_one():
        gone = sql.SQL(
            "FROM push_claim c JOIN hub.tombstone d ON d.dataset = {} AND d.record_id = c.record_id"
            " AND d.version = c.version JOIN {} t ON t.record_id = d.record_id"
            " AND t.version = d.version - 1 ORDER BY c.rank_at, c.seq"
        ).format(sql.Literal(contract.dataset), _history(contract))
        deleted = query_frame(conn, columns, gone).with_columns(is_deleted=pl.lit(value=True))
        found = pl.concat([found, deleted]).sort("place")
    facts = found.select("record_id", "version", "attempts", "code", "is_known", "is_deleted")
    return facts, vault.open_rows(found, contract, plan.needed)


def rows_as_sent(
    conn: Connection, plan: PushPlan, target: str, vault: Vault, record_ids: Sequence[bytes]
) -> pl.DataFrame:
    """Some claimed records as the target has them: the last version that may be there.

    Returns:
        `record_id` and the readable fields that the plan needs; no row for a version that the
        history has no longer.
    """
    contract = plan.main.contract
    columns: dict[str, Selected] = {
        "record_id": (sql.SQL("uuid_send(c.record_id)"), pl.Binary()),
        **_selected(contract, plan.needed, "t"),
    }
    rest = sql.SQL(
        "FROM push_claim c CROSS JOIN LATERAL (SELECT o.version {} LIMIT 1) e "
        "JOIN {} t ON t.record_id = c.record_id AND t.version = e.version "
        "WHERE c.record_id = ANY({})"
    ).format(
        _maybe_there(target, contract),
        _history(contract),
        sql.Literal([UUID(bytes=record_id) for record_id in record_ids]),
    )
    found = query_frame(conn, columns, rest)
    opened = vault.open_rows(found, contract, plan.needed)
    return opened.with_columns(found["record_id"])


def children_rows(conn: Connection, plan: PushPlan, part: Part, vault: Vault) -> pl.DataFrame:
    """All children of the claimed records, in the order of their own keys."""
    contract = part.contract
    columns: dict[str, Selected] = {
        "record_id": (sql.SQL("uuid_send(x.record_id)"), pl.Binary()),
        **_selected(contract, part.needed, "x"),
    }
    parents = sql.SQL(", ").join(
        sql.SQL("t.{} AS {}").format(sql.Identifier(theirs), sql.Identifier(ours))
        for ours, theirs in part.on.items()
    )
    rest = sql.SQL(
        "FROM (SELECT DISTINCT {} FROM push_claim c JOIN {} t ON t.record_id = c.record_id) p "
        "JOIN {} x USING ({}) ORDER BY {}"
    ).format(
        parents,
        _table(plan.main.contract),
        _table(contract),
        sql.SQL(", ").join(map(sql.Identifier, part.on)),
        sql.SQL(", ").join(sql.SQL("x.{}").format(sql.Identifier(name)) for name in contract.key),
    )
    return vault.open_rows(query_frame(conn, columns, rest), contract, part.needed)


def _maybe_there(target: str, contract: Contract) -> sql.Composable:
    """Earlier versions of a claimed record that went out and were not refused, newest first.

    A row that was given up or tried again keeps the code of its last answer; without one it is
    not known what became of it.
    """
    return sql.SQL(
        "FROM hub.outbox o WHERE o.record_id = c.record_id AND o.target = {} AND o.dataset = {} "
        "AND o.version < c.version AND o.sent_at IS NOT NULL "
        "AND (o.state IN ('accepted', 'duplicate', 'sent') OR (o.code IS NULL "
        "AND o.state IN ('superseded', 'queued', 'parked', 'withheld'))) ORDER BY o.version DESC"
    ).format(sql.Literal(target), sql.Literal(contract.dataset))


def _selected(contract: Contract, names: Iterable[str], alias: str) -> dict[str, Selected]:
    """Columns of some fields as they are stored."""
    return {
        name: (
            sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(name)),
            stored_type(contract.field(name)),
        )
        for name in names
    }


def _table(contract: Contract) -> sql.Identifier:
    return sql.Identifier(DATA, contract.table)


def _history(contract: Contract) -> sql.Identifier:
    return sql.Identifier(DATA, contract.table + HISTORY_SUFFIX)
