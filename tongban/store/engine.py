"""Engine: pooled connections to PostgreSQL, time limits, and our errors for its failures.

Every write goes through `transaction`. A connection that breaks, a server that restarts, a
deadlock or a lost race all mean the same to the caller: nothing was written, try again.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tongban.kernel.errors import ConfigInvalid, DatabaseUnavailable, Fatal

CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 120
IDLE_IN_TRANSACTION_TIMEOUT_S = 1800  # a claim waits for all tries of its batch: 4 of 180 s, pauses

_LOST_RACES = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available

_NAMES_ONLY = ("23", "42")


class DatabaseRefused(Fatal):
    """PostgreSQL refused a statement: a constraint, a missing right, a wrong name."""

    code = "fatal.database_refused"


def open_engine(
    url: str, *, pool_size: int = 5, statement_timeout_s: int = STATEMENT_TIMEOUT_S
) -> Engine:
    """Make an engine; no connection is opened before the first use.

    Args:
        url: `postgresql://user:password@host:port/database`.
        pool_size: Connections kept open; twice as many are opened under load.
        statement_timeout_s: The server cancels a statement that takes longer.

    Raises:
        ConfigInvalid: The URL is not one of PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigInvalid(
            f"database URL has the scheme {parsed.drivername!r}; expected postgresql://…"
        )
    limits = {
        "statement_timeout": f"{statement_timeout_s}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_S}s",
        "timezone": "Asia/Shanghai",
        "jit": "off",
    }
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": "tongban",
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # an error never quotes the values of a statement
    )


@contextmanager
def transaction(engine: Engine) -> Generator[Connection]:
    """Commit at the end of the block, roll back on any error.

    Raises:
        DatabaseUnavailable: The server did not answer, or we lost a race; nothing was written.
        DatabaseRefused: The server refused a statement (constraint, rights, syntax).
    """
    try:
        with engine.begin() as conn:
            yield conn
    except PoolTimeout as exc:
        raise DatabaseUnavailable(
            "database: no free connection in the pool; nothing was written, try again"
        ) from exc
    except DBAPIError as exc:
        raise our_error(exc.orig) from None  # the server's words may quote a row
    except psycopg.Error as exc:  # COPY goes past SQLAlchemy
        raise our_error(exc) from None


def driver_of(conn: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection below, for COPY inside the same transaction."""
    driver: psycopg.Connection[Any] = conn.connection.driver_connection  # type: ignore[assignment]
    return driver


def our_error(exc: BaseException | None) -> DatabaseUnavailable | DatabaseRefused:
    """Our error for one of the driver's, without the server's quotation of the row."""
    state = getattr(exc, "sqlstate", None)
    name = type(exc).__name__
    passing = psycopg.OperationalError | psycopg.InterfaceError
    if state in _LOST_RACES or isinstance(exc, passing):
        return DatabaseUnavailable(
            f"database: {name} (SQLSTATE {state or 'none'}); nothing was written, the same call "
            "may succeed later",
            sqlstate=state,
        )
    # Of these classes the first line names columns, tables and constraints, never a value.
    words = ""
    if isinstance(exc, psycopg.Error) and state and state[:2] in _NAMES_ONLY:
        words = f": {exc.diag.message_primary}"
    return DatabaseRefused(
        f"database: {name} (SQLSTATE {state or 'none'}){words}; nothing was written", sqlstate=state
    )
