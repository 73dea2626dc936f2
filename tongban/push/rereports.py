"""Rereports: tell the receiver of a record that it has acknowledged why it comes once more.

Between delivery and the connector: a batch that holds records which reconciliation has queued again
is marked on its way. What a record says is not touched, and where nothing is marked nothing is
asked but one indexed question per batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args
from uuid import UUID

from sqlalchemy import Engine, text

from tongban.kernel.records import OutgoingRecord, Receipt, Rereport
from tongban.push.sending import Sender
from tongban.store.engine import transaction

_WORDS: tuple[Rereport, ...] = get_args(Rereport)
_MARKED = text("""
    SELECT DISTINCT ON (d.record_id) d.record_id, d.our_version, d.rereport
      FROM hub.statement_difference d JOIN hub.statement s USING (statement_id)
     WHERE d.target = :target AND d.dataset = :dataset AND d.action = 'requeued'
       AND d.record_id = ANY(CAST(:record_ids AS uuid[]))
     ORDER BY d.record_id, s.asked_at DESC
""")


class Rereporting:
    """A sender that marks what goes out once more; see `tongban.push.sending.Sender`."""

    def __init__(self, engine: Engine, target: str, sender: Sender) -> None:
        self._engine = engine
        self._target = target
        self._sender = sender

    def send(self, dataset: str, records: Sequence[OutgoingRecord]) -> list[Receipt]:
        """Send one batch, its repeated records marked."""
        facts = {
            "target": self._target,
            "dataset": dataset,
            "record_ids": [UUID(record.guid) for record in records],
        }
        with transaction(self._engine) as conn:
            found = conn.execute(_MARKED, facts).all()
        why = {(str(guid), version): _WORDS[_WORDS.index(word)] for guid, version, word in found}
        if not why:
            return self._sender.send(dataset, records)
        marked = [replace(r, rereport=why.get((r.guid, r.version))) for r in records]
        return self._sender.send(dataset, marked)
