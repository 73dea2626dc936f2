"""Reference pages made from code: `python -m docs.generate` writes them, `--check` compares.

A test runs the check, so a page can never say something else than the code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from docs.pages import (
    cli,
    contract_changes,
    contract_rules,
    datasets,
    errors,
    mapping_operations,
    settings,
    systems,
)

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES: dict[str, Callable[[Path], str]] = {
    "cli.md": cli.render,
    "contract-changes.md": contract_changes.render,
    "contract-rules.md": contract_rules.render,
    "datasets.md": datasets.render,
    "errors.md": errors.render,
    "mapping-operations.md": mapping_operations.render,
    "settings.md": settings.render,
    "systems.md": systems.render,
}


def outdated(folder: Path = REFERENCE) -> list[str]:
    """Give the names of pages that differ from what the code says now."""
    return [name for name, render in PAGES.items() if _read(folder / name) != render(ROOT)]


def write(folder: Path = REFERENCE) -> list[str]:
    """Write every page that is outdated; gives their names."""
    names = outdated(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(PAGES[name](ROOT), encoding="utf-8")
    return names


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; exit code 1 when a check finds an outdated page."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when outdated")
    asked = parser.parse_args(arguments)
    names = outdated() if asked.check else write()
    for name in names:
        word = "outdated, run `python -m docs.generate`" if asked.check else "written"
        sys.stdout.write(f"docs/reference/{name}: {word}\n")
    return int(asked.check and bool(names))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
