"""Signing: who signs seals. Ed25519 is built in; SM2 comes from a package that brings it.

A provider is an entry point of the group `tongban.signers`, named after its algorithm, with

    public_of(private: bytes) -> bytes
    sign(private: bytes, data: bytes) -> bytes
    verify(public: bytes, signature: bytes, data: bytes) -> bool

The private key is derived from the key ring's root, which lies in a 0600 file wrapped by the master
key, so that a restored ring signs as before. Only public keys go into the database and archives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tongban.evidence.verify import ED25519, PROVIDERS, key_id
from tongban.kernel.errors import Fatal

SM2 = "SM2"
ALGORITHM_VARIABLE = "TONGBAN_SEAL_ALGORITHM"
KEY_PURPOSE = "evidence seal 1"  # what the key ring derives the private key for


class SignerAbsent(Fatal):
    """Seals should be signed with an algorithm that no installed package provides."""

    code = "fatal.signer_absent"


@dataclass(frozen=True, slots=True)
class Signer:
    """One key that signs.

    Attributes:
        key: Its id, the digest of algorithm and public key.
    """

    algorithm: str
    public: bytes
    key: str
    sign: Callable[[bytes], bytes]


def open_signer(private: bytes, algorithm: str | None = None) -> Signer:
    """The signer of a private key.

    Args:
        private: 32 bytes from the key ring.
        algorithm: Ed25519, or one that an installed package provides; from the environment
            (`TONGBAN_SEAL_ALGORITHM`), else Ed25519, when not given.

    Raises:
        SignerAbsent: Nobody here knows the algorithm.
    """
    algorithm = algorithm or os.environ.get(ALGORITHM_VARIABLE) or ED25519
    if algorithm == ED25519:
        own = Ed25519PrivateKey.from_private_bytes(private)
        public = own.public_key().public_bytes_raw()
        return Signer(algorithm, public, key_id(algorithm, public), own.sign)
    provider = _provider(algorithm)
    public = provider.public_of(private)
    return Signer(
        algorithm, public, key_id(algorithm, public), lambda data: provider.sign(private, data)
    )


def is_available(algorithm: str) -> bool:
    """Tell whether this installation can sign with the algorithm."""
    return algorithm == ED25519 or bool(entry_points(group=PROVIDERS, name=algorithm))


def _provider(algorithm: str) -> Any:
    for found in entry_points(group=PROVIDERS, name=algorithm):
        return found.load()
    raise SignerAbsent(
        f"no installed package signs with {algorithm}; install one with an entry point "
        f"{PROVIDERS}:{algorithm}, or set {ALGORITHM_VARIABLE}={ED25519}",
        algorithm=algorithm,
    )
