"""Fields: undo the field encryption that some departments put on top of TLS.

Works on whole columns of text right after decoding. The key comes from the connection and is
never shown. Storing classified fields encrypted is the business of `tongban.protect`, not of this.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tongban.kernel.errors import AnswerUnreadable, CredentialsMissing

BLOCK_BYTES = 16  # GB/T 32907-2016


def sm4_cbc_open(key: bytes, text: str) -> str:
    """Decrypt base64(iv + SM4-CBC with PKCS#7).

    Raises:
        ValueError: Not such a text, or another key.
    """
    try:
        sealed = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
    iv, body = sealed[:BLOCK_BYTES], sealed[BLOCK_BYTES:]
    if not body or len(iv) != BLOCK_BYTES or len(body) % BLOCK_BYTES:
        raise ValueError("not whole blocks")
    decryptor = Cipher(algorithms.SM4(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(BLOCK_BYTES * 8).unpadder()
    padded = decryptor.update(body) + decryptor.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


_CIPHERS: dict[str, Callable[[bytes, str], str]] = {"sm4_cbc": sm4_cbc_open}


def read_key(secret: str) -> bytes:
    """Read a 16-byte key in hex.

    Raises:
        CredentialsMissing: It is not 32 hex digits.
    """
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = b""
    if len(key) != BLOCK_BYTES:
        raise CredentialsMissing("the field key must be 32 hex digits; correct the connection")
    return key


def open_column(cipher: str, key: bytes, values: Iterable[str | None]) -> list[str | None]:
    """Decrypt a column; a value that cannot be opened stays as it came, for the rules to find.

    Raises:
        AnswerUnreadable: Not one value could be opened, so the key is wrong.
    """
    open_value = _CIPHERS[cipher]
    opened: list[str | None] = []
    good = bad = 0
    for value in values:
        if not value:
            opened.append(value)
            continue
        try:
            opened.append(open_value(key, value))
            good += 1
        except ValueError:
            opened.append(value)
            bad += 1
    if bad and not good:
        raise AnswerUnreadable(
            f"none of {bad} encrypted values could be opened; check the field key of the "
            "connection",
            values=bad,
        )
    return opened
