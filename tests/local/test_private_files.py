"""Secrets in files: private, whole, and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tongban.kernel.errors import StackBroken
from tongban.local.private_files import kept_secrets, write_private


def test_written_file_is_private_even_if_it_was_not(tmp_path: Path) -> None:
    """A careless chmod is repaired by the next writing."""
    path = tmp_path / "deep" / "secret"
    write_private(path, "one")
    path.chmod(0o644)

    write_private(path, "two")

    assert "two" == path.read_text()
    assert "0o600" == oct(path.stat().st_mode & 0o777)
    assert [path] == list(path.parent.iterdir())


def test_secrets_once_made_are_kept(tmp_path: Path) -> None:
    """A restart changes no password."""
    numbers = iter("123")
    makers = {"a": lambda: next(numbers)}

    first = kept_secrets(tmp_path / "s.json", makers)

    assert first == kept_secrets(tmp_path / "s.json", makers)


def test_new_name_joins_the_old_ones(tmp_path: Path) -> None:
    """A later version may need one more."""
    kept_secrets(tmp_path / "s.json", {"a": lambda: "1"})

    both = kept_secrets(tmp_path / "s.json", {"b": lambda: "2"})

    assert {"a": "1", "b": "2"} == both == json.loads((tmp_path / "s.json").read_text())


def test_broken_file_is_not_overwritten(tmp_path: Path) -> None:
    """New secrets would lock everybody out; a person decides."""
    path = tmp_path / "s.json"
    path.write_text("{")

    with pytest.raises(StackBroken, match="restore the file"):
        kept_secrets(path, {"a": lambda: "1"})
    assert "{" == path.read_text()
