"""Verify an exported evidence log without the hub, its database or its network.

    python verify.py EVIDENCE.jsonl

Imports nothing else of ours, so that an auditor can read and copy this one file. One entry a
line: `seq`, `at`, `kind`, `subject`, `leaf`, `previous`, `hash`. An entry's hash covers all the
others, `previous` is the hash of the entry before, and the first entry follows 32 zero bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENESIS = "0" * 64
_FIELDS = ("seq", "at", "kind", "subject", "leaf", "previous")
_LEAF, _NODE = b"\x00", b"\x01"  # RFC 6962: a leaf can never pass for a node


@dataclass(frozen=True)
class Verdict:
    """Whether a log verifies; `problem` says at which line and why not."""

    entries: int
    head: str
    problem: str | None = None


def canonical(document: Any) -> bytes:
    """One text per document: sorted keys, no blanks, UTF-8."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 over everything in an entry but its own hash."""
    return hashlib.sha256(canonical({name: entry[name] for name in _FIELDS})).hexdigest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root of the Merkle tree over the leaves in their order (RFC 6962, SHA-256)."""
    sha256 = hashlib.sha256
    level = [sha256(_LEAF + leaf).digest() for leaf in leaves]
    if not level:
        return sha256(b"").digest()
    while len(level) > 1:
        pairs = [
            sha256(_NODE + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) % 2:
            pairs.append(level[-1])
        level = pairs
    return level[0]


def verify(lines: Iterable[str], *, previous: str = GENESIS, first: int = 1) -> Verdict:
    """Check order, chain and hash of every entry.

    Args:
        lines: The log, one JSON document a line.
        previous: Hash of the entry before the first line; zeros for a log from its beginning.
        first: Number of the first entry.
    """
    head, count = previous, 0
    for count, line in enumerate(lines, start=1):
        problem = _problem(line, head, first + count - 1)
        if problem is not None:
            return Verdict(count - 1, head, f"line {count}: {problem}")
        head = json.loads(line)["hash"]
    return Verdict(count, head)


def _problem(line: str, previous: str, seq: int) -> str | None:
    """What is wrong with one line, or None."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "not JSON; the line was cut or changed"
    if not isinstance(entry, dict) or set(entry) != {*_FIELDS, "hash"}:
        return "not an entry; fields were added or removed"
    checks = (
        (entry["seq"] == seq, f"is not number {seq}; entries were dropped, repeated or reordered"),
        (entry["previous"] == previous, "does not follow the entry before; one was replaced"),
        (entry_hash(entry) == entry["hash"], "content and hash differ; the entry was changed"),
        (line.rstrip("\n").encode() == canonical(entry), "not as it was written; it was rewritten"),
    )
    return next((problem for holds, problem in checks if not holds), None)


def main(arguments: Sequence[str]) -> int:
    """Verify one file; 0 when it verifies, 1 when not, 2 for a wrong call."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python verify.py EVIDENCE.jsonl\n")
        return 2
    with Path(arguments[0]).open(encoding="utf-8") as file:
        verdict = verify(file)
    if verdict.problem is not None:
        sys.stdout.write(f"BROKEN after {verdict.entries} entries: {verdict.problem}\n")
        return 1
    sys.stdout.write(f"OK {verdict.entries} entries, head {verdict.head}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
