"""Places: every column of the database that holds envelopes, and what each is bound to.

A dataset's columns are read from the database and not from its contract, so that a field that a
contract dropped, and a dataset that has no contract any more, are not forgotten. A test holds the
list against all tables of the hub: a new sealed column must be named here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Row, text

from tongban.protect.columns import context_prefix
from tongban.protect.keyring import HUB_SCOPE
from tongban.protect.quarantine import ROW_FIELD
from tongban.store.datasets import DATA, HISTORY_SUFFIX, INDEX_SUFFIX

SEALED = {"hub.quarantine": ("row_sealed",), "hub.outbox": ("answer_sealed",)}
"""Sealed columns outside the schema `data`."""

_OWN = "row_digest"
_OUTBOX_KEY = (("record_id", "uuid"), ("target", "text"), ("dataset", "text"), ("version", "int"))
_TABLES = text("SELECT table_name, dataset FROM hub.dataset ORDER BY table_name")
_COLUMNS = text("""
    SELECT column_name FROM information_schema.columns
     WHERE table_schema = 'data' AND table_name = :name AND data_type = 'bytea'
     ORDER BY ordinal_position
""")


@dataclass(frozen=True, slots=True)
class Place:
    """One table with envelopes of one scope.

    Attributes:
        name: Unique; stands in the progress row.
        table: Quoted for SQL.
        key: Primary key columns with their types, in order.
        columns: Sealed columns.
        kind: rows, history, quarantine or answers.
        dataset: Whose values they are; empty for answers, which may be anybody's.
    """

    name: str
    table: str
    key: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    kind: str
    dataset: str

    @property
    def selected(self) -> str:
        """Columns that a chunk reads: the key, what the envelopes are bound to, the envelopes."""
        names = [name for name, _ in self.key]
        names += {"quarantine": ["key_index"]}.get(self.kind, [])
        return ", ".join(f't."{name}"' for name in [*names, *self.columns])

    @property
    def condition(self) -> str:
        """Which rows of the table are meant; `:dataset` is bound."""
        return "t.dataset = :dataset" if self.kind == "quarantine" else "true"

    def context(self, row: Row[tuple[object, ...]], column: str) -> bytes:
        """What the envelope of a row's column is bound to."""
        found = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        if self.kind == "answers":
            return f"receipt|{found['target']}|{found['dataset']}|{found['record_id']}".encode()
        if self.kind == "quarantine":
            refused: UUID = found["key_index"]
            return context_prefix(self.dataset, ROW_FIELD) + refused.bytes
        record: UUID = found["record_id"]
        return context_prefix(self.dataset, column) + record.bytes


def places_of(conn: Connection, scope: str) -> list[Place]:
    """Every place with envelopes of a scope, history before its table.

    History first: a version that is replaced meanwhile goes from the table to the history, where
    the next pass finds it.
    """
    if scope == HUB_SCOPE:
        columns = SEALED["hub.outbox"]
        return [Place("hub.outbox", "hub.outbox", _OUTBOX_KEY, columns, "answers", "")]
    found = []
    for name, dataset in conn.execute(_TABLES):
        if dataset == scope:
            found += _dataset_places(conn, str(name), scope)
    key = (("quarantine_id", "bigint"),)
    refused = SEALED["hub.quarantine"]
    found.append(Place("hub.quarantine", "hub.quarantine", key, refused, "quarantine", scope))
    return found


def scopes_of(conn: Connection) -> list[str]:
    """Every scope that the database may hold envelopes of."""
    return [*sorted({str(dataset) for _, dataset in conn.execute(_TABLES)}), HUB_SCOPE]


def _dataset_places(conn: Connection, name: str, dataset: str) -> list[Place]:
    """History and table of one major version, as far as they hold envelopes."""
    key = (("record_id", "uuid"),)
    wanted = (
        (name + HISTORY_SUFFIX, (*key, ("version", "int")), "history"),
        (name, key, "rows"),
    )
    found = []
    for table, its_key, kind in wanted:
        columns = [str(column) for column in conn.execute(_COLUMNS, {"name": table}).scalars()]
        sealed = tuple(column for column in columns if not _is_ours(column, columns))
        if sealed:
            place = Place(f"{DATA}.{table}", f'{DATA}."{table}"', its_key, sealed, kind, dataset)
            found.append(place)
    return found


def _is_ours(column: str, columns: Sequence[str]) -> bool:
    """Digests, and blind indexes beside their fields."""
    return column == _OWN or (
        column.endswith(INDEX_SUFFIX) and column.removesuffix(INDEX_SUFFIX) in columns
    )
