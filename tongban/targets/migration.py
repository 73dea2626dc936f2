"""Migration: an Alembic revision that leads from a table as it is to the table of a contract.

Alembic compares; CHECKs, which it does not compare, are compared here by name and text. Nothing is
changed: the old form of a plain table is made in a schema of its own, and rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops

from tongban.kernel.contracts import Contract
from tongban.store.datasets import DATA, dataset_table, history_table
from tongban.targets.sql import SqlTarget

SCRATCH = "tongban_scratch"
_HEAD = '''"""{title}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{revision}"
down_revision = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def stored_migration(conn: sa.Connection, contract: Contract) -> str:
    """From the hub's tables in the database to those of a contract.

    The hub extends its own tables by itself (`tongban up`); this shows what that will be, also
    where it will refuse.
    """
    wanted = sa.MetaData()
    for table in (dataset_table(contract), history_table(contract)):
        table.to_metadata(wanted, schema=DATA)
    script = _compared(conn, wanted, DATA)
    return _written(script, contract, f"{contract.dataset} {contract.version}, stored")


def plain_migration(conn: sa.Connection, contract: Contract, old: SqlTarget, new: SqlTarget) -> str:
    """From the plain table of one contract to that of another version.

    Args:
        conn: In a transaction that the caller rolls back; the schema `tongban_scratch` is used.
        contract: The new contract.
        old: Its predecessor, compiled.
        new: The new contract, compiled.
    """
    conn.execute(sa.text(f"CREATE SCHEMA {SCRATCH}"))
    _bare(old.table, old.table.name).create(conn)
    wanted = _bare(new.table, old.table.name).metadata
    script = _compared(conn, wanted, SCRATCH)
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    assert upgrade is not None and downgrade is not None  # noqa: S101, PT018 - always made
    _compare_checks(upgrade, old.table, new.table)
    _compare_checks(downgrade, new.table, old.table)
    if new.table.name != old.table.name:
        upgrade.ops.append(ops.RenameTableOp(old.table.name, new.table.name))
        downgrade.ops.insert(0, ops.RenameTableOp(new.table.name, old.table.name))
    text = _written(script, contract, f"{contract.dataset} to {contract.version}")
    return re.sub(rf",\s*schema='{SCRATCH}'", "", text)  # on a line of its own in a long call


def _bare(table: sa.Table, name: str) -> sa.Table:
    """The table without its CHECKs, which may call functions that are not there."""
    made = table.to_metadata(sa.MetaData(), schema=SCRATCH, name=name)
    for constraint in list(made.constraints):
        if isinstance(constraint, sa.CheckConstraint):
            made.constraints.discard(constraint)
    return made


def _compared(conn: sa.Connection, wanted: sa.MetaData, schema: str) -> ops.MigrationScript:
    names = {table.name for table in wanted.tables.values()}

    def include(_: Any, name: str | None, kind: str, __: bool, ___: Any) -> bool:  # noqa: FBT001 - Alembic's signature
        return kind != "table" or name in names

    context = MigrationContext.configure(
        conn,
        opts={
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == schema,
            "include_object": include,
            "compare_type": True,
            "target_metadata": wanted,
        },
    )
    return produce_migrations(context, wanted)


def _checks(table: sa.Table) -> dict[str, str]:
    found: Iterable[Any] = (c for c in table.constraints if isinstance(c, sa.CheckConstraint))
    return {str(check.name): str(check.sqltext) for check in found}


def _compare_checks(part: ops.UpgradeOps | ops.DowngradeOps, old: sa.Table, new: sa.Table) -> None:
    """Drop what is gone or changed before columns change, add what is new after them."""
    before, after = _checks(old), _checks(new)
    place = old.name
    changed = [name for name, text in before.items() if after.get(name) != text]
    added = [name for name, text in after.items() if before.get(name) != text]
    dropped = [ops.DropConstraintOp(name, place, type_="check") for name in changed]
    created = [
        ops.CreateCheckConstraintOp(name, place, sa.literal_column(after[name])) for name in added
    ]
    part.ops[:] = [*dropped, *part.ops, *created]


def _written(script: ops.MigrationScript, contract: Contract, title: str) -> str:
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    assert upgrade is not None and downgrade is not None  # noqa: S101, PT018 - always made
    bodies = [_body(part) for part in (upgrade, downgrade)]
    return _HEAD.format(
        title=title, revision=contract.digest[:12], upgrade=bodies[0], downgrade=bodies[1]
    )


def _body(part: ops.UpgradeOps | ops.DowngradeOps) -> str:
    text = render_python_code(part)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("# ###")]
    return "\n".join(lines).strip() or "pass"
