"""Seals: sign what the log holds since the last seal; every 60 s or 10,000 entries.

A seal is a transaction of its own that only reads entries and writes one row; it never takes the
log's append lock, so no commit waits for it. Of several processes that want to seal at the same
time one does and the others go on.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or_keep

from tongban.evidence.heads import EvidenceRolledBack, Head, Heads
from tongban.evidence.leaves import root_of_nodes
from tongban.evidence.log import moment
from tongban.evidence.signing import Signer
from tongban.evidence.verify import GENESIS, merkle_root, seal_hash, signed_bytes
from tongban.store.engine import transaction
from tongban.store.evidence_tables import evidence_key, evidence_seal

SEAL_EVERY_S = 60.0
MOST_ENTRIES = 10_000
_LOCK = 0x746F6E67_62616E03  # "tongban", 3: one sealer at a time
_HASH_LENGTH = 32
_BLOCK, _YIELD_S = 32, 0.0005
_HASHES = text("""
    SELECT count(*) AS entries, string_agg(entry_hash, ''::bytea ORDER BY seq) AS hashes,
           clock_timestamp() AS now
      FROM (SELECT seq, entry_hash FROM hub.evidence_entry WHERE seq > :last
             ORDER BY seq LIMIT :most) entry
""")
_BINARY = ("root", "head", "previous", "key", "signature")
Document = dict[str, Any]


def seal_all(engine: Engine, signer: Signer, heads: Heads) -> int:
    """Seal every committed entry that has no seal; gives the number of new seals.

    Raises:
        EvidenceRolledBack: The database lacks a seal that this installation remembers.
    """
    made = 0
    while (head := _seal_next(engine, signer, heads)) is not None:
        heads.add(head)
        made += 1
    return made


def check_heads(engine: Engine, heads: Heads) -> int:
    """Hold every remembered seal against the database; gives how many there are.

    Raises:
        EvidenceRolledBack: One is missing or another one.
    """
    remembered = list(heads.all())
    with transaction(engine) as conn:
        for head in remembered:
            _check_head(conn, head)
    return len(remembered)


def read_seals(conn: Connection, first: int = 1, last: int | None = None) -> list[Document]:
    """Seals by number, as they were signed."""
    statement = select(evidence_seal).where(evidence_seal.c.seal >= first)
    if last is not None:
        statement = statement.where(evidence_seal.c.seal <= last)
    rows = conn.execute(statement.order_by(evidence_seal.c.seal)).mappings()
    return [_document_of(row) for row in rows]


def seal_of(conn: Connection, seq: int) -> Document | None:
    """The seal that covers an entry; None while it has none."""
    statement = select(evidence_seal).where(
        evidence_seal.c.first <= seq, evidence_seal.c.last >= seq
    )
    row = conn.execute(statement).mappings().first()
    return None if row is None else _document_of(row)


def public_keys(conn: Connection, keys: set[str]) -> list[Document]:
    """The public keys of those ids, as an archive holds them."""
    statement = select(evidence_key).where(evidence_key.c.key.in_(map(bytes.fromhex, keys)))
    return [
        {"key": row.key.hex(), "algorithm": row.algorithm, "public": row.public.hex()}
        for row in conn.execute(statement.order_by(evidence_key.c.key))
    ]


def signed(document: Document, signer: Signer) -> Document:
    """The document with who signed it and the signature."""
    whole = {**document, "algorithm": signer.algorithm, "key": signer.key}
    return {**whole, "signature": signer.sign(signed_bytes(whole)).hex()}


def _seal_next(engine: Engine, signer: Signer, heads: Heads) -> Head | None:
    """One seal; None when all is sealed, or when another process is at it."""
    with transaction(engine) as conn:
        taken = text("SELECT pg_try_advisory_xact_lock(:lock)")
        if not conn.execute(taken, {"lock": _LOCK}).scalar_one():
            return None
        if remembered := heads.newest():
            _check_head(conn, remembered)
        latest = select(evidence_seal).order_by(evidence_seal.c.seal.desc()).limit(1)
        row = conn.execute(latest).mappings().first()
        before = None if row is None else _document_of(row)
        seal = next_seal(conn, before)
        if seal is None:
            return None
        document = signed(seal, signer)
        _write(conn, document, signer)
    return Head(document["seal"], document["last"], seal_hash(document))


def next_seal(conn: Connection, before: Document | None) -> Document | None:
    """What the next seal says, without its signature; None when there is nothing to seal."""
    last = 0 if before is None else before["last"]
    found = conn.execute(_HASHES, {"last": last, "most": MOST_ENTRIES}).one()
    if not found.entries:
        return None
    hashes = bytes(found.hashes)
    at = moment(found.now)
    return {
        "seal": 1 if before is None else before["seal"] + 1,
        "first": last + 1,
        "last": last + found.entries,
        "at": at if before is None else max(at, before["at"]),
        "root": _root(hashes).hex(),
        "head": hashes[-_HASH_LENGTH:].hex(),
        "previous": GENESIS if before is None else seal_hash(before),
    }


def _root(hashes: bytes) -> bytes:
    """The Merkle root, made in small pieces: threads that commit get the interpreter in between."""
    level: list[bytes] = []
    for at in range(0, len(hashes), _BLOCK * _HASH_LENGTH):
        block = hashes[at : at + _BLOCK * _HASH_LENGTH]
        leaves = [block[i : i + _HASH_LENGTH] for i in range(0, len(block), _HASH_LENGTH)]
        level.append(merkle_root(leaves))  # blocks of a power of two are subtrees of the whole
        time.sleep(_YIELD_S)
    return root_of_nodes(level)


def _write(conn: Connection, seal: Document, signer: Signer) -> None:
    """Store the seal, and its public key the first time."""
    key = {
        "key": bytes.fromhex(signer.key),
        "algorithm": signer.algorithm,
        "public": signer.public,
    }
    conn.execute(insert_or_keep(evidence_key).values(key).on_conflict_do_nothing())
    binary = {name: bytes.fromhex(seal[name]) for name in _BINARY}
    at = datetime.fromisoformat(seal["at"])
    conn.execute(insert(evidence_seal).values({**seal, **binary, "at": at}))


def _check_head(conn: Connection, head: Head) -> None:
    """Find a remembered seal in the database."""
    statement = select(evidence_seal).where(evidence_seal.c.seal == head.seal)
    row = conn.execute(statement).mappings().first()
    if row is not None and seal_hash(_document_of(row)) == head.hash:
        return
    state = "is not there" if row is None else "is another one"
    raise EvidenceRolledBack(
        f"evidence log: seal {head.seal} (up to entry {head.last}), which this installation "
        f"remembers, {state} in the database; it was set back to an old state or cut off; restore "
        "the newest backup, and keep the file of heads as it is",
        seal=head.seal,
        last=head.last,
    )


def _document_of(row: RowMapping) -> Document:
    """A stored seal as it was signed."""
    binary = {name: bytes(row[name]).hex() for name in _BINARY}
    plain = {name: row[name] for name in ("seal", "first", "last", "algorithm")}
    return {**plain, **binary, "at": moment(row["at"])}
