"""Pushes: take batches, remember what was accepted, answer record by record, list it all.

A record with a key is accepted, the same one again is a duplicate, one without a key is rejected.
Nothing else is judged: what the department refuses, its description does not say.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.templates import version_as_time, version_from_time
from tongban.kernel.systems import AcceptedDataset
from tongban.onboarding.fake.answers import put
from tongban.onboarding.fake.reading import read

_OF_A_RECORD = ("guid", "op", "version", "version_time", "digest")


@dataclass(slots=True)
class Inbox:
    """What one dataset's pushes have brought: guid → version, digest, data."""

    accepted: AcceptedDataset
    held: dict[str, tuple[int, str, Any]] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def take(self, records: Any, around: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Answers to a batch, in its order.

        Args:
            records: The list, or one record.
            around: What the call says beside the records, such as a key in its path.
        """
        batch = records if isinstance(records, list) else [records]
        with self._lock:
            return [self._one(record, around) for record in batch]

    def _one(self, record: Any, around: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {name: around[name] for name in _OF_A_RECORD if name in around}
        return self._judged(found, fits=read(self.accepted.record, record, found))

    def _judged(self, found: dict[str, Any], *, fits: bool) -> dict[str, Any]:
        guid = str(found.get("guid") or "")
        answers = self.accepted.answers
        if not fits or not guid:
            return self._answer(answers.rejected, guid, "FAKE_UNREADABLE", "record or key missing")
        held = (_version(found), str(found.get("digest") or ""), _content(found))
        if self.held.get(guid) == held and answers.duplicate is not None:
            return self._answer(answers.duplicate, guid, "", "")
        self.held[guid] = held
        return self._answer(answers.accepted or answers.rejected, guid, "", "")

    def _answer(self, sign: Any, guid: str, code: str, message: str) -> dict[str, Any]:
        spec = self.accepted.answers
        told: dict[str, Any] = {}
        for path, value in (
            (spec.message, message),
            (spec.code, code),
            (spec.receipt_no, f"FAKE{len(self.held):08d}"),
            (sign.path, sign.equals[0]),
            (spec.guid, guid),
        ):
            if path is not None and (value or path not in {sign.path, spec.guid}):
                put(told, path, value)
        return told

    def lines(self) -> list[dict[str, Any]]:
        """The statement: what is held, by key."""
        spec = self.accepted.statement
        if spec is None:
            return []
        rows = []
        for guid, (version, digest, _) in sorted(self.held.items()):
            shown = version_as_time(version) if spec.version_is_time else str(version)
            row: dict[str, Any] = {}
            for path, value in ((spec.guid, guid), (spec.version, shown), (spec.digest, digest)):
                put(row, path, value)
            rows.append(row)
        return rows


def _version(found: Mapping[str, Any]) -> int:
    if "version_time" in found:
        try:
            return version_from_time(str(found["version_time"]))
        except ValueError:
            return 0
    text = str(found.get("version") or "0")
    return int(text) if text.isdigit() else 0


def _content(found: Mapping[str, Any]) -> str:
    """What a repeated delivery has in common with the first one."""
    return json.dumps([found.get("op"), found.get("data")], sort_keys=True, default=str)
