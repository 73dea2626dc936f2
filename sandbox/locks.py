"""Locks: let several sandbox processes change one small file without losing each other's change.

Six servers share `applied.json` and `credentials.json`; a lock file beside each of them keeps a
read-change-write together. Nothing here touches the state databases, which lock by themselves.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Generator[None, None, None]:
    """Hold the lock of `path` among processes; waits for the holder before."""
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new text, never a part."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=mode)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
