"""The key ring: data keys wrapped by one master key, one small file per key.

Every scope (a dataset, or `hub` for pages and messages) has data keys of its own, so that a
dataset can be shredded by destroying its keys. The newest key of a scope seals, every key that
is still there opens. The index and digest keys are derived from one root that never changes
with a rotation, else equal values would stop giving equal indexes.

Files appear whole or not at all and are never rewritten, so several workers share a folder
without a lock: whoever loses the race to make a key reads the winner's.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tongban.kernel.errors import ConfigInvalid, KeyUnknown
from tongban.protect.envelope import (
    AES_256_GCM,
    CIPHERS,
    KEY_LENGTH,
    NONCE_LENGTH,
    Cipher,
    header,
    read_header,
    unseal,
)

MASTER_KEY_VARIABLE = "TONGBAN_MASTER_KEY"
MASTER_KEY_FILE = "master.key"
HUB_SCOPE = "hub"
FINGERPRINT_LENGTH = 16

_ROOT_NAME = "root"


class MasterKeyWrong(KeyUnknown):
    """The master key does not open the ring's keys; it is another installation's."""

    code = "fatal.master_key_wrong"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The key with which a scope's values are sealed now."""

    key_id: int
    header: bytes
    cipher: Cipher


class KeyRing:
    """All keys of one installation; open it once per process."""

    def __init__(self, folder: Path, master: bytes) -> None:
        self._folder = folder
        self._master = AESGCM(master)
        self._ciphers: dict[tuple[int, int], Cipher] = {}
        self._sealing: dict[str, SealingKey] = {}
        self._derived: dict[str, bytes] = {}
        self._root = self._read_or_make(_ROOT_NAME, {"purpose": "root"})[1]

    @classmethod
    def open(cls, folder: Path, environ: Mapping[str, str] | None = None) -> KeyRing:
        """Open the ring of a folder, making it on first use.

        The master key comes from TONGBAN_MASTER_KEY (base64 of 32 bytes) or from the file
        `master.key` (mode 0600), which is made when there is neither.

        Raises:
            ConfigInvalid: The master key is not 32 bytes in base64.
            MasterKeyWrong: It is, but this ring was made under another one.
        """
        env = os.environ if environ is None else environ
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        given = env.get(MASTER_KEY_VARIABLE)
        if given:
            return cls(folder, _master_key(given, f"environment variable {MASTER_KEY_VARIABLE}"))
        path = folder / MASTER_KEY_FILE
        if not path.exists():
            if any(folder.glob("*.json")) and not path.exists():
                raise MasterKeyWrong(
                    f"{path} is missing but the folder holds wrapped keys; restore the file or "
                    f"set {MASTER_KEY_VARIABLE}",
                    path=str(path),
                )
            _write_once(path, base64.b64encode(secrets.token_bytes(KEY_LENGTH)) + b"\n")
        return cls(folder, _master_key(path.read_text(encoding="ascii"), str(path)))

    def seal(self, context: str, data: bytes, *, scope: str = HUB_SCOPE) -> bytes:
        """Seal bytes that open only under the same context."""
        key = self.sealing_key(scope)
        nonce = os.urandom(NONCE_LENGTH)
        return key.header + nonce + key.cipher.encrypt(nonce, data, context.encode())

    def unseal(self, context: str, envelope: bytes) -> bytes:
        """Open what `seal` made.

        Raises:
            KeyUnknown: The ring has no key of that id.
            EnvelopeBroken: It was changed, cut, or belongs to another context.
        """
        algorithm, key_id = read_header(envelope, context)
        return unseal(self.cipher(algorithm, key_id), envelope, context.encode(), context)

    def sealing_key(self, scope: str) -> SealingKey:
        """The newest key of a scope; made on first use."""
        if scope not in self._sealing:
            names = sorted(p.stem for p in self._folder.glob(f"data.{scope}.*.json"))
            name = names[-1] if names else f"data.{scope}.0001"
            key_id, _ = self._read_or_make(name, {"purpose": "data", "scope": scope})
            self._sealing[scope] = SealingKey(
                key_id, header(AES_256_GCM, key_id), self.cipher(AES_256_GCM, key_id)
            )
        return self._sealing[scope]

    def add_key(self, scope: str) -> int:
        """Give a scope a new sealing key; older envelopes stay readable. Gives its id."""
        names = sorted(p.stem for p in self._folder.glob(f"data.{scope}.*.json"))
        number = int(names[-1].rpartition(".")[2]) + 1 if names else 1
        self._read_or_make(f"data.{scope}.{number:04d}", {"purpose": "data", "scope": scope})
        self._sealing.pop(scope, None)
        return self.sealing_key(scope).key_id

    def cipher(self, algorithm: int, key_id: int) -> Cipher:
        """The cipher of a key id; looks into the folder again for one that we have not met.

        Raises:
            KeyUnknown: No file of the ring has that id (destroyed, or another installation's).
        """
        found = self._ciphers.get((algorithm, key_id))
        if found is None:
            for path in self._folder.glob("data.*.json"):
                number, key = self._unwrap(path)
                self._ciphers[algorithm, number] = CIPHERS[algorithm](key)
            found = self._ciphers.get((algorithm, key_id))
        if found is None:
            raise KeyUnknown(
                f"{self._folder}: no key with the id {key_id:08x}; it was destroyed or belongs "
                "to another installation, restore the folder from its backup",
                key_id=key_id,
            )
        return found

    def derived(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose, the same for the ring's whole life."""
        if purpose not in self._derived:
            kdf = HKDF(hashes.SHA256(), KEY_LENGTH, salt=None, info=b"tongban:" + purpose.encode())
            self._derived[purpose] = kdf.derive(self._root)
        return self._derived[purpose]

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that tell this ring from every other one, and nothing about its keys."""
        return self.derived("fingerprint")[:FINGERPRINT_LENGTH]

    def _read_or_make(self, name: str, facts: dict[str, str]) -> tuple[int, bytes]:
        """Read one key file, making it first when there is none; the first maker wins."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            key_id = secrets.randbits(32)
            nonce = os.urandom(NONCE_LENGTH)
            key = secrets.token_bytes(KEY_LENGTH)
            wrapped = nonce + self._master.encrypt(nonce, key, _facts(name, key_id))
            document = {
                **facts,
                "key_id": f"{key_id:08x}",
                "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "wrapped": base64.b64encode(wrapped).decode(),
            }
            _write_once(path, json.dumps(document, indent=2).encode() + b"\n")
        return self._unwrap(path)

    def _unwrap(self, path: Path) -> tuple[int, bytes]:
        """Key id and key of one file."""
        document = json.loads(path.read_text(encoding="utf-8"))
        key_id = int(document["key_id"], 16)
        wrapped = base64.b64decode(document["wrapped"])
        nonce, body = wrapped[:NONCE_LENGTH], wrapped[NONCE_LENGTH:]
        try:
            return key_id, self._master.decrypt(nonce, body, _facts(path.stem, key_id))
        except InvalidTag:
            raise MasterKeyWrong(
                f"{path}: the master key does not open this key; it is another installation's "
                f"or the file was changed, check {MASTER_KEY_VARIABLE} and {MASTER_KEY_FILE}",
                path=str(path),
            ) from None


def _facts(name: str, key_id: int) -> bytes:
    """Binds a wrapped key to its file's name and id."""
    return f"tongban-key|{name}|{key_id:08x}".encode()


def _master_key(text: str, source: str) -> bytes:
    """The master key's bytes."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_LENGTH:
        raise ConfigInvalid(f"{source}: expected base64 of {KEY_LENGTH} bytes")
    return key


def _write_once(path: Path, content: bytes) -> None:
    """Write a 0600 file whole; when another was first, theirs stays."""
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(half, path)
    except FileExistsError:
        pass
    finally:
        half.unlink(missing_ok=True)
