"""Lint: one contract file held against ODCS 3.2, our own vocabulary and its compiled rules.

Every problem is one line that begins with file:line; a file without problems gives none.
"""

from __future__ import annotations

from pathlib import Path

from tongban.kernel.codes import CodeTables
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.odcs import check_contract
from tongban.validate import compile_contract


def lint_file(path: Path, codes: CodeTables, *, root: Path | None = None) -> list[str]:
    """Problems of one contract file, as `file:line: what, and what was expected`.

    Args:
        path: The contract's YAML.
        codes: Code tables that its fields may name.
        root: Folder that shown paths are relative to.
    """
    try:
        compile_contract(check_contract(path, root=root), codes)
    except ConfigInvalid as exc:
        return [str(exc)]
    return []
