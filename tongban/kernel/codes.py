"""Code tables: the hub's codes with labels, and each system's own codes, both ways.

`<table>.csv` holds the hub's codes, `<table>.<system>.csv` one system's. Both are
effective-dated; a code that a table does not know is a finding, never a guess.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import suggestion


@dataclass(frozen=True, slots=True)
class Code:
    """One code of the hub with its labels and the time in which it is valid."""

    code: str
    label_zh: str
    label_en: str
    valid_from: date | None
    valid_to: date | None


class CodeTables:
    """All code tables of one folder, read on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hub: dict[str, tuple[Code, ...]] = {}
        self._in: dict[tuple[str, str], dict[str, str]] = {}
        self._out: dict[tuple[str, str], dict[str, str]] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the hub's own tables."""
        return frozenset(p.stem for p in self.folder.glob("*.csv") if "." not in p.stem)

    def table(self, name: str) -> tuple[Code, ...]:
        """The hub's codes of one table in file order.

        Raises:
            ConfigInvalid: No such table, a missing column, overlapping validity of one code.
        """
        if name not in self._hub:
            path = self.folder / f"{name}.csv"
            if not path.is_file():
                hint = suggestion(name, self.names)
                raise ConfigInvalid(f'mappings/codes: no code table "{name}"{hint}', table=name)
            rows = _rows(path, ("hub_code", "label_zh"))
            codes = [
                Code(
                    code=row["hub_code"],
                    label_zh=row["label_zh"],
                    label_en=row.get("label_en") or row["label_zh"],
                    valid_from=_day(path, line, row.get("valid_from")),
                    valid_to=_day(path, line, row.get("valid_to")),
                )
                for line, row in rows
            ]
            _refuse_overlaps(path, codes, [line for line, _ in rows])
            self._hub[name] = tuple(codes)
        return self._hub[name]

    def known(self, name: str) -> frozenset[str]:
        """Every code of the hub's table, whenever valid."""
        return frozenset(item.code for item in self.table(name))

    def to_hub(self, name: str, system: str) -> dict[str, str]:
        """A system's code → the hub's code; the hub's own codes when the system has no table."""
        self._load(name, system)
        return self._in[name, system]

    def from_hub(self, name: str, system: str) -> dict[str, str]:
        """The hub's code → a system's code (the first row of several wins)."""
        self._load(name, system)
        return self._out[name, system]

    def _load(self, name: str, system: str) -> None:
        """Read one system's table once."""
        if (name, system) in self._in:
            return
        known = self.known(name)
        path = self.folder / f"{name}.{system}.csv"
        inward: dict[str, str] = {}
        outward: dict[str, str] = {}
        if path.is_file():
            for line, row in _rows(path, ("source_code", "hub_code")):
                if row["hub_code"] not in known:
                    hint = suggestion(row["hub_code"], known)
                    raise ConfigInvalid(f"{_shown(path)}:{line}: not a code of {name}{hint}")
                direction = row.get("direction") or "both"
                if direction in {"both", "in"}:
                    inward[row["source_code"]] = row["hub_code"]
                if direction in {"both", "out"}:
                    outward.setdefault(row["hub_code"], row["source_code"])
        else:
            inward = {code: code for code in known}
            outward = dict(inward)
        self._in[name, system] = inward
        self._out[name, system] = outward


def _shown(path: Path) -> str:
    """Path as people see it in messages."""
    return f"mappings/codes/{path.name}"


def _rows(path: Path, needed: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Rows with their line numbers; blanks around cells do not count."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in needed if name not in (reader.fieldnames or [])]
        if missing:
            raise ConfigInvalid(f"{_shown(path)}:1: the column {missing[0]!r} is missing; add it")
        return [
            (reader.line_num, {key: (value or "").strip() for key, value in row.items() if key})
            for row in reader
        ]


def _day(path: Path, line: int, text: str | None) -> date | None:
    """A validity date, or None where the cell is empty."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigInvalid(f"{_shown(path)}:{line}: not a date, expected yyyy-MM-dd") from None


def _refuse_overlaps(path: Path, codes: list[Code], lines: list[int]) -> None:
    """Refuse two rows of one code whose validity overlaps."""
    seen: dict[str, list[tuple[Code, int]]] = {}
    for code, line in zip(codes, lines, strict=True):
        for other, other_line in seen.get(code.code, []):
            starts_before_end = (code.valid_from or date.min) <= (other.valid_to or date.max)
            ends_after_start = (code.valid_to or date.max) >= (other.valid_from or date.min)
            if starts_before_end and ends_after_start:
                raise ConfigInvalid(
                    f"{_shown(path)}:{line}: the code's validity overlaps line {other_line}; "
                    "end one before the other begins"
                )
        seen.setdefault(code.code, []).append((code, line))
