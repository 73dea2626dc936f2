"""Quiet: wait until every transaction that began before now is over.

A worker may have sealed values in memory a moment ago and commit them a moment later. What it
began before a key was stopped ends before this returns.
"""

from __future__ import annotations

import time

from sqlalchemy import Engine, text

from tongban.kernel.errors import DatabaseUnavailable
from tongban.store.engine import transaction

PATIENCE_S = 300.0
_PAUSE_S = 0.1

_NOW = text("SELECT pg_current_xact_id()::text")
_OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")


def wait_for_writers(engine: Engine, patience_s: float = PATIENCE_S) -> None:
    """Return when no transaction is open that has written before this call.

    Raises:
        DatabaseUnavailable: One of them is open for more than `patience_s`; nothing was changed.
    """
    with transaction(engine) as conn:
        mine = int(conn.execute(_NOW).scalar_one())
    end = time.monotonic() + patience_s
    while True:
        with transaction(engine) as conn:
            if int(conn.execute(_OLDEST).scalar_one()) > mine:
                return
        if time.monotonic() > end:
            raise DatabaseUnavailable(
                f"database: a transaction is open for more than {patience_s:.0f} s; nothing was "
                "destroyed, try again when it is over"
            )
        time.sleep(_PAUSE_S)
