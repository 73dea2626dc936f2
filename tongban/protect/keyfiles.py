"""Key files: how one key lies in the ring's folder, and what has become of it.

    root.json                          the root of index and digest keys
    data.<scope>.<period>-<no>.json    a data key; `data.<scope>.<no>.json` in older rings
    <same name>.retired                no envelope named it any more; it opens, but seals nothing
    <same name>.shredded               it was destroyed by order; the certificate's facts

A file appears whole or not at all. Only a change of the master key rewrites one, and then it holds
both wraps until every file does, so that at any moment one of two master keys opens all of them.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag

from tongban.protect.envelope import AES_256_GCM, CIPHERS, KEY_LENGTH, NONCE_LENGTH

RETIRED = ".retired"
SHREDDED = ".shredded"
WRAP, NEXT_WRAP = "wrapped", "wrapped_next"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be told about a data key.

    Attributes:
        name: Stem of its file.
        period: Year in which its values were sealed, as text.
        state: active, retired or shredded.
    """

    name: str
    scope: str
    period: str
    number: int
    key_id: int
    made_at: str
    state: str


class KeyFolder:
    """The files of one ring."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of a key."""
        return self.folder / f"{name}.json"

    def stamp(self) -> int:
        """Changes whenever a file appears or goes; one system call."""
        return os.stat(self.folder).st_mtime_ns  # noqa: PTH116 - on the hot path

    def document(self, name: str) -> dict[str, Any]:
        """The content of a key's file."""
        found: dict[str, Any] = json.loads(self.path(name).read_text(encoding="utf-8"))
        return found

    def names(self, pattern: str = "data.*") -> list[str]:
        """Names of the keys whose files are there."""
        return sorted(path.name[:-5] for path in self.folder.glob(f"{pattern}.json"))

    def facts(self, scope: str | None = None) -> list[KeyFacts]:
        """Every data key that is or was, oldest first; shredded ones are known by their mark."""
        pattern = f"data.{scope or '*'}.*"
        found = [self._facts(name, self.document(name)) for name in self.names(pattern)]
        for path in self.folder.glob(pattern + SHREDDED):
            name = path.name.removesuffix(SHREDDED)
            if not self.path(name).exists():
                found.append(self._facts(name, json.loads(path.read_text(encoding="utf-8"))))
        return sorted(found, key=lambda key: (key.scope, key.period, key.number))

    def mark(self, name: str, suffix: str, facts: dict[str, Any]) -> None:
        """Say what has become of a key; the first mark stays."""
        kept = {k: v for k, v in self.document(name).items() if not k.startswith(WRAP)}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({**kept, **facts, "marked_at": now}, indent=2)
        write_once(self.folder / f"{name}{suffix}", text.encode() + b"\n")

    def mark_of(self, name: str, suffix: str) -> dict[str, Any] | None:
        """The facts of a mark, or None."""
        path = self.folder / f"{name}{suffix}"
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def destroy(self, name: str) -> None:
        """Remove a key's file for good; doing it again is fine."""
        path = self.path(name)
        with suppress(FileNotFoundError):
            with path.open("r+b") as file:  # a copy-on-write disk keeps it all the same
                file.write(os.urandom(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        _sync(self.folder)

    def make(self, name: str, master: bytes, algorithm: int, facts: dict[str, str]) -> None:
        """Make a key file when there is none; the first maker wins."""
        if self.path(name).exists() or (self.folder / f"{name}{SHREDDED}").exists():
            return
        key_id = secrets.randbits(32)
        document = {
            **facts,
            "key_id": f"{key_id:08x}",
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "wrap": algorithm,
            WRAP: wrap(secrets.token_bytes(KEY_LENGTH), name, key_id, master, algorithm),
        }
        write_once(self.path(name), _text(document))

    def replace(self, name: str, document: dict[str, Any]) -> None:
        """Put another content in a key's place, whole or not at all."""
        half = _half(self.path(name), _text(document))
        half.replace(self.path(name))
        _sync(self.folder)

    def unwrap(self, name: str, master: bytes) -> tuple[int, bytes] | None:
        """Key id and key of one file, or None when this master key does not open it."""
        return _unwrapped(name, self.document(name), master)

    def opens(self, name: str, document: dict[str, Any], master: bytes) -> bool:
        """Whether this master key would open another content of the same file."""
        return _unwrapped(name, document, master) is not None

    def _facts(self, name: str, document: dict[str, Any]) -> KeyFacts:
        scope, _, last = name.removeprefix("data.").rpartition(".")
        period, _, number = last.rpartition("-")
        state = "active"
        for suffix, word in ((SHREDDED, "shredded"), (RETIRED, "retired")):
            if (self.folder / f"{name}{suffix}").exists():
                state = word
                break
        return KeyFacts(
            name=name,
            scope=scope,
            period=period or str(document["made_at"])[:4],
            number=int(number),
            key_id=int(document["key_id"], 16),
            made_at=str(document["made_at"]),
            state=state,
        )


def _unwrapped(name: str, document: dict[str, Any], master: bytes) -> tuple[int, bytes] | None:
    """Key id and key, by whichever of the wraps opens."""
    key_id = int(document["key_id"], 16)
    for field, algorithm in ((WRAP, "wrap"), (NEXT_WRAP, "wrap_next")):
        if field not in document:
            continue
        cipher = CIPHERS[document.get(algorithm, AES_256_GCM)](master)
        raw = base64.b64decode(document[field])
        with suppress(InvalidTag):
            return key_id, cipher.decrypt(
                raw[:NONCE_LENGTH], raw[NONCE_LENGTH:], _binding(name, key_id)
            )
    return None


def wrap(key: bytes, name: str, key_id: int, master: bytes, algorithm: int) -> str:
    """A key under a master key, as text."""
    nonce = os.urandom(NONCE_LENGTH)
    body = CIPHERS[algorithm](master).encrypt(nonce, key, _binding(name, key_id))
    return base64.b64encode(nonce + body).decode()


def _binding(name: str, key_id: int) -> bytes:
    """Binds a wrapped key to its file's name and id."""
    return f"tongban-key|{name}|{key_id:08x}".encode()


def _text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def write_once(path: Path, content: bytes) -> None:
    """Write a 0600 file whole; when another was first, theirs stays."""
    half = _half(path, content)
    try:
        os.link(half, path)
    except FileExistsError:
        pass
    finally:
        half.unlink(missing_ok=True)
    _sync(path.parent)


def write_over(path: Path, content: bytes) -> None:
    """Write a 0600 file whole, in the place of what was there."""
    _half(path, content).replace(path)
    _sync(path.parent)


def _half(path: Path, content: bytes) -> Path:
    """The content under another name, on disk."""
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return half


def _sync(folder: Path) -> None:
    """Make a new or removed name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
