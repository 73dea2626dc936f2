"""Databases: the databases of the local stack and the roles that own them.

`hub` holds the shared records and is worked on by the role `hub`, which is no superuser, so that
row security binds it; `airflow` holds Airflow's metadata. Tables are made elsewhere: by the store's
migrations and by `airflow db migrate`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tongban.kernel.errors import DatabaseUnavailable, StackBroken
from tongban.local.private_files import kept_secrets

HUB = "hub"
AIRFLOW = "airflow"
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The `postgresql://` URLs of the two databases; not shown, since they hold passwords."""

    hub: str = field(repr=False)
    airflow: str = field(repr=False)


def embedded_urls(server_url: str, passwords: Path) -> DatabaseUrls:
    """Make databases and roles on the embedded server where they are missing; gives their URLs.

    Args:
        server_url: Superuser's URL.
        passwords: JSON file in which the roles' passwords are kept.
    """
    kept = kept_secrets(passwords, dict.fromkeys((HUB, AIRFLOW), _password))
    with _connect(server_url) as connection:
        for name in (HUB, AIRFLOW):
            ensure_role(connection, name, kept[name], creates_roles=name == HUB)
            ensure_database(connection, name, owner=name)
    return DatabaseUrls(
        *(_with(server_url, name, user=name, password=kept[name]) for name in (HUB, AIRFLOW))
    )


def existing_urls(database_url: str) -> DatabaseUrls:
    """Use an existing server: its given database for the hub, `<name>_airflow` beside it.

    Raises:
        DatabaseUnavailable: The server does not answer.
        StackBroken: The database beside is missing and we may not make it.
    """
    name = urlsplit(database_url).path.lstrip("/")
    if not name:
        raise StackBroken(
            "TONGBAN_DATABASE_URL names no database; expected postgresql://user@host:port/database"
        )
    beside = f"{name}_airflow"
    with _connect(database_url) as connection:
        try:
            ensure_database(connection, beside)
        except psycopg.errors.InsufficientPrivilege as exc:
            raise StackBroken(
                f"the database {beside} for Airflow is missing and our role may not create it; "
                f"create it with our role as its owner"
            ) from exc
    return DatabaseUrls(database_url, _with(database_url, beside))


def ensure_role(
    connection: psycopg.Connection[tuple[object, ...]],
    name: str,
    password: str,
    *,
    creates_roles: bool = False,
) -> None:
    """Make a login role, or give it this password."""
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER {} PASSWORD {}").format(
            sql.SQL("ALTER" if known else "CREATE"),
            sql.Identifier(name),
            sql.SQL("CREATEROLE" if creates_roles else "NOCREATEROLE"),
            sql.Literal(password),
        )
    )


def ensure_database(
    connection: psycopg.Connection[tuple[object, ...]], name: str, owner: str | None = None
) -> None:
    """Make a database unless it is there; nobody but its owner may connect to it."""
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if known:
        return
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if owner is not None:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    connection.execute(statement)
    connection.execute(
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
    )


def airflow_revision(url: str) -> str | None:
    """Give the revision of Airflow's tables, or None when there are none yet."""
    with _connect(url) as connection:
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def answers(url: str) -> bool:
    """Tell if the server lets us in."""
    try:
        with _connect(url):
            return True
    except DatabaseUnavailable:
        return False


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as exc:
        parts = urlsplit(url)
        raise DatabaseUnavailable(
            f"PostgreSQL at {parts.hostname}:{parts.port or 5432} let us not in as "
            f"{parts.username}; is it up, and are user and password of its URL right?"
        ) from exc


def _with(url: str, database: str, user: str = "", password: str = "") -> str:
    """Give the URL of another database, and of another role if one is named."""
    parts = urlsplit(url)
    place = parts.netloc
    if user:
        place = f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, place, f"/{database}", parts.query, ""))


def _password() -> str:
    return secrets.token_urlsafe(24)
