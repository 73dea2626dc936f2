"""Credentials: the login data of the six systems, written once per state folder.

`credentials.json` has the shape that the hub's connections take; the servers read the same file, so
both sides always agree. The private key of the registration client lies beside it, as does the
token of the control path, which is no department's business. Every value is random, worth nothing.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.datasets import SYSTEMS
from sandbox.errors import StateMissing
from sandbox.locks import exclusive, replace_text

FIRST_PORT = 18101
CREDENTIALS_FILE = "credentials.json"
PRIVATE_KEY_FILE = "registration_client_key.pem"
CONTROL_FILE = "control_token"

Credentials = dict[str, dict[str, Any]]


def write_credentials(state_dir: Path, first_port: int = FIRST_PORT) -> Credentials:
    """Write login data for all systems, on consecutive ports from `first_port`.

    Secrets that the folder has already are kept, so that a rebuilt city does not lock the hub out.

    Returns:
        What `load_credentials` will read.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / CREDENTIALS_FILE
    key_path = state_dir / PRIVATE_KEY_FILE
    control_path = state_dir / CONTROL_FILE
    if not key_path.is_file():
        _write(key_path, _private_key())
    if not control_path.is_file():
        _write(control_path, secrets.token_hex(16))
    credentials = load_credentials(state_dir) if path.is_file() else _fresh(key_path.resolve())
    for at, system in enumerate(SYSTEMS):
        credentials[system]["base_url"] = f"http://127.0.0.1:{first_port + at}"
    _write(path, json.dumps(credentials, ensure_ascii=False, indent=2) + "\n")
    return credentials


def load_credentials(state_dir: Path) -> Credentials:
    """Read the login data of a state folder.

    Raises:
        StateMissing: The population of this folder was never built.
    """
    loaded: Credentials = json.loads(_read(state_dir / CREDENTIALS_FILE))
    return loaded


def set_port(state_dir: Path, system: str, port: int) -> None:
    """Note that `system` now answers on `port`."""
    path = state_dir / CREDENTIALS_FILE
    with exclusive(path):
        credentials = load_credentials(state_dir)
        credentials[system]["base_url"] = f"http://127.0.0.1:{port}"
        _write(path, json.dumps(credentials, ensure_ascii=False, indent=2) + "\n")


def control_token(state_dir: Path) -> str:
    """Read the token that the control path of every server asks for."""
    return _read(state_dir / CONTROL_FILE).strip()


def _fresh(key_path: Path) -> Credentials:
    tif_token = secrets.token_urlsafe(18)
    return {
        "tax": {"login": "hub-tax", "password": secrets.token_urlsafe(18), "extra": {}},
        "registration": {
            "login": "hub-registration",
            "password": "",
            "extra": {"private_key_file": str(key_path)},
        },
        "housing": {"login": "hub-housing", "password": secrets.token_urlsafe(24), "extra": {}},
        "social": {
            "login": "hub-social",
            "password": secrets.token_urlsafe(18),
            "extra": {"field_key": secrets.token_hex(16)},
        },
        "market": {"login": "hub-market", "password": secrets.token_urlsafe(24), "extra": {}},
        "substation": {
            "login": "hub-substation",
            "password": tif_token,
            "extra": {"paas_id": "pl_tongban", "tif_token": tif_token},
        },
    }


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode("ascii")


def _write(path: Path, text: str) -> None:
    """Write a secret that only its owner may read."""
    replace_text(path, text, mode=0o600)


def _read(path: Path) -> str:
    if not path.is_file():
        raise StateMissing(f"{path}: not there; run `python -m sandbox population` first")
    return path.read_text(encoding="utf-8")
