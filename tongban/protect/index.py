"""Blind index: find equal values without reading them.

Keyed BLAKE2b-128 by kind, not by dataset: the kind `subject` gives one person the same index in
every dataset, which is what one number for all departments rests on. Without the key an index
cannot be tried against a list of numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from tongban.protect.keyring import KeyRing

INDEX_LENGTH = 16


def keyed_digest(key: bytes) -> Callable[[bytes], bytes]:
    """A function that gives the keyed 128-bit digest of bytes, its key absorbed once."""
    copy = hashlib.blake2b(key=key, digest_size=INDEX_LENGTH).copy

    def digest(data: bytes) -> bytes:
        state = copy()
        state.update(data)
        return state.digest()

    return digest


def blind_index(keyring: KeyRing, kind: str, values: Sequence[str | None]) -> list[bytes | None]:
    """Index of each value; null stays null. Values must be in their normal form already."""
    digest = keyed_digest(keyring.derived(f"index:{kind}"))
    return [None if value is None else digest(value.encode()) for value in values]


def blind_index_of(keyring: KeyRing, kind: str, value: str) -> bytes:
    """Index of one value, for a lookup."""
    return keyed_digest(keyring.derived(f"index:{kind}"))(value.encode())
