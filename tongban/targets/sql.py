"""SQL: a contract as a table of PostgreSQL, with every error rule as a CHECK.

The plain form is what a department would create for itself: readable columns, keys, references.
It is not the hub's own table, in which classified columns are ciphertext and need no CHECK,
since no engine can look into them (`tongban.store.datasets`). Warnings are printed as comments:
a CHECK refuses, a warning does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeEngine

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field
from tongban.store.datasets import DATA, dataset_table, history_table
from tongban.targets.declared import document_of
from tongban.targets.shapes import MONTH_TEXT
from tongban.targets.sql_functions import FUNCTIONS, LOADERS, needed_by
from tongban.targets.sql_rules import condition, decimal_fits, literal, quoted
from tongban.targets.statements import Gap, statements_of

LONGEST_NAME = 63  # bytes, PostgreSQL's NAMEDATALEN - 1
TYPE_GAP = (
    "PostgreSQL reads more forms of text than the exchange form (an exponent, a day that loses its "
    "time, a moment that gets the session's zone); load text through {}(), or bind typed values"
)


@dataclass(frozen=True, slots=True)
class SqlTarget:
    """A contract as SQL.

    Attributes:
        table: The plain table in a metadata of its own.
        functions: Definitions that the table's CHECKs need, in order.
        references: Foreign keys, to be added where both tables stand in one database.
        warnings: (rule, condition) of rules that are told and not enforced.
        gaps: Rules that this target says only in part.
    """

    table: sa.Table
    functions: tuple[str, ...] = field(repr=False)
    references: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...]
    gaps: tuple[Gap, ...]

    @property
    def text(self) -> str:
        """Functions, table, comments and references as one script."""
        parts = [*self.functions, f"{created(self.table)};"]
        parts += [f"-- not enforced, a warning: {rule}: {text}" for rule, text in self.warnings]
        parts += [f"-- said in part: {gap.rule}: {gap.why}" for gap in self.gaps]
        return "\n\n".join([*parts, *self.references]) + "\n"


def compile_sql(
    contract: Contract, codes: CodeTables, others: Mapping[str, Contract] | None = None
) -> SqlTarget:
    """Compile a contract to its plain table.

    Args:
        contract: The contract.
        codes: Code tables whose codes become part of the CHECKs.
        others: Contracts that relationships may lead to; without them there is no foreign key.

    Raises:
        ConfigInvalid: As `compile_contract`.
    """
    checks: list[sa.CheckConstraint] = []
    warnings: list[tuple[str, str]] = []
    for statement in statements_of(contract, codes):
        text = _typed(statement.item) if statement.kind == "type" else condition(statement)
        if text is None:
            continue
        if statement.is_enforced:
            checks.append(_check(statement.id, text))
        else:
            warnings.append((statement.id, text))
    document = document_of(contract)
    uniques = [
        sa.UniqueConstraint(item.name, name=_name(f"{item.name}.unique"))
        for item in contract.fields
        if document.of(item.name).unique and contract.key != (item.name,)
    ]
    table = sa.Table(
        contract.table,
        sa.MetaData(),
        *(_column(item) for item in contract.fields),
        sa.PrimaryKeyConstraint(*contract.key, name=_name(f"{contract.table}_pkey")),
        *uniques,
        *checks,
        comment=contract.label,
    )
    said = "\n".join(str(check.sqltext) for check in checks)
    loaded = [item for item in contract.fields if item.type in LOADERS]
    wanted = dict.fromkeys(LOADERS[item.type] for item in loaded)
    return SqlTarget(
        table=table,
        functions=(*needed_by(said), *(FUNCTIONS[name] for name in wanted)),
        references=tuple(_references(contract, others or {})),
        warnings=tuple(warnings),
        gaps=tuple(
            Gap(f"{item.name}.type", TYPE_GAP.format(LOADERS[item.type])) for item in loaded
        ),
    )


def stored_sql(contract: Contract) -> str:
    """The hub's own tables of a contract: the newest versions and the history."""
    parts = [f"CREATE SCHEMA IF NOT EXISTS {quoted(DATA)};"]
    for table in (dataset_table(contract), history_table(contract)):
        parts.append(f"{created(table)};")
        parts += [f"{_compiled(CreateIndex(index))};" for index in _sorted(table.indexes)]
    return "\n\n".join(parts) + "\n"


def created(table: sa.Table) -> str:
    """CREATE TABLE and its comments, without the last semicolon."""
    place = _compiled(sa.schema.CreateTable(table)).split("(", 1)[0].split("TABLE", 1)[1].strip()
    lines = [_compiled(CreateTable(table))]
    if table.comment:
        lines.append(f"COMMENT ON TABLE {place} IS {literal(table.comment)}")
    lines += [
        f"COMMENT ON COLUMN {place}.{quoted(column.name)} IS {literal(column.comment)}"
        for column in table.columns
        if column.comment
    ]
    return ";\n".join(lines)


def _compiled(element: Any) -> str:
    """Text of a statement without any placeholder."""
    text = str(element.compile(dialect=postgresql.dialect(paramstyle="named")))  # type: ignore[no-untyped-call]
    return "\n".join(line.replace("\t", "  ").rstrip() for line in text.strip().splitlines())


def _sorted(indexes: Any) -> list[sa.Index]:
    return sorted(indexes, key=lambda index: str(index.name))


def _column(item: Field) -> sa.Column[Any]:
    comment = item.label if not item.is_classified else f"{item.label}（敏感；枢纽库中加密存放）"
    return sa.Column(item.name, _type_of(item), nullable=not item.required, comment=comment)


def _type_of(item: Field) -> TypeEngine[Any]:
    """Types that refuse and never bend: numeric(p,s) rounds and varchar(n) cuts blanks off."""
    types: dict[str, TypeEngine[Any]] = {
        "integer": sa.BigInteger(),
        "decimal": sa.Numeric(),
        "date": sa.Date(),
        "datetime": sa.DateTime(timezone=True),
        "boolean": sa.Boolean(),
    }
    return types.get(item.type, sa.Text())


def _typed(item: Field) -> str | None:
    if item.type == "month":
        return f"{quoted(item.name)} ~ {literal(MONTH_TEXT)}"
    return decimal_fits(item) if item.type == "decimal" else None


def _check(rule_id: str, text: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(sa.literal_column(text), name=_name(rule_id))


def _name(wanted: str) -> str:
    """A name that PostgreSQL does not cut off, so that it stays unique."""
    if len(wanted.encode()) <= LONGEST_NAME:
        return wanted
    return f"{wanted[:40]}_{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"


def _references(contract: Contract, others: Mapping[str, Contract]) -> list[str]:
    """Foreign keys of the declared relationships that lead to another dataset's key."""
    document = document_of(contract)
    found: list[str] = []
    for item in contract.fields:
        for link in document.of(item.name).references:
            dataset, _, name = link.rpartition(".")
            other = others.get(dataset)
            if other is None:
                found.append(f"-- {item.name} refers to {link}, which has no contract here")
            elif other.key != (name,):
                found.append(f"-- {item.name} refers to {link}, which is not the key there")
            else:
                found.append(
                    f"-- needs {quoted(other.table)}; leave it out where that table is not:\n"
                    f"ALTER TABLE {quoted(contract.table)} ADD CONSTRAINT "
                    f"{quoted(_name(f'{item.name}.reference'))} FOREIGN KEY ({quoted(item.name)})"
                    f" REFERENCES {quoted(other.table)} ({quoted(name)});"
                )
    return found
