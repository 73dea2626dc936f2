"""Sealer: seals what this process appends, beside its work and at its end.

A thread of its own with its own database connection, begun with the first entry, wakes every 60 s
or after 10,000 entries. Closing seals the rest. A seal that fails stops no load: the error is
logged, the entries wait for the next one, and `tongban evidence check` tells what is wrong.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine

from tongban.evidence.heads import Heads
from tongban.evidence.log import listen
from tongban.evidence.seals import MOST_ENTRIES, SEAL_EVERY_S, seal_all
from tongban.evidence.signing import Signer
from tongban.kernel.errors import EvidenceBroken, TongbanError

LOGGER = logging.getLogger(__name__)


class Sealer:
    """Seals for one engine; close it before the engine."""

    def __init__(
        self,
        engine: Engine,
        signer: Callable[[], Signer],
        heads: Heads,
        *,
        every_s: float = SEAL_EVERY_S,
    ) -> None:
        self.signer = signer
        self._engine, self._heads = engine, heads
        self._every_s = every_s
        self._waiting = 0
        self._is_closing = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._line = threading.Lock()
        listen(engine, self.note)

    def note(self) -> None:
        """Something was appended, or was found without a seal."""
        with self._line:
            self._waiting += 1
            if self._thread is None and not self._is_closing:
                self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)
                self._thread.start()
            if self._waiting >= MOST_ENTRIES:
                self._wake.set()

    def seal(self) -> int:
        """Seal now; gives the number of new seals.

        Raises:
            EvidenceRolledBack: The database lacks a seal that this installation remembers.
            SignerAbsent: Nobody here knows the algorithm that is asked for.
            DatabaseUnavailable: Nothing was sealed; safe to call again.
        """
        with self._line:
            self._waiting = 0
        return seal_all(self._engine, self.signer(), self._heads)

    def close(self) -> None:
        """Seal the rest and end the thread."""
        with self._line:
            self._is_closing = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join()
        self._seal_quietly()

    def _run(self) -> None:
        while not self._is_closing:
            self._wake.wait(self._every_s)
            self._wake.clear()
            if not self._is_closing:
                self._seal_quietly()

    def _seal_quietly(self) -> None:
        """Seal when something waits; tell what went wrong, and go on."""
        if not self._waiting:
            return
        try:
            self.seal()
        except EvidenceBroken as exc:
            LOGGER.error("%s: %s", exc.code, exc)  # noqa: TRY400 - the message says it all
        except TongbanError as exc:
            LOGGER.warning("evidence is not sealed yet, %s: %s", exc.code, exc)
