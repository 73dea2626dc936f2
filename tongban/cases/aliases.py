"""Aliases: the numbers that departments and the substation give a case, each leading to it.

A clerk types whatever number is on the paper. One number may lead to several cases (two buyers
apply under one contract), and a case has many numbers; nothing here decides between them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from tongban.cases.number import is_accept_no

# (column of cases.gov_case, whose number it is, what it is called there)
OF_CASES = (
    ("application_no", "substation", "application_no"),
    ("contract_no", "housing", "contract_no"),
    ("ticket_no", "tax", "ticket_no"),
    ("business_no", "registration", "business_no"),
    ("certificate_no", "registration", "certificate_no"),
)
_COLLECT = """
INSERT INTO cases.alias (alias, system, kind, accept_no)
SELECT {column}, '{system}', '{kind}', accept_no
  FROM cases.gov_case WHERE NOT is_told AND {column} IS NOT NULL
ON CONFLICT DO NOTHING
"""
_FIND = """
SELECT alias, system, kind, accept_no FROM cases.alias
 WHERE alias = :number ORDER BY accept_no, system, kind LIMIT :limit
"""
MOST_FOUND = 50


@dataclass(frozen=True, slots=True)
class Alias:
    """One number of a case at one system."""

    alias: str
    system: str
    kind: str
    accept_no: str


def collect_aliases(conn: Connection) -> int:
    """Note the numbers of all cases that changed; gives how many were new."""
    return sum(
        conn.execute(text(_COLLECT.format(column=column, system=system, kind=kind))).rowcount
        for column, system, kind in OF_CASES
    )


def add_alias(conn: Connection, alias: Alias) -> bool:
    """Note one number; gives whether it was new."""
    sql = (
        "INSERT INTO cases.alias (alias, system, kind, accept_no)"
        " VALUES (:alias, :system, :kind, :accept_no) ON CONFLICT DO NOTHING"
    )
    values = {"alias": alias.alias, "system": alias.system, "kind": alias.kind}
    return conn.execute(text(sql), {**values, "accept_no": alias.accept_no}).rowcount > 0


def find_aliases(conn: Connection, number: str) -> tuple[Alias, ...]:
    """Where a number of any system leads, at most `MOST_FOUND`."""
    rows = conn.execute(text(_FIND), {"number": number, "limit": MOST_FOUND})
    return tuple(Alias(**row) for row in rows.mappings())


def cases_of(conn: Connection, number: str) -> tuple[str, ...]:
    """Acceptance numbers that any number means: itself where it is one, else by its aliases."""
    if is_accept_no(number):
        sql = text("SELECT accept_no FROM cases.gov_case WHERE accept_no = :number")
        found = conn.execute(sql, {"number": number}).scalars().all()
        if found:
            return tuple(found)
    return tuple(dict.fromkeys(alias.accept_no for alias in find_aliases(conn, number)))
