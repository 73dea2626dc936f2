"""Unpacking: undo the compression of an answer as it arrives, piece by piece.

A compressed answer that ends before its own end was cut off on the way; urllib3 would give what
came, and a table of text would lose its last rows in silence. No piece grows beyond what was asked
for, so an answer that is a bomb meets the size cap long before it meets the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS  # what some servers call deflate
_PIECE_BYTES = 1 << 18


class PackingBroken(Exception):  # noqa: N818 - mapped by the caller
    """The compression is damaged, or ends too early."""


class Unpacking:
    """Undoes gzip or deflate; gzip may come in several members."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_first = True

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Give what those bytes hold, in pieces of a bounded size.

        Raises:
            PackingBroken: They are damaged.
        """
        while packed:
            if self._object.eof:  # a further member, or padding
                if not packed.strip(b"\0"):
                    return
                self._object = zlib.decompressobj(_GZIP_OR_ZLIB)
            piece = self._piece(packed)
            if piece:
                yield piece
            packed = self._object.unconsumed_tail or self._object.unused_data

    def _piece(self, packed: bytes) -> bytes:
        is_first, self._is_first = self._is_first, False
        try:
            return self._object.decompress(packed, _PIECE_BYTES)
        except zlib.error:
            if not is_first:
                raise PackingBroken from None
        self._object = zlib.decompressobj(_RAW)
        return self._piece(packed)

    def end(self) -> None:
        """The answer is over.

        Raises:
            PackingBroken: It was cut off.
        """
        if not (self._is_first or self._object.eof):
            raise PackingBroken
