"""Budgeting: the budget that `system check` and `system try` share with the workers of the hub.

A department counts our calls, whoever makes them. Where the hub's database answers, its ledger is
used; where it does not, nobody else can be calling through it, and the command keeps its own.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from tongban.kernel.errors import TongbanError
from tongban.kernel.ledger import Ledger, MemoryLedger
from tongban.kernel.settings import Settings
from tongban.store.engine import open_engine
from tongban.store.ledger import PostgresLedger

_NOBODY = "nobody"  # no system is called so: reading its state proves that the ledger is there


@contextmanager
def shared_ledger(settings: Settings) -> Generator[tuple[Ledger, bool]]:
    """Give the ledger to count calls in.

    Yields:
        The ledger, and whether it is the one that all workers share.
    """
    if settings.database_url is None:
        yield MemoryLedger(time.monotonic), False
        return
    engine = open_engine(settings.database_url, pool_size=1)
    try:
        ledger = PostgresLedger(engine)
        is_there = _answers(ledger)
        yield (ledger if is_there else MemoryLedger(time.monotonic)), is_there
    finally:
        engine.dispose()


def _answers(ledger: PostgresLedger) -> bool:
    try:
        ledger.refused(_NOBODY)
    except TongbanError:  # away, or a database that was never migrated
        return False
    return True
