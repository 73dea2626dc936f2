"""Prove: what the log says about one record, verifiable by anyone and silent about all others.

A proof holds, for each entry about the record, the parts of its leaf, the path from the leaf to the
entry, the entry (ids and counts of its batch), the path to its seal, and the seal. The neighbours
on a path are salted hashes. Nothing is read from the record's table, so a proof can still be given
when the record has been purged. Entries from before there were leaves cannot be part of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, select, text

from tongban.evidence.leaves import SALT_LENGTH, path_of, salted
from tongban.evidence.log import document_of
from tongban.evidence.seals import public_keys, seal_of
from tongban.evidence.verify import OUTCOMES, PROOF
from tongban.kernel.errors import ConfigInvalid
from tongban.store.engine import transaction
from tongban.store.leaves import DIGEST_LENGTH, LEAF_LENGTH, RECORD_ID_LENGTH, VERSION_LENGTH
from tongban.store.tables import evidence_entry

Document = dict[str, Any]
# No index on record ids: it would cost every load; a proof is rare and reads 37 bytes per record.
_FIND = text("""
    SELECT leaf, seed, records FROM hub.evidence_leaves
     WHERE dataset = :dataset AND position(:record IN records) > 0
""")


def prove(engine: Engine, dataset: str, record_id: UUID) -> Document:
    """The proof of everything that the log says about a record; seal what is open before.

    Args:
        engine: From `open_engine`.
        dataset: The record's dataset.
        record_id: From `tongban.protect.record_id_of`.

    Raises:
        ConfigInvalid: No sealed entry has a leaf of that record.
    """
    with transaction(engine) as conn:
        events = sorted(_events(conn, dataset, record_id), key=_order)
        keys = public_keys(conn, {event["seal"]["key"] for event in events})
    if not events:
        raise ConfigInvalid(
            f"{dataset}: no sealed entry of the evidence log is about that record; check the key, "
            "or the record came before there were leaves per record"
        )
    return {
        "proof": PROOF,
        "record": record_id.bytes.hex(),
        "events": events,
        "keys": keys,
    }


def _order(event: Document) -> tuple[int, int]:
    """Events in the order of the log."""
    return event["entry"]["seq"], event["version"]


def _events(conn: Connection, dataset: str, record_id: UUID) -> Iterator[Document]:
    """One document per leaf of the record."""
    facts: Mapping[str, Any] = {"dataset": dataset, "record": record_id.bytes}
    for found in conn.execute(_FIND, facts):
        statement = select(evidence_entry).where(evidence_entry.c.leaf == bytes(found.leaf))
        entry = conn.execute(statement).mappings().first()
        seal = None if entry is None else seal_of(conn, entry["seq"])
        if entry is None or seal is None:
            continue
        leaves = salted(bytes(found.records), bytes(found.seed))
        for index, leaf in enumerate(leaves):
            if leaf[SALT_LENGTH : SALT_LENGTH + RECORD_ID_LENGTH] == record_id.bytes:
                yield {
                    **_parts(leaf),
                    "path": path_of(leaves, index),
                    "entry": document_of(entry),
                    "entry_path": _entry_path(conn, seal, entry),
                    "seal": seal,
                }


def _parts(leaf: bytes) -> Document:
    """Salt, version, digest and outcome of a leaf."""
    record = leaf[SALT_LENGTH:]
    version_at = RECORD_ID_LENGTH
    digest_at = version_at + VERSION_LENGTH
    return {
        "salt": leaf[:SALT_LENGTH].hex(),
        "version": int.from_bytes(record[version_at:digest_at], "big"),
        "digest": record[digest_at : digest_at + DIGEST_LENGTH].hex(),
        "outcome": OUTCOMES[record[LEAF_LENGTH - 1 :].decode()],
    }


def _entry_path(conn: Connection, seal: Document, entry: RowMapping) -> list[str]:
    """From the entry's hash up to the root of its seal."""
    statement = (
        select(evidence_entry.c.entry_hash)
        .where(evidence_entry.c.seq.between(seal["first"], seal["last"]))
        .order_by(evidence_entry.c.seq)
    )
    hashes = [bytes(found) for found in conn.execute(statement).scalars()]
    return path_of(hashes, entry["seq"] - seal["first"])
