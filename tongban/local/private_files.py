"""Private files: secrets of the local stack, each in a file that only its owner can read.

A file is written whole or not at all, and a secret once made is kept, so that a restart changes no
password. No secret is ever printed, logged or put into an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tongban.kernel.errors import StackBroken


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600; a reader sees the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def kept_secrets(path: Path, makers: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Read named secrets from a JSON file, making those that are missing.

    Args:
        path: JSON object of strings; names that are not in `makers` stay in it.
        makers: Name of each wanted secret to a function that makes a fresh one.

    Returns:
        All secrets of the file.

    Raises:
        StackBroken: The file is there but cannot be read.
    """
    kept: dict[str, str] = {}
    if path.exists():
        try:
            kept = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as exc:
            raise StackBroken(
                f"{path}: the secrets in it cannot be read ({type(exc).__name__}); "
                "restore the file, or remove it to have new ones made"
            ) from exc
    missing = {name: make() for name, make in makers.items() if not kept.get(name)}
    if missing:
        kept |= missing
        write_private(path, json.dumps(kept, indent=2) + "\n")
    return kept
