"""A log with seals for the tests of evidence: entries appended, signer and heads of its own."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from tongban.evidence.archive import write_archive
from tongban.evidence.heads import Heads
from tongban.evidence.log import append
from tongban.evidence.seals import seal_all
from tongban.evidence.signing import open_signer
from tongban.store.engine import transaction

SIGNER = open_signer(b"k" * 32, "Ed25519")


def append_some(engine: Engine, count: int) -> None:
    """Append entries, one transaction each."""
    for number in range(count):
        with transaction(engine) as conn:
            append(conn, "approval", {"number": number}, bytes([number % 256]))


def sealed_log(engine: Engine, folder: Path, *counts: int) -> Heads:
    """Append that many entries for each seal; gives the remembered heads."""
    heads = Heads(folder / "heads.jsonl")
    for count in counts:
        append_some(engine, count)
        seal_all(engine, SIGNER, heads)
    return heads


def archive_of(engine: Engine, **seals: int) -> bytes:
    """The archive's bytes."""
    return b"".join(write_archive(engine, SIGNER, **seals))
