"""Blind index: find equal values without reading them.

A keyed 128-bit digest by kind, not by dataset: the kind `subject` gives one person the same index
in every dataset, which is what one number for all departments rests on. Without the key an index
cannot be tried against a list of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from tongban.protect.keyring import KeyRing
from tongban.protect.suites import DIGEST_LENGTH, keyed_digest

__all__ = ["INDEX_LENGTH", "blind_index", "blind_index_of", "keyed_digest"]

INDEX_LENGTH = DIGEST_LENGTH


def blind_index(keyring: KeyRing, kind: str, values: Sequence[str | None]) -> list[bytes | None]:
    """Index of each value; null stays null. Values must be in their normal form already."""
    digest = keyed_digest(keyring.derived(f"index:{kind}"))
    return [None if value is None else digest(value.encode()) for value in values]


def blind_index_of(keyring: KeyRing, kind: str, value: str) -> bytes:
    """Index of one value, for a lookup."""
    return keyed_digest(keyring.derived(f"index:{kind}"))(value.encode())
