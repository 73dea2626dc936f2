"""Checks: what a contract says about one plain column, as CHECKs of its stored table.

A second guard behind validation, for lengths and ranges only: they stand in the contract itself, so
its digest tells when they change. Codes live in files of their own and a new code must not need a
new table; classified columns are ciphertext, and other datasets arrive in any order, so neither has
a constraint here. `tongban contract sql` prints the plain form with everything.
"""

from __future__ import annotations

import hashlib
import re

from sqlalchemy import CheckConstraint, Connection, Table, inspect, text

from tongban.kernel.contracts import Contract, Field

_OURS = re.compile(r"^.+\.(length|range)\.[0-9a-f]{8}$")
_NAME_PART = 36  # of 63 bytes; kind and digest follow


def checks_of(contract: Contract) -> list[CheckConstraint]:
    """CHECKs of the plain columns; the name changes with the text."""
    found: list[CheckConstraint] = []
    for item in contract.fields:
        if item.is_classified:
            continue
        for kind, condition in (("length", _length(item)), ("range", _range(item))):
            if condition:
                digest = hashlib.sha256(f"{item.name} {condition}".encode()).hexdigest()[:8]
                name = f"{item.name[:_NAME_PART]}.{kind}.{digest}"
                found.append(CheckConstraint(condition, name=name))
    return found


def renew_checks(conn: Connection, table: Table) -> None:
    """Drop CHECKs that the contract has no longer, add those that every stored row keeps.

    A tightened contract does not judge what was accepted before: such a CHECK is left out, since
    it would stop every later change of the old row.
    """
    actual = {str(c["name"]) for c in inspect(conn).get_check_constraints(table.name, table.schema)}
    checks = (c for c in table.constraints if isinstance(c, CheckConstraint))
    wanted = {str(check.name): str(check.sqltext) for check in checks}
    place = f'{table.schema}."{table.name}"'
    for name in sorted(actual - set(wanted)):
        if _OURS.match(name):
            conn.execute(text(f'ALTER TABLE {place} DROP CONSTRAINT "{name}"'))
    for name, condition in wanted.items():
        if name in actual:
            continue
        broken = conn.execute(
            text(f"SELECT EXISTS (SELECT 1 FROM {place} WHERE NOT ({condition}))")  # noqa: S608 - our own contract
        ).scalar_one()
        if not broken:
            conn.execute(text(f'ALTER TABLE {place} ADD CONSTRAINT "{name}" CHECK ({condition})'))


def _length(item: Field) -> str:
    low, high = item.min_length or 0, item.max_length
    if not low and high is None:
        return ""
    length = f'char_length("{item.name}")'
    return f"{length} >= {low}" if high is None else f"{length} BETWEEN {low} AND {high}"


def _range(item: Field) -> str:
    form = {"date": "date '{}'", "datetime": "timestamptz '{} 00:00:00+08'"}.get(item.type, "{}")
    bounds = ((">=", item.minimum), ("<=", item.maximum))
    return " AND ".join(
        f'"{item.name}" {op} {form.format(bound)}' for op, bound in bounds if bound is not None
    )
