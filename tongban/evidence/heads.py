"""Heads: the last seals, written down outside the database.

A database that is set back to an old backup, or whose end was cut off by its owner, is consistent
in itself: its chain, its seals and their signatures all hold. Only somebody who remembers a later
seal can tell. Each process that seals adds a line to `<home>/evidence/heads.jsonl` and looks at
the last one before the next seal. Copy the file to another machine to be safe from its owner too.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tongban.evidence.verify import canonical
from tongban.kernel.errors import EvidenceBroken

_BLOCK = 4096  # more than one line


class EvidenceRolledBack(EvidenceBroken):
    """The database lacks a seal that was made before: an old backup, or its end was cut off."""

    code = "fatal.evidence_rolled_back"


@dataclass(frozen=True, slots=True)
class Head:
    """One seal as it was remembered: its number, its last entry, its hash."""

    seal: int
    last: int
    hash: str


class Heads:
    """The remembered seals of one installation."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, head: Head) -> None:
        """Remember a seal, durably; a half line of a crash before is ended first."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = canonical({"seal": head.seal, "last": head.last, "hash": head.hash}) + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                line = b"\n" + line
            file.write(line)
            os.fsync(file.fileno())

    def newest(self) -> Head | None:
        """The last whole line, without reading the others."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _BLOCK))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return None
        return next((head for line in reversed(lines) if (head := _head(line))), None)

    def all(self) -> Iterator[Head]:
        """Every whole line, oldest first."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            yield from (head for line in file if (head := _head(line)))


def _head(line: bytes) -> Head | None:
    """One line, or None for what a crash left of one."""
    try:
        found = json.loads(line)
        return Head(int(found["seal"]), int(found["last"]), str(found["hash"]))
    except (KeyError, TypeError, ValueError):
        return None
