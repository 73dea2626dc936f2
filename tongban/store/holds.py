"""Holds: one living worker at a time on one landing.

A pull that was cut off is continued by the next one. Whether it was cut off or is still running,
its row cannot say; a lock of the worker's own database session can, since it ends with the worker,
however that ends. Two workers in one landing would mix the pages of two readings.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tongban.store.engine import our_error

_TRY = text("SELECT pg_try_advisory_lock(:number)")
_FREE = text("SELECT pg_advisory_unlock(:number)")


@contextmanager
def held(engine: Engine, subject: UUID) -> Generator[bool]:
    """Hold a landing for the length of the block.

    Yields:
        Whether it is ours; False when another worker holds it just now.

    Raises:
        DatabaseUnavailable: PostgreSQL did not answer.
    """
    number = {"number": int.from_bytes(subject.bytes[:8], "big", signed=True)}
    with ExitStack() as stack:
        try:
            conn = stack.enter_context(engine.connect())
            conn = conn.execution_options(isolation_level="AUTOCOMMIT")
            is_ours = bool(conn.execute(_TRY, number).scalar_one())
        except DBAPIError as exc:
            raise our_error(exc.orig) from None
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(DBAPIError):  # the session broke, and the lock went with it
                    conn.execute(_FREE, number)
