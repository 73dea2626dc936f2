"""Landings: the sealed pages outside the database, brought under a new key file by file."""

from __future__ import annotations

from tongban.custody.reseal import Exchange
from tongban.protect.envelope import HEADER_LENGTH, read_header
from tongban.protect.keyring import KeyRing
from tongban.pull import LandingStore


def reseal_landings(store: LandingStore, keyring: KeyRing, exchange: Exchange) -> int:
    """Seal every page of an old key anew; gives how many. Doing it again finds none."""
    changed = 0
    for file in store.sealed_files():
        if (file.read(HEADER_LENGTH) or b"") not in exchange.heads:
            continue
        envelope = file.read()
        if envelope is None:
            continue
        _, key_id = read_header(envelope, file.context)
        plain = keyring.unseal(file.context, envelope)
        key = exchange.keys[key_id]
        file.replace(keyring.seal_bytes(key, file.context.encode(), plain))
        changed += 1
    return changed


def count_landings(store: LandingStore, exchange: Exchange) -> int:
    """Files whose envelope names an old key."""
    heads = set(exchange.heads)
    return sum((file.read(HEADER_LENGTH) or b"") in heads for file in store.sealed_files())
