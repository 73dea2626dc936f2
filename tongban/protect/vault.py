"""The vault: the few things that other verbs may ask of protection, without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from tongban.kernel.contracts import Contract
from tongban.protect.frames import open_frame
from tongban.protect.index import keyed_digest
from tongban.protect.keyring import KeyRing
from tongban.protect.mask import mask


class Vault:
    """A key ring with the functions that delivery needs (`tongban.push.deliver.Vault`)."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring

    def open_rows(
        self, frame: pl.DataFrame, contract: Contract, fields: Iterable[str]
    ) -> pl.DataFrame:
        """Readable columns of stored rows; see `open_frame`."""
        return open_frame(frame, contract, self._keyring, fields)

    def mask(self, kind: str, value: str | None) -> str | None:
        """A value as it may be shown; see `mask`."""
        return mask(kind, value)

    def keyed_all(self, digests: Sequence[str | None]) -> list[bytes | None]:
        """Digests, lower hex, as they may be stored: without the key nobody can test a guess."""
        keyed = keyed_digest(self._keyring.derived("delivery"))
        return [None if digest is None else keyed(bytes.fromhex(digest)) for digest in digests]

    def seal(self, context: str, data: bytes) -> bytes:
        """Seal a message that may quote a record."""
        return self._keyring.seal(context, data)

    def unseal(self, context: str, envelope: bytes) -> bytes:
        """Open what `seal` made."""
        return self._keyring.unseal(context, envelope)
