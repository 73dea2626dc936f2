"""Code tables: the hub's codes with labels, and each system's own codes, both ways.

`<table>.csv` holds the hub's codes, `<table>.<system>.csv` one system's. Both are
effective-dated; a code that a table does not know is a finding, never a guess.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import suggestion

DIRECTIONS = ("both", "in", "out")


@dataclass(frozen=True, slots=True)
class Code:
    """One code of the hub with its labels and the time in which it is valid."""

    code: str
    label_zh: str
    label_en: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class SystemCode:
    """One row of a system's table: its code, the hub's, and when one stood for the other."""

    source: str
    hub: str
    direction: str
    valid_from: date | None
    valid_to: date | None

    def covers(self, day: date) -> bool:
        """Whether the row is valid on that day; its last day counts."""
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)


class CodeTables:
    """All code tables of one folder, read on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hub: dict[str, tuple[Code, ...]] = {}
        self._in: dict[tuple[str, str], dict[str, str]] = {}
        self._out: dict[tuple[str, str], dict[str, str]] = {}
        self._rows: dict[tuple[str, str], tuple[SystemCode, ...]] = {}

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
            lines = [line for line, _ in rows]
            valid = [
                (item.code, item.valid_from, item.valid_to, line)
                for item, line in zip(codes, lines, strict=True)
            ]
            _refuse_overlaps(path, valid, "the code's validity overlaps")
            self._hub[name] = tuple(codes)
        return self._hub[name]

    def known(self, name: str) -> frozenset[str]:
        """Every code of the hub's table, whenever valid."""
        return frozenset(item.code for item in self.table(name))

    def valid_on(self, name: str, day: date) -> frozenset[str]:
        """Every code of the hub's table that is valid on one day; its last day counts."""
        return frozenset(
            item.code
            for item in self.table(name)
            if (item.valid_from or date.min) <= day <= (item.valid_to or date.max)
        )

    def to_hub(self, name: str, system: str, day: date | None = None) -> dict[str, str]:
        """A system's code → the hub's code; the hub's own codes when the system has no table.

        With `day`, what the codes meant on that day; else their newest meaning.
        """
        self._load(name, system)
        if day is None or (name, system) not in self._rows:
            return self._in[name, system]
        rows = self._rows[name, system]
        return {r.source: r.hub for r in rows if r.direction != "out" and r.covers(day)}

    def from_hub(self, name: str, system: str, day: date | None = None) -> dict[str, str]:
        """The hub's code → a system's code; as `to_hub`."""
        self._load(name, system)
        if day is None or (name, system) not in self._rows:
            return self._out[name, system]
        rows = self._rows[name, system]
        return {r.hub: r.source for r in rows if r.direction != "in" and r.covers(day)}

    def turns(self, name: str, system: str) -> tuple[date, ...]:
        """Days on which a code of the system begins to mean something else, ascending."""
        self._load(name, system)
        rows = self._rows.get((name, system), ())
        reused = {r.source for r in rows if sum(o.source == r.source for o in rows) > 1}
        days = {r.valid_from for r in rows if r.source in reused and r.valid_from}
        days |= {r.valid_to + timedelta(days=1) for r in rows if r.source in reused and r.valid_to}
        return tuple(sorted(days))

    def _load(self, name: str, system: str) -> None:
        """Read one system's table once."""
        if (name, system) in self._in:
            return
        known = self.known(name)
        path = self.folder / f"{name}.{system}.csv"
        if path.is_file():
            rows = _system_rows(path, name, known)
            oldest_first = sorted(rows, key=lambda row: row.valid_from or date.min)
            self._in[name, system] = {r.source: r.hub for r in oldest_first if r.direction != "out"}
            self._out[name, system] = {r.hub: r.source for r in oldest_first if r.direction != "in"}
            self._rows[name, system] = tuple(rows)
        else:
            self._in[name, system] = {code: code for code in known}
            self._out[name, system] = dict(self._in[name, system])


def _system_rows(path: Path, name: str, known: frozenset[str]) -> list[SystemCode]:
    """One system's rows, each hub code known, each code with one meaning at a time."""
    rows: list[SystemCode] = []
    lines: list[int] = []
    for line, row in _rows(path, ("source_code", "hub_code")):
        if row["hub_code"] not in known:
            hint = suggestion(row["hub_code"], known)
            raise ConfigInvalid(f"{_shown(path)}:{line}: not a code of {name}{hint}")
        direction = row.get("direction") or "both"
        if direction not in DIRECTIONS:
            hint = suggestion(direction, DIRECTIONS)
            raise ConfigInvalid(f"{_shown(path)}:{line}: unknown direction{hint}")
        days = [_day(path, line, row.get(part)) for part in ("valid_from", "valid_to")]
        rows.append(SystemCode(row["source_code"], row["hub_code"], direction, days[0], days[1]))
        lines.append(line)
    ways = (
        ("source", "out", "the source's code overlaps"),
        ("hub", "in", "the hub's code leads to a second code of the system, besides"),
    )
    for part, other_way, text in ways:
        wanted = [
            (getattr(row, part), row.valid_from, row.valid_to, line)
            for row, line in zip(rows, lines, strict=True)
            if row.direction != other_way
        ]
        _refuse_overlaps(path, wanted, text)
    return rows


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


def _refuse_overlaps(
    path: Path, rows: list[tuple[str, date | None, date | None, int]], text: str
) -> None:
    """Refuse two rows (code, first day, last day, line) of one code whose validity overlaps."""
    seen: dict[str, list[tuple[date, date, int]]] = {}
    for code, begins, ends, line in rows:
        first, last = begins or date.min, ends or date.max
        if first > last:
            raise ConfigInvalid(f"{_shown(path)}:{line}: valid_to is before valid_from; swap them")
        for other_first, other_last, other_line in seen.get(code, []):
            if first <= other_last and last >= other_first:
                raise ConfigInvalid(
                    f"{_shown(path)}:{line}: {text} line {other_line}; "
                    "end one before the other begins"
                )
        seen.setdefault(code, []).append((first, last, line))
