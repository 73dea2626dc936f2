"""Identity: is there one in a request, and what account would make one.

The fake looks for presence, not for truth: it has no secret to compare with, and work on mappings
must not wait for the right key. The account that it writes has every field that the declared
identity needs, with values made for this one run.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.templates import PLACE
from tongban.kernel.interfaces import (
    ApiKey,
    Basic,
    FieldsAuth,
    Interface,
    OAuth2ClientCredentials,
    Signed,
)
from tongban.kernel.systems import System

KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """Where an identity can be: lower-case headers, query, form, message, and raw text."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    message: Mapping[str, Any]
    text: str


def is_identified(interface: Interface, shown: Shown) -> bool:
    """Whether everything that the declared identities send is there."""
    return all(_is_there(spec, shown) for spec in interface.auth)


def _is_there(spec: Any, shown: Shown) -> bool:
    authorization = shown.headers.get("authorization", "")
    if isinstance(spec, Basic):
        return authorization.startswith("Basic ")
    if isinstance(spec, OAuth2ClientCredentials):
        return authorization.startswith("Bearer ")
    if isinstance(spec, ApiKey):
        place = shown.headers if spec.place == "headers" else shown.query
        name = spec.name.lower() if spec.place == "headers" else spec.name
        return bool(place.get(name))
    if isinstance(spec, Signed | FieldsAuth):
        send = spec.send if isinstance(spec, Signed) else spec
        given: Mapping[str, Any] = getattr(shown, send.place)
        lower = {str(name).lower() for name, value in given.items() if value}
        return all(name.lower() in lower for name in send.values)
    if spec.kind.startswith("ws_security"):
        return "Security" in shown.text
    return True


def account_for(system: System, base_url: str, folder: Path) -> dict[str, Any]:
    """A connection document with which the declared identity can be made."""
    extra: dict[str, str] = {}
    for interface in system.interfaces.values():
        for spec in interface.auth:
            for name in _secret_names(spec):
                extra.setdefault(name, secrets.token_hex(KEY_BYTES))
            if isinstance(spec, Signed) and spec.algorithm.startswith("rsa"):
                extra[spec.key or "password"] = str(_rsa_key(folder / f"{system.system}.pem"))
    for dataset in system.datasets.values():
        if dataset.encrypted is not None:
            extra.setdefault(dataset.encrypted.key, secrets.token_hex(KEY_BYTES))
    login, password = extra.pop("login", "hub"), extra.pop("password", secrets.token_hex(8))
    return {"base_url": base_url, "login": login, "password": password, "extra": extra}


def _secret_names(spec: Any) -> set[str]:
    """Connection fields that an identity reads."""
    names = {str(getattr(spec, name)) for name in ("key", "secret") if getattr(spec, name, None)}
    if isinstance(spec, Signed | FieldsAuth):
        sent = (
            [spec.text, *spec.send.values.values()] if isinstance(spec, Signed) else [spec.values]
        )
        texts = [str(text) for text in sent]
        matches = [match for text in texts for match in PLACE.finditer(text)]
        names |= {m.group(2) for m in matches if m.group(1) == "secret" and m.group(2)}
    return names


def _rsa_key(path: Path) -> Path:
    """Write a private key for signatures that nobody verifies."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def seal(key: str, text: str) -> str:
    """base64(iv + SM4-CBC with PKCS#7), as `connectors.fields` opens it."""
    import base64

    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    iv = secrets.token_bytes(KEY_BYTES)
    padder = padding.PKCS7(KEY_BYTES * 8).padder()
    encryptor = Cipher(algorithms.SM4(bytes.fromhex(key)), modes.CBC(iv)).encryptor()
    body = encryptor.update(padder.update(text.encode()) + padder.finalize())
    return base64.b64encode(iv + body + encryptor.finalize()).decode()
