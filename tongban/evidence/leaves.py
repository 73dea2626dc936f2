"""Leaves: salts, root and proof paths over the records of one entry.

A leaf is salt + record (`tongban.store.leaves`). Without salts, whoever holds a proof could test
guesses about the neighbours on its path. All salts of an entry come from one random seed in one
call (SHAKE-256 as keyed stream, FIPS 202), so that nothing but 32 bytes is stored for them and no
key can be lost; the seed never leaves the database, a proof holds one record's salt.
"""

from __future__ import annotations

import hashlib

from tongban.evidence.verify import merkle_levels, merkle_root
from tongban.store.leaves import LEAF_LENGTH

SALT_LENGTH = 16
SEED_LENGTH = 32


def root_of(records: bytes, seed: bytes) -> bytes:
    """The Merkle root over the salted records."""
    return merkle_root(salted(records, seed))


def salted(records: bytes, seed: bytes) -> list[bytes]:
    """Each record with its salt before it."""
    count = len(records) // LEAF_LENGTH
    salts = hashlib.shake_256(b"tongban leaf salts|" + seed).digest(count * SALT_LENGTH)
    return [
        salts[at * SALT_LENGTH : (at + 1) * SALT_LENGTH]
        + records[at * LEAF_LENGTH : (at + 1) * LEAF_LENGTH]
        for at in range(count)
    ]


def root_of_nodes(nodes: list[bytes]) -> bytes:
    """The root above nodes of one level; the last one may be of a smaller tree."""
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        alone = nodes[len(nodes) & ~1 :]
        nodes = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + alone
    return nodes[0]


def path_of(leaves: list[bytes], index: int) -> list[str]:
    """The neighbours from a leaf up to the root, each with the side on which it stands."""
    path = []
    for level in merkle_levels(leaves):
        beside = index ^ 1
        if beside < len(level):
            path.append(("L" if beside < index else "R") + level[beside].hex())
        index //= 2
    return path
