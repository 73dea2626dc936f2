"""Approval watch: an event for Airflow at the moment a question to a person is committed.

Runs inside Airflow's triggerer. PostgreSQL tells each new question on a channel, so nobody asks
the database again and again; what was asked while no triggerer ran is found at the start. Once a
minute it also seals what a process that was killed left in the evidence log without a seal: a
process that is always there costs less than a DAG that starts one every minute.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tongban.kernel.errors import TongbanError
from tongban.kernel.settings import load_settings

PAUSE_S = 10.0  # before the next try when the database is away
_HAS_TABLE = "SELECT to_regclass('hub.approval') IS NOT NULL"
SEAL_EVERY_S = 60.0
_IS_LATE = """
    SELECT to_regclass('hub.evidence_seal') IS NOT NULL AND EXISTS (
        SELECT FROM hub.evidence_entry
         WHERE seq = coalesce((SELECT max(last) FROM hub.evidence_seal), 0) + 1
           AND at < now() - interval '60 seconds')
"""
_UNSHOWN = "SELECT count(*) FROM hub.approval WHERE state = 'waiting' AND shown_in IS NULL"


class QuestionAsked(BaseEventTrigger):
    """Fires for each question; takes no arguments, so that no address is stored in Airflow."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._listener: Any = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the path of this class."""
        return (f"{type(self).__module__}.{type(self).__qualname__}", {})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for questions until the triggerer stops.

        Yields:
            One event per question, or one for all that no task shows yet.

        Raises:
            ConfigInvalid: The triggerer does not know the hub's database.
        """
        import psycopg

        from tongban.store.approvals import CHANNEL

        url = load_settings(os.environ).database_url or ""
        while True:
            try:
                self._listener = await psycopg.AsyncConnection.connect(url, autocommit=True)
                await self._listener.execute(f"LISTEN {CHANNEL}")
                if unshown := await _unshown(self._listener):
                    yield _event({"unshown": unshown})
                async for told in self._told():
                    yield _event({"kind": told})
            except psycopg.Error as exc:
                self.log.warning("approvals: %s; next try in %.0f s", type(exc).__name__, PAUSE_S)
            await asyncio.sleep(PAUSE_S)

    async def _told(self) -> AsyncIterator[str]:
        """What the channel says, for ever; looks at the evidence in between."""
        while True:
            async for told in self._listener.notifies(timeout=SEAL_EVERY_S):
                yield told.payload
            await self._seal_leftovers()

    async def _seal_leftovers(self) -> None:
        """Seal what has waited for longer than a living process lets it wait."""
        (is_late,) = await (await self._listener.execute(_IS_LATE)).fetchone()
        if is_late:
            try:
                await asyncio.to_thread(seal_now)
            except TongbanError as exc:
                self.log.warning("evidence is not sealed, %s: %s", exc.code, exc)

    async def cleanup(self) -> None:
        """Give the database session back."""
        if self._listener is not None:
            await self._listener.close()


async def _unshown(listener: Any) -> int:
    """How many questions wait that no task in Airflow shows."""
    (has_table,) = await (await listener.execute(_HAS_TABLE)).fetchone()
    if not has_table:
        return 0
    (found,) = await (await listener.execute(_UNSHOWN)).fetchone()
    return int(found)


def seal_now() -> int:
    """Seal every entry; gives the number of new seals."""
    from tongban.hub import open_hub

    with open_hub(load_settings(os.environ)) as hub:
        return hub.sealer.seal()


def _event(payload: dict[str, Any]) -> TriggerEvent:
    """An event of Airflow, whose own class has no types."""
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]
