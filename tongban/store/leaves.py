"""Leaves: what the evidence keeps of one record — id, version, keyed row digest, outcome.

37 bytes each, one after the other, so that a chunk's leaves are one value and no Python touches a
single row. `tongban.evidence` salts and hashes them; `tongban/evidence/verify.py` knows the same
form by heart, since it imports nothing of ours.
"""

from __future__ import annotations

import polars as pl

RECORD_ID_LENGTH, VERSION_LENGTH, DIGEST_LENGTH = 16, 4, 16
LEAF_LENGTH = RECORD_ID_LENGTH + VERSION_LENGTH + DIGEST_LENGTH + 1
NEW, CHANGED, QUARANTINED, DELETED = "n", "c", "q", "d"
NO_VERSION = 0  # of a row that was refused
NO_DIGEST = bytes(DIGEST_LENGTH)  # of a row that did not go out
RECEIPTS = {  # a target's answer → how its leaf ends
    "accepted": b"A",
    "duplicate": b"D",
    "rejected": b"R",
    "waiting_parent": b"W",
    "sent": b"S",
    "withheld": b"H",
    "queued": b"Q",
}


def packed(record_ids: pl.Series, digests: pl.Series, version: int, outcome: str) -> bytes:
    """Leaves of rows that share version and outcome; ids and digests are lower hex."""
    if record_ids.is_empty():
        return b""
    middle, end = version.to_bytes(VERSION_LENGTH, "big").hex(), outcome.encode().hex()
    return bytes.fromhex("".join((record_ids + middle + digests + end).to_list()))


def packed_sql(version: str, outcome: str, alias: str = "t") -> str:
    """The same as an SQL aggregate over rows of a dataset's table."""
    leaf = (
        f"uuid_send({alias}.record_id) || int4send({version}) || {alias}.row_digest"
        f" || '{outcome}'::bytea"
    )
    return f"coalesce(string_agg({leaf}, ''::bytea), ''::bytea)"
