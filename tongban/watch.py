"""Watch: hold one batch against its department's habits while it is loaded, and note what changed.

Between decoding and storing: `Watch.judge` takes the decoded rows before anything of them is
stored and stops the batch where something is wrong in its structure. Afterwards `keep` writes
fingerprint, events and unknown codes. It changes no row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import Engine

from tongban.drift import Drifted, Expected, Fingerprint, judge, look, sample_rows
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import BatchRefused, TongbanError
from tongban.normalize import Normalized, NormalizePlan, apply
from tongban.store import drifts
from tongban.store.engine import transaction

FROZEN, HELD, APPROVED = "frozen", "held", "approved"
REPEATED_NAMES = "fatal.answer_names_repeated"  # found while pulling, before any row is seen
SHOWN = 5


class BatchFrozen(BatchRefused):
    """The batch drifted in structure; nothing of it was stored, its pages stay in the landing."""

    code = "fatal.batch_frozen"


@dataclass
class Watch:
    """One load of one dataset under watch.

    Attributes:
        lifted: What a person has approved for this load: frozen, held or both.
        on_held: Asks a person, before anything that must wait is stored.
        events: Changes of habit so far.
        is_held: Nothing of the batch goes to a target before a person agrees.
    """

    transfer_id: UUID
    expected: Expected
    contract: Contract
    normalize: NormalizePlan = field(repr=False)
    is_snapshot: bool
    history: list[Fingerprint] = field(repr=False)
    volumes: list[int] = field(repr=False)
    lifted: frozenset[str] = frozenset()
    on_held: Callable[[str], None] = field(default=lambda _: None, repr=False)
    events: list[Drifted] = field(default_factory=list)
    is_held: bool = False
    seen: Fingerprint | None = field(default=None, repr=False)
    new_codes: dict[str, dict[str, int]] = field(default_factory=dict, repr=False)
    total: int = 0

    def judge(
        self,
        frame: pl.DataFrame,
        unknown: frozenset[str],
        *,
        is_last: bool,
        mapped: Normalized | None = None,
    ) -> None:
        """Judge decoded rows before any of them is stored; the whole batch, or a large part of it.

        Args:
            frame: The rows as decoded.
            unknown: Names that the decoder found besides.
            is_last: Nothing comes after them.
            mapped: All these rows as mapped, if they are; else a sample of them is.

        Raises:
            BatchFrozen: Their structure is not what mapping and contract agreed on.
        """
        sample = sample_rows(frame, self.expected)
        failed, newest = self._readable(mapped or apply(self.normalize, sample))
        seen = look(frame, sample, self.expected, unknown=unknown, failed=failed, newest=newest)
        before, self.total = self.total, self.total + frame.height
        found = judge(
            seen,
            self.expected,
            self.history,
            total=self.total if is_last else None,
            volumes=self.volumes,
        )
        known = {(event.kind, event.field) for event in self.events}
        new = [self._lifted(item) for item in found if (item.kind, item.field) not in known]
        self.events += new
        self.seen = self.seen or seen
        for path, codes in seen.new_codes.items():
            kept = self.new_codes.setdefault(path, {})
            for code, rows in codes.items():
                kept[code] = kept.get(code, 0) + rows
        frozen = [item for item in new if item.policy == FROZEN]
        if frozen:
            raise self._frozen(frozen, before)
        held = [item for item in new if item.policy == HELD]
        if held:
            self.is_held = True
            self.on_held(f"{self._place()}: stored, but not pushed: {_told(held)}")

    def keep(self, engine: Engine, *, is_stored: bool) -> None:
        """Write down what was seen; the fingerprint only of a batch that was stored."""
        place = {
            "transfer_id": self.transfer_id,
            "system": self.expected.system,
            "dataset": self.expected.dataset,
        }
        if not self.events and not (is_stored and self.seen):
            return
        with transaction(engine) as conn:
            drifts.keep_events(conn, {**place, "owner": self.contract.owner}, self._documents())
            if is_stored and self.seen is not None:
                drifts.keep_new_codes(conn, place, self.new_codes)
                facts = {
                    **place,
                    "major": self.contract.major,
                    "is_snapshot": self.is_snapshot,
                    "rows": self.seen.rows,
                    "total": self.total,
                }
                drifts.keep_fingerprint(conn, facts, self.seen.document())

    def _readable(self, mapped: Normalized) -> tuple[dict[str, float], datetime | None]:
        """Which share of each field cannot be read, and the newest change."""
        failed = {}
        for name, lost in mapped.failures.items():
            count = int(lost.sum())
            failed[name] = count / (count + len(lost) - mapped.frame[name].null_count())
        changed = self.contract.changed_at
        newest = mapped.frame[changed].max() if changed else None
        return failed, newest if isinstance(newest, datetime) else None

    def _lifted(self, item: Drifted) -> Drifted:
        return replace(item, policy=APPROVED) if item.policy in self.lifted else item

    def _documents(self) -> list[Mapping[str, Any]]:
        return [
            {"kind": e.kind, "field": e.field, "policy": e.policy, "detail": e.detail}
            for e in self.events
        ]

    def _place(self) -> str:
        return f"{self.expected.system}/{self.expected.dataset}"

    def _frozen(self, found: list[Drifted], before: int) -> BatchFrozen:
        """Name what froze the batch."""
        stored = f"nothing after the first {before} rows" if before else "nothing of it"
        return BatchFrozen(
            f"{self._place()}: the batch is frozen, {stored} was stored: {_told(found)}; ask the "
            "department, correct the mapping and load the landing again, or approve it",
            system=self.expected.system,
            dataset=self.expected.dataset,
            kinds=sorted({item.kind for item in found}),
        )


def open_watch(
    engine: Engine,
    expected: Expected,
    contract: Contract,
    normalize: NormalizePlan,
    transfer_id: UUID,
    *,
    is_snapshot: bool,
    lifted: frozenset[str],
    on_held: Callable[[str], None],
) -> Watch:
    """A watch with the habits of the last batches of the same contract version."""
    with transaction(engine) as conn:
        rows = drifts.history(
            conn, expected.system, expected.dataset, contract.major, before=transfer_id
        )
    return Watch(
        transfer_id=transfer_id,
        expected=expected,
        contract=contract,
        normalize=normalize,
        is_snapshot=is_snapshot,
        history=[Fingerprint.of(row["rows"], row["seen"]) for row in rows],
        volumes=[row["total"] for row in rows if row["is_snapshot"] == is_snapshot],
        lifted=lifted,
        on_held=on_held,
    )


def note_unreadable(
    engine: Engine, error: TongbanError, system: str, contract: Contract, transfer_id: UUID
) -> None:
    """Note a change of habit that stopped a pull before any row could be seen."""
    if error.code != REPEATED_NAMES:
        return
    place = {"transfer_id": transfer_id, "system": system, "dataset": contract.dataset}
    event = {"kind": "repeated_name", "field": "", "policy": FROZEN, "detail": {}}
    with transaction(engine) as conn:
        drifts.keep_events(conn, {**place, "owner": contract.owner}, [event])


def _told(found: list[Drifted]) -> str:
    """The changes in words: kind, field and numbers."""
    parts = []
    for item in found[:SHOWN]:
        numbers = ", ".join(f"{name} {value}" for name, value in item.detail.items())
        parts.append(f"{item.kind} {item.field}".strip() + (f" ({numbers})" if numbers else ""))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(parts) + more
