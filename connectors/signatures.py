"""Signatures: the hash and signature primitives that departments ask for.

Pure functions over bytes; which text is signed and where the result travels is declared in the
system's YAML. Keys are arguments, never kept and never shown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hmac import HMAC

from tongban.kernel.errors import CredentialsMissing

Encoding = Literal["hex", "HEX", "base64"]


def sm3(data: bytes) -> bytes:
    """SM3 digest (GB/T 32905-2016)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC over SM3."""
    mac = HMAC(key, hashes.SM3())
    mac.update(data)
    return mac.finalize()


def rsa_sha256(key: bytes, data: bytes) -> bytes:
    """RSA PKCS#1 v1.5 signature over SHA-256, with a private key in PEM."""
    return _private_key(key).sign(data, padding.PKCS1v15(), hashes.SHA256())


@lru_cache(maxsize=16)
def _private_key(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise CredentialsMissing(
            "the private key is not an unencrypted PEM key; replace the file that the "
            "connection names"
        ) from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CredentialsMissing("the private key is not an RSA key; replace the file")
    return key


_PLAIN: dict[str, Callable[[bytes], bytes]] = {
    "sm3": sm3,
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
}
_KEYED: dict[str, Callable[[bytes, bytes], bytes]] = {
    "hmac_sha256": lambda key, data: hmac.digest(key, data, "sha256"),
    "hmac_sha1": lambda key, data: hmac.digest(key, data, "sha1"),
    "hmac_sm3": hmac_sm3,
    "rsa_sha256": rsa_sha256,
}


def needs_key(algorithm: str) -> bool:
    """Tell whether an algorithm is keyed."""
    return algorithm in _KEYED


def sign(algorithm: str, text: str, *, key: bytes | None, encoding: Encoding) -> str:
    """Hash or sign a canonical text (as UTF-8) and write the result down."""
    data = text.encode()
    if algorithm in _KEYED:
        if key is None:
            raise CredentialsMissing(f"{algorithm} needs `key`: name a field of the connection")
        raw = _KEYED[algorithm](key, data)
    else:
        raw = _PLAIN[algorithm](data)
    if encoding == "base64":
        return base64.b64encode(raw).decode()
    return raw.hex().upper() if encoding == "HEX" else raw.hex()


def key_material(secret: str) -> bytes:
    """Give the key bytes: inline PEM, the content of a key file, or the secret itself.

    Raises:
        CredentialsMissing: It names a file that cannot be read.
    """
    if secret.startswith("-----BEGIN"):
        return secret.encode()
    try:
        return Path(secret).expanduser().read_bytes()
    except OSError as exc:
        raise CredentialsMissing(
            "the key file that the connection names cannot be read; check path and rights"
        ) from exc
