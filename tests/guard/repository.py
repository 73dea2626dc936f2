"""The files of the repository, as the guard tests look at them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tongban", "connectors", "sandbox")
CODE = (*PACKAGES, "dags", "plugins", "docs", "docker", "benchmarks", "chaos", "tests")
NOT_OURS = {".git", ".venv", ".tongban"}
BINARY = {".png", ".pyc", ".woff2"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        found = {ROOT / name for name in answer.stdout.split("\0") if name}
    else:  # an exported tree without git
        found = {p for p in ROOT.rglob("*") if not NOT_OURS & set(p.relative_to(ROOT).parts)}
    return tuple(sorted(path for path in found if path.is_file()))


def texts() -> Iterator[tuple[str, str]]:
    """Every text file's path, relative to the root, and its text."""
    for path in files():
        if path.suffix not in BINARY:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def python_files(*folders: str) -> list[Path]:
    """Every Python file below some folders of the root."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (folders or CODE)
    ]


@cache
def tree_of(path: Path) -> ast.Module:
    """A parsed Python file."""
    return ast.parse(path.read_text(encoding="utf-8"))
