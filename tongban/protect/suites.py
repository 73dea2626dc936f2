"""Suites: which algorithms an installation uses, and which of them are there.

    international   AES-256-GCM, BLAKE2b and SHA-256, Ed25519
    national        SM4-GCM (GM/T 0002), HMAC-SM3 and SM3 (GM/T 0004), SM2 (GM/T 0003)

The suite rules what is sealed from now on; what is stored opens under the algorithm that its own
envelope names, so one column may hold both. Record ids, row digests and blind indexes are the
identity of what is stored: their algorithm is fixed when a ring is made and never follows the
setting (docs/decisions/0013-suites-and-rotation.md).

SM2 is in no library that we depend on. A package that has it names itself as `SM2` in the entry
point group `tongban.signers` (see `tongban.evidence.signing`); without one SM2 is off, and
`tongban keys status` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import suggestion
from tongban.protect.envelope import AES_256_GCM, KEY_LENGTH, SM4_GCM

SUITE_VARIABLE = "TONGBAN_CRYPTO_SUITE"
INTERNATIONAL = "international"
NATIONAL = "national"
SIGNERS = "tongban.signers"
SM2 = "SM2"
DIGEST_LENGTH = 16

_SM3_BLOCK = 64  # bytes, GM/T 0004


@dataclass(frozen=True, slots=True)
class Suite:
    """The algorithms of one suite.

    Attributes:
        algorithm: Algorithm id of new envelopes.
        digests: Keyed digests of a ring that is begun under this suite.
        signatures: Name of the signature algorithm.
    """

    name: str
    algorithm: int
    digests: str
    signatures: str


SUITES = {
    INTERNATIONAL: Suite(INTERNATIONAL, AES_256_GCM, "blake2b", "Ed25519"),
    NATIONAL: Suite(NATIONAL, SM4_GCM, "hmac-sm3", SM2),
}


class Sm3Key(bytes):
    """A derived key of a ring whose digests are HMAC-SM3; see `keyed_digest`."""


def suite_of(environ: Mapping[str, str]) -> Suite:
    """The suite that TONGBAN_CRYPTO_SUITE names; international when it names none.

    Raises:
        ConfigInvalid: No such suite; with a suggestion.
    """
    name = environ.get(SUITE_VARIABLE) or INTERNATIONAL
    if name not in SUITES:
        raise ConfigInvalid(
            f'{SUITE_VARIABLE}: no suite "{name}"{suggestion(name, SUITES)}; '
            f"expected one of {', '.join(SUITES)}"
        )
    return SUITES[name]


def derive(root: bytes, purpose: str, digests: str) -> bytes:
    """A key for one purpose, of the kind that its digests need (HKDF, RFC 5869)."""
    info = b"tongban:" + purpose.encode()
    if digests == SUITES[NATIONAL].digests:
        return Sm3Key(HKDF(hashes.SM3(), KEY_LENGTH, salt=None, info=info).derive(root))
    return HKDF(hashes.SHA256(), KEY_LENGTH, salt=None, info=info).derive(root)


def keyed_digest(key: bytes) -> Callable[[bytes], bytes]:
    """A function that gives the keyed 128-bit digest of bytes, its key absorbed once.

    Keyed BLAKE2b-128, or HMAC-SM3 cut to 128 bits (RFC 2104, 5) for a key of a national ring.
    """
    if isinstance(key, Sm3Key):
        return _hmac_sm3(key)
    copy = hashlib.blake2b(key=key, digest_size=DIGEST_LENGTH).copy

    def digest(data: bytes) -> bytes:
        state = copy()
        state.update(data)
        return state.digest()

    return digest


def _hmac_sm3(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SM3; both blocks are absorbed once, which halves its time."""
    padded = key.ljust(_SM3_BLOCK, b"\0")
    inner = hashlib.new("sm3", bytes(byte ^ 0x36 for byte in padded)).copy
    outer = hashlib.new("sm3", bytes(byte ^ 0x5C for byte in padded)).copy

    def digest(data: bytes) -> bytes:
        first, second = inner(), outer()
        first.update(data)
        second.update(first.digest())
        return second.digest()[:DIGEST_LENGTH]

    return digest


def has_sm2() -> bool:
    """Whether an SM2 provider is installed; it is not loaded for this answer."""
    return bool(entry_points(group=SIGNERS, name=SM2))


def signatures_of(suite: Suite) -> str:
    """One sentence about the suite's signatures, as status and check print it."""
    if suite.name == INTERNATIONAL:
        return "Ed25519"
    if has_sm2():
        return SM2
    return f"SM2 is off: no provider is installed (entry point {SIGNERS}:{SM2})"
