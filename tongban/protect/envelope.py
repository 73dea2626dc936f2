"""Envelopes: what one sealed value looks like, and the ciphers that may stand in it.

    1 byte   algorithm id
    4 bytes  key id, big endian
    12 bytes nonce, random for every value
    n bytes  ciphertext, as long as the value
    16 bytes tag

The context (dataset|field|record) is authenticated but not stored: an envelope that is copied
to another record, field or dataset does not open. A key seals far fewer than 2**32 values, the
limit of random 96-bit nonces (NIST SP 800-38D, 8.3), since every dataset has a key of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import ciphers, hashes
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tongban.kernel.errors import EnvelopeBroken

AES_256_GCM = 1
SM4_GCM = 2  # GM/T 0002 in the mode of GB/T 36624; RFC 8998

KEY_LENGTH = 32
SM4_KEY_LENGTH = 16
NONCE_LENGTH = 12
TAG_LENGTH = 16
HEADER_LENGTH = 1 + 4
OVERHEAD = HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH

BODY = HEADER_LENGTH + NONCE_LENGTH


class Cipher(Protocol):
    """An authenticated cipher under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Ciphertext and tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """The plain bytes; InvalidTag when anything differs."""
        ...


class Sm4Gcm:
    """SM4-GCM; its 128-bit key is derived from the 256 bits of a data key."""

    def __init__(self, key: bytes) -> None:
        kdf = HKDF(hashes.SM3(), SM4_KEY_LENGTH, salt=None, info=b"tongban:sm4-gcm")
        self._sm4 = algorithms.SM4(kdf.derive(key))

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Ciphertext and tag."""
        work = ciphers.Cipher(self._sm4, modes.GCM(nonce)).encryptor()
        work.authenticate_additional_data(associated_data)
        return work.update(data) + work.finalize() + work.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """The plain bytes; InvalidTag when anything differs."""
        body, tag = data[:-TAG_LENGTH], data[-TAG_LENGTH:]
        work = ciphers.Cipher(self._sm4, modes.GCM(nonce, tag)).decryptor()
        work.authenticate_additional_data(associated_data)
        return work.update(body) + work.finalize()


CIPHERS: dict[int, Callable[[bytes], Cipher]] = {AES_256_GCM: AESGCM, SM4_GCM: Sm4Gcm}
ALGORITHM_NAMES = {AES_256_GCM: "AES-256-GCM", SM4_GCM: "SM4-GCM"}


def header(algorithm: int, key_id: int) -> bytes:
    """First five bytes of every envelope under one key."""
    return bytes((algorithm,)) + key_id.to_bytes(4, "big")


def read_header(envelope: bytes, place: str) -> tuple[int, int]:
    """Algorithm and key id of an envelope, or of its header alone.

    Raises:
        EnvelopeBroken: Too short to have a header, or an algorithm that we do not know.
    """
    if len(envelope) < HEADER_LENGTH:
        raise _cut(envelope, place)
    if envelope[0] not in CIPHERS:
        raise EnvelopeBroken(
            f"{place}: algorithm id {envelope[0]} is unknown, expected one of {sorted(CIPHERS)}; "
            "it was changed, or written by a newer version",
            place=place,
        )
    return envelope[0], int.from_bytes(envelope[1:HEADER_LENGTH], "big")


def unseal(cipher: Cipher, envelope: bytes, context: bytes, place: str) -> bytes:
    """Open an envelope whose key was found.

    Raises:
        EnvelopeBroken: Any byte of it was changed or cut, or it belongs to another context.
    """
    if len(envelope) < OVERHEAD:
        raise _cut(envelope, place)
    try:
        return cipher.decrypt(envelope[HEADER_LENGTH:BODY], envelope[BODY:], context)
    except InvalidTag:
        raise EnvelopeBroken(
            f"{place}: the envelope does not verify; it was changed or belongs to another "
            "dataset, field or record",
            place=place,
        ) from None


def _cut(envelope: bytes, place: str) -> EnvelopeBroken:
    """The error for an envelope that is too short to be one."""
    return EnvelopeBroken(
        f"{place}: {len(envelope)} bytes, an envelope has at least {OVERHEAD}; it was cut, "
        "restore it from a backup",
        place=place,
    )
