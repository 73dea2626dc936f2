"""Signatures and ciphers that the departments demand, each from its own interface note.

Pure functions over text and bytes; both the servers and their tests use them.
Nothing here reads a clock, a credential file or a request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SM4_BLOCK_BYTES = 16  # GB/T 32907-2016
GATEWAY_SIGNED_FIELDS = (
    "app_id",
    "biz_content",
    "charset",
    "interface_id",
    "origin",
    "timestamp",
    "version",
)  # alphabetical; `header` and `sign` stay outside


def same(left: str, right: str) -> bool:
    """Compare two signatures in constant time.

    Args:
        left: What was computed here.
        right: What the caller sent; any text, also non-ASCII.

    Returns:
        Whether both are equal.
    """
    return hmac.compare_digest(left.encode(), right.encode())


def sm3_hex(data: bytes) -> str:
    """Digest with SM3 (GB/T 32905-2016), lower-case hex."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Compute the PasswordDigest of a WS-Security UsernameToken (profile 1.1, section 3.1)."""
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode("ascii")


def registration_text(app_id: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Build the text that the registration office wants signed with RSA-SHA256."""
    return f"{app_id}\n{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}".encode()


def load_private_key(pem: bytes) -> RSAPrivateKey:
    """Load an unencrypted RSA private key.

    Raises:
        ValueError: The text is no private key.
        TypeError: A key of another kind, or one with a password.
    """
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("registration: private_key_file holds no RSA key; make one with `openssl`")
    return key


def rsa_sign(key: RSAPrivateKey, text: bytes) -> str:
    """Sign with RSA-SHA256, PKCS#1 v1.5 padding; base64."""
    return base64.b64encode(key.sign(text, PKCS1v15(), hashes.SHA256())).decode("ascii")


def rsa_matches(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    """Say whether `signature` (base64) is the RSA-SHA256 signature of `text`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, text, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Join decoded query pairs as the housing bureau signs them: sorted, RFC 3986 encoded."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(pairs)
    )


def housing_signature(
    secret: str, method: str, path: str, query: str, body: bytes, timestamp: str, nonce: str
) -> str:
    """Compute X-Signature of the housing bureau: lower-case hex HMAC-SHA256.

    Args:
        secret: The application secret.
        method: Upper-case HTTP method.
        path: Path as sent, without the query.
        query: Result of `canonical_query`.
        body: Raw body, empty for GET.
        timestamp: Epoch milliseconds as sent.
        nonce: As sent.
    """
    text = "\n".join((method, path, query, hashlib.sha256(body).hexdigest(), timestamp, nonce))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def social_signature(app_id: str, timestamp: str, secret: str) -> str:
    """Compute the `sign` part of the social insurance service: SM3 over id, time and secret."""
    return sm3_hex(f"{app_id}{timestamp}{secret}".encode())


def sm4_encrypt(key: bytes, text: str) -> str:
    """Encrypt one field: base64(iv + SM4-CBC with PKCS#7)."""
    iv = os.urandom(SM4_BLOCK_BYTES)
    padder = padding.PKCS7(SM4_BLOCK_BYTES * 8).padder()
    plain = padder.update(text.encode()) + padder.finalize()
    encryptor = Cipher(SM4(key), modes.CBC(iv)).encryptor()
    return base64.b64encode(iv + encryptor.update(plain) + encryptor.finalize()).decode("ascii")


def sm4_decrypt(key: bytes, sealed: str) -> str:
    """Undo `sm4_encrypt`.

    Raises:
        ValueError: Wrong key or a damaged value.
    """
    raw = base64.b64decode(sealed, validate=True)
    decryptor = Cipher(SM4(key), modes.CBC(raw[:SM4_BLOCK_BYTES])).decryptor()
    plain = decryptor.update(raw[SM4_BLOCK_BYTES:]) + decryptor.finalize()
    unpadder = padding.PKCS7(SM4_BLOCK_BYTES * 8).unpadder()
    return (unpadder.update(plain) + unpadder.finalize()).decode()


def gateway_sign(fields: dict[str, str]) -> str:
    """Compute `sign` of the Gansu gateway: SM3 over seven fields in alphabetical order.

    Source:
        docs of the gateway's public front end; no secret enters, so it protects integrity only.
    """
    text = "&".join(f"{name}={fields[name]}" for name in GATEWAY_SIGNED_FIELDS)
    return sm3_hex(text.encode())


def tif_signature(timestamp: str, token: str, nonce: str) -> str:
    """Compute x-tif-signature: SHA-256(timestamp + token + nonce + timestamp), upper-case hex."""
    text = f"{timestamp}{token}{nonce}{timestamp}"
    return hashlib.sha256(text.encode()).hexdigest().upper()
