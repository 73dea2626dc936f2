"""Rewrap: bring every key file under another master key, in three steps that may each be repeated.

    prepare   every file gets a second wrap, under the new master key; both open it
    switch    the master key's own file is exchanged; elsewhere a person does it
    finish    every file loses the wrap under the old master key

At any moment one of the two master keys opens every file. Afterwards a copy of the folder from
before, with the old master key, still opens old backups: destroy both where that is the purpose.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tongban.kernel.errors import ConfigInvalid
from tongban.protect.envelope import KEY_LENGTH
from tongban.protect.keyfiles import NEXT_WRAP, WRAP, wrap, write_over
from tongban.protect.keyring import KeyRing, MasterKeyWrong, master_text


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """How far a change of the master key is.

    Attributes:
        keys: Files of the ring.
        is_finished: No file opens with the old master key any more.
    """

    keys: int
    is_finished: bool


def new_master() -> bytes:
    """A new master key from the system's random source."""
    return secrets.token_bytes(KEY_LENGTH)


def prepare(ring: KeyRing, new: bytes) -> int:
    """Give every file a second wrap under a new master key; gives their number.

    Raises:
        MasterKeyWrong: A file opens neither with the ring's master key nor with the new one.
    """
    old = ring.master_now()
    names = ring.files.names("*")
    for name in names:
        _add_wrap(ring, name, old, new)
    return len(names)


def _add_wrap(ring: KeyRing, name: str, old: bytes, new: bytes) -> None:
    """A second wrap for one file; its first one stays."""
    found = ring.files.unwrap(name, old) or ring.files.unwrap(name, new)
    if found is None:
        raise MasterKeyWrong(
            f"{ring.files.path(name)}: neither the old nor the new master key opens it; "
            "restore the folder from its backup",
            path=str(ring.files.path(name)),
        )
    key_id, key = found
    document = ring.files.document(name)
    document[NEXT_WRAP] = wrap(key, name, key_id, new, ring.suite.algorithm)
    document["wrap_next"] = ring.suite.algorithm
    ring.files.replace(name, document)


def switch(ring: KeyRing, new: bytes) -> bool:
    """Exchange the master key where it lies in a file; False where a person must do it."""
    if ring.source.path is None:
        return False
    write_over(ring.source.path, master_text(new).encode() + b"\n")
    return True


def rewrap_file(ring: KeyRing) -> Rewrapped:
    """All three steps where the master key lies in a file; after a crash it goes on.

    Raises:
        MasterKeyWrong: A file opens neither with the old nor with the new master key.
    """
    if waiting(ring) and _is_switched(ring):
        return finish(ring)
    old, new = ring.master_now(), new_master()
    prepare(ring, new)
    switch(ring, new)
    _catch_up(ring, old, new)
    return finish(ring)


def _is_switched(ring: KeyRing) -> bool:
    """Whether the present master key is the one that the second wraps were made for."""
    master = ring.master_now()
    return all(
        ring.files.opens(name, _only_next(ring.files.document(name)), master)
        for name in waiting(ring)
    )


def _catch_up(ring: KeyRing, old: bytes, new: bytes) -> None:
    """Keys that another process made between the first step and the second."""
    for name in ring.files.names("*"):
        if ring.files.unwrap(name, new) is None:
            _add_wrap(ring, name, old, new)


def finish(ring: KeyRing) -> Rewrapped:
    """Drop the old wrap of every file that the present master key opens by its new one.

    Raises:
        MasterKeyWrong: The present master key does not open a file: the switch was not made, or a
            key was made meanwhile under the old one; prepare again.
    """
    master = ring.master_now()
    names = ring.files.names("*")
    for name in names:
        if ring.files.unwrap(name, master) is None:
            raise MasterKeyWrong(
                f"{ring.files.path(name)}: the present master key does not open it; give the new "
                "master key, or run `tongban keys rewrap` again with the old one",
                path=str(ring.files.path(name)),
            )
    for name in names:
        document = ring.files.document(name)
        if NEXT_WRAP not in document:
            continue
        only_next = _only_next(document)
        if not ring.files.opens(name, only_next, master):
            raise ConfigInvalid(
                f"{ring.files.path(name)}: the new wrap is not under the present master key; the "
                "master key was not changed yet, give the new one first"
            )
        ring.files.replace(name, only_next)
    return Rewrapped(len(names), is_finished=True)


def waiting(ring: KeyRing) -> list[str]:
    """Names of the files that still have two wraps."""
    return [name for name in ring.files.names("*") if NEXT_WRAP in ring.files.document(name)]


def _only_next(document: dict[str, Any]) -> dict[str, Any]:
    """A file's content with its second wrap in the place of the first."""
    only = {**document, WRAP: document[NEXT_WRAP], "wrap": document["wrap_next"]}
    del only[NEXT_WRAP], only["wrap_next"]
    return only
