"""Dataset tables: a contract as a table of the schema `data`, and its history table.

`data.<dataset>_v<major>` holds the newest version of each record, `…_history` every version that
was replaced. Classified fields are envelopes (bytea); their blind index stands beside them.
A table is only ever extended: a new optional field is a new column, a dropped field stays as it
is, and a change of type needs a new major version of the contract.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import TypeEngine

from tongban.kernel.contracts import Contract, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.store import tables
from tongban.store.checks import checks_of, renew_checks

DATA = "data"
INDEX_SUFFIX = "_index"
HISTORY_SUFFIX = "_history"

_HUB_COLUMNS = {"record_id", "version", "row_digest", "transfer_id", "stored_at", "confirmed_at"}
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def versioned_columns(contract: Contract) -> list[str]:
    """Every column that the history keeps, `replaced_at` aside."""
    return [column.name for column in dataset_table(contract).columns]


def search_columns(contract: Contract) -> list[tuple[Field, str]]:
    """Indexed fields with the column to search: the blind index, or the plain column itself."""
    return [
        (item, item.name + INDEX_SUFFIX if item.is_classified else item.name)
        for item in contract.indexed
    ]


def dataset_table(contract: Contract) -> Table:
    """The table of the newest versions, in a metadata of its own.

    Raises:
        ConfigInvalid: A field has the name of a column that the hub adds itself.
    """
    name = contract.table
    for taken in sorted(_HUB_COLUMNS & set(contract.by_name)):
        raise ConfigInvalid(
            f"contract {contract.dataset}: the field name {taken!r} is a column of the hub's own; "
            "rename the field",
            field=taken,
        )
    table = Table(
        name,
        MetaData(schema=DATA),
        Column("record_id", Uuid, nullable=False, comment="keyed hash of dataset and key"),
        *_columns(contract, is_history=False),
        PrimaryKeyConstraint("record_id", name=f"{name}_pkey"),
        *checks_of(contract),
        comment=contract.label,
    )
    for _, column in search_columns(contract):
        Index(f"{name}_{column}_idx", table.c[column])
    if len(contract.key) > 1:
        Index(f"{name}_key_idx", *(table.c[part] for part in contract.key))
    return table


def history_table(contract: Contract) -> Table:
    """The table of the versions that were replaced."""
    name = contract.table + HISTORY_SUFFIX
    return Table(
        name,
        MetaData(schema=DATA),
        Column("record_id", Uuid, nullable=False),
        *_columns(contract, is_history=True),
        Column("replaced_at", DateTime(timezone=True), nullable=False),
        PrimaryKeyConstraint("record_id", "version", name=f"{name}_pkey"),
        comment=f"{contract.label}: replaced versions",
    )


def ensure_dataset(conn: Connection, contract: Contract) -> None:
    """Make or extend the tables of a contract; nothing happens when they fit already.

    Raises:
        ConfigInvalid: The contract gives a column another type than the table has.
    """
    known = conn.execute(
        text("SELECT contract_digest FROM hub.dataset WHERE table_name = :name"),
        {"name": contract.table},
    ).scalar()
    if known == contract.digest:
        return
    for table in (dataset_table(contract), history_table(contract)):
        if inspect(conn).has_table(table.name, schema=DATA):
            _extend(conn, table, contract)
        else:
            table.create(conn)
    facts = {
        "table_name": contract.table,
        "dataset": contract.dataset,
        "version": contract.version,
        "label": contract.label,
        "owner": contract.owner,
        "contract_digest": contract.digest,
    }
    upsert = insert(tables.dataset).values(facts)
    conn.execute(
        upsert.on_conflict_do_update(
            index_elements=["table_name"],
            set_={**{k: upsert.excluded[k] for k in facts}, "updated_at": text("now()")},
        )
    )


def stored_type(item: Field) -> pl.DataType:
    """Type of a field's column when it is read as a frame (see `tongban.store.copy`)."""
    if item.is_classified:
        return pl.Binary()
    types: dict[str, pl.DataType] = {
        "integer": pl.Int64(),
        "decimal": pl.Decimal(item.precision or 38, item.scale or 0),
        "date": pl.Date(),
        "datetime": pl.Datetime("us", "Asia/Shanghai"),
        "boolean": pl.Boolean(),
    }
    return types.get(item.type, pl.String())


def _columns(contract: Contract, *, is_history: bool) -> list[Column[Any]]:
    """The contract's columns, then the hub's own."""
    columns: list[Column[Any]] = []
    for item in contract.fields:
        needed = item.required and not item.is_classified and not is_history
        columns.append(Column(item.name, _type_of(item), nullable=not needed, comment=item.label))
        if item.index and item.is_classified:
            comment = f"{item.label}: blind index"
            columns.append(Column(item.name + INDEX_SUFFIX, LargeBinary, comment=comment))
    if "changed_at" not in contract.by_name:
        columns.append(Column("changed_at", DateTime(timezone=True)))
    columns += [
        Column("version", Integer, nullable=False, server_default=text("1")),
        Column("row_digest", LargeBinary, nullable=False),
        Column("transfer_id", Uuid, nullable=False),
        Column("stored_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        Column(
            "confirmed_at",
            DateTime(timezone=True),
            comment="newest change time with which this same content came again",
        ),
    ]
    return columns


def _type_of(item: Field) -> TypeEngine[Any]:
    """Column type of a field; text has no length, since the contract's rules check it."""
    types: dict[str, TypeEngine[Any]] = {
        "string": Text(),
        "month": Text(),
        "integer": BigInteger(),
        "decimal": Numeric(item.precision, item.scale),
        "date": Date(),
        "datetime": DateTime(timezone=True),
        "boolean": Boolean(),
    }
    return LargeBinary() if item.is_classified else types[item.type]


def _extend(conn: Connection, table: Table, contract: Contract) -> None:
    """Add missing columns and indexes; loosen what the contract does not require any more."""
    found = {c["name"]: c for c in inspect(conn).get_columns(table.name, schema=DATA)}
    place = f'{DATA}."{table.name}"'
    for column in table.columns:
        wanted = column.type.compile(_DIALECT)
        if column.name not in found:
            conn.execute(text(f'ALTER TABLE {place} ADD COLUMN "{column.name}" {wanted}'))
            continue
        actual = found[column.name]["type"].compile(_DIALECT)
        if actual != wanted:
            raise ConfigInvalid(
                f"contract {contract.dataset} {contract.version}: {column.name} is {wanted}, the "
                f"table {table.name} has {actual}; raise the contract's major version",
                dataset=contract.dataset,
                field=column.name,
            )
    required = {column.name for column in table.columns if not column.nullable}
    for name, column_facts in found.items():
        if not column_facts["nullable"] and name not in required:
            conn.execute(text(f'ALTER TABLE {place} ALTER COLUMN "{name}" DROP NOT NULL'))
    for index in table.indexes:
        index.create(conn, checkfirst=True)
    renew_checks(conn, table)
