"""Fingerprint: one batch as counts — how its fields look, how empty they are, which codes came.

Whole columns are only counted (empty cells, broken characters, codes, one value throughout); looks
and amounts come from an even sample. A code is kept when the code table knows it; of another value
in a code's place only what looks like a code is kept, never a word, since it may be a name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping as Lookup
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from tongban.drift.seen import EMPTY, looks_like
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract
from tongban.kernel.drifts import DriftLimits
from tongban.kernel.mappings import FieldMapping, Mapping

SAMPLE = 400
FEWEST_AMOUNTS = 20  # fewer would tell one person's amount
MOST_NEW_CODES = 50
LOOKED_AT = 100
REPLACEMENT = "\ufffd"  # what a wrong charset leaves
MISREAD = ("锟斤拷", "ï¿½")  # and what a second reading makes of it; looked for in the sample
SHORT_WORD = 4  # longer ones without a digit may be somebody's name in Latin letters
_LONG_NUMBER = re.compile(r"[0-9]{7}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,8}")


@dataclass(frozen=True, slots=True)
class Expected:
    """What mapping and contract say about a source's batch.

    Attributes:
        sources: Contract field → source paths that it is made of.
        required: Contract fields without which no row can be stored.
        codes: Source path → codes of it that the code table knows.
        amounts: Source paths of money.
        single: Source paths of numbers, dates, codes and flags, which cannot be a document.
        changed: Source path of the change time, or None.
    """

    system: str
    dataset: str
    limits: DriftLimits
    sources: dict[str, tuple[str, ...]]
    required: frozenset[str]
    codes: dict[str, frozenset[str]]
    amounts: frozenset[str]
    single: frozenset[str]
    changed: str | None


@dataclass(frozen=True, slots=True)
class FieldSeen:
    """One source field in one batch.

    Attributes:
        look: One of `seen.LOOKS`, or empty or text.
        empty: Rows without a value.
        garbage: Cells with broken characters.
        constant: Whether all values are the same.
        magnitude: log10 of the median of amounts, one decimal; None for other fields.
    """

    look: str
    empty: int
    garbage: int = 0
    constant: bool = False
    magnitude: float | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One batch as counts.

    Attributes:
        unknown: Names that the mapping does not know.
        codes: Source path → known code → rows.
        new_codes: Source path → unknown code → rows; the empty code stands for what is none.
        failed: Contract field → share of its sampled values that could not be read.
        newest: The newest change time of the sample.
    """

    rows: int
    fields: dict[str, FieldSeen]
    unknown: tuple[str, ...] = ()
    codes: dict[str, dict[str, int]] = field(default_factory=dict)
    new_codes: dict[str, dict[str, int]] = field(default_factory=dict)
    failed: dict[str, float] = field(default_factory=dict)
    newest: datetime | None = None

    def document(self) -> dict[str, Any]:
        """Give it as JSON, to be compared with later ones; without what may be no code."""
        found = {**asdict(self), "newest": self.newest.isoformat() if self.newest else None}
        return {name: value for name, value in found.items() if name not in {"rows", "new_codes"}}

    @staticmethod
    def of(rows: int, document: Lookup[str, Any]) -> Fingerprint:
        """Read one back."""
        newest = document.get("newest")
        return Fingerprint(
            rows=rows,
            fields={name: FieldSeen(**seen) for name, seen in document["fields"].items()},
            unknown=tuple(document["unknown"]),
            codes=document["codes"],
            failed=document["failed"],
            newest=datetime.fromisoformat(newest) if newest else None,
        )

    def empty_share(self, path: str) -> float:
        """How much of a field has no value; all of one that did not come."""
        seen = self.fields.get(path)
        return seen.empty / self.rows if seen is not None and self.rows else 1.0


def expect(mapping: Mapping, contract: Contract, tables: CodeTables) -> Expected:
    """Say what the mapping reads and the contract needs."""
    codes = {
        item.sources[0]: frozenset(tables.to_hub(str(table), mapping.system))
        for item in mapping.fields.values()
        if (table := _code_table(item)) is not None
    }
    changed = mapping.fields.get(contract.changed_at or "")
    return Expected(
        system=mapping.system,
        dataset=mapping.dataset,
        limits=contract.drift,
        sources={name: item.sources for name, item in mapping.fields.items() if item.sources},
        required=frozenset(item.name for item in contract.fields if item.required),
        codes=codes,
        amounts=frozenset(
            item.sources[0]
            for item in mapping.fields.values()
            if item.sources and any(op.name == "money" for op in item.ops)
        ),
        single=frozenset(codes).union(
            *(
                mapping.fields[item.name].sources
                for item in contract.fields
                if item.type != "string" and item.name in mapping.fields
            )
        ),
        changed=changed.sources[0] if changed is not None and changed.sources else None,
    )


def _code_table(item: FieldMapping) -> Any:
    """The code table of a field whose source cells are its codes as they come."""
    if len(item.sources) != 1 or not item.ops or item.ops[0].name != "code":
        return None
    args = item.ops[0].args
    return args.get("table") if isinstance(args, dict) else args


def sample_rows(frame: pl.DataFrame, expected: Expected) -> pl.DataFrame:
    """An even sample, with the row of the newest change as far as its text tells."""
    every = max(1, frame.height // SAMPLE)
    if every == 1:
        return frame
    sampled = frame.gather_every(every)
    if expected.changed in frame.columns:
        newest = frame[expected.changed].arg_max()
        if newest is not None:
            sampled = pl.concat([sampled, frame.slice(newest, 1)])
    return sampled


def look(
    frame: pl.DataFrame,
    sample: pl.DataFrame,
    expected: Expected,
    *,
    unknown: frozenset[str] = frozenset(),
    failed: Lookup[str, float] | None = None,
    newest: datetime | None = None,
) -> Fingerprint:
    """Take the fingerprint of decoded rows.

    Args:
        frame: All rows, one column of text per source path.
        sample: Some of them, from `sample_rows`.
        expected: From `expect`.
        unknown: Names that the decoder found besides.
        failed: Contract field → share of the sample's values that the mapping could not read.
        newest: The newest change time of the sample.
    """
    counted = _codes(frame, expected)
    return Fingerprint(
        rows=frame.height,
        fields=_fields(frame, sample, expected.amounts),
        unknown=tuple(sorted(unknown)),
        codes={path: counts[0] for path, counts in counted.items()},
        new_codes={path: counts[1] for path, counts in counted.items() if counts[1]},
        failed=dict(failed or {}),
        newest=newest,
    )


def _fields(
    frame: pl.DataFrame, sample: pl.DataFrame, amounts: frozenset[str]
) -> dict[str, FieldSeen]:
    """All columns, counted in one pass."""
    if frame.is_empty():
        return {name: FieldSeen(EMPTY, 0) for name in frame.columns}
    counts = frame.select(
        expression
        for name in frame.columns
        for expression in (
            (pl.col(name).is_null() | pl.col(name).eq("")).sum().alias(f"empty {name}"),
            pl.col(name).str.contains(REPLACEMENT, literal=True).sum().alias(f"garbage {name}"),
            pl.col(name).eq(pl.col(name).drop_nulls().first()).all().alias(f"constant {name}"),
        )
    ).row(0, named=True)
    found = {}
    for name in frame.columns:
        empty = int(counts[f"empty {name}"])
        shown = [cell for cell in sample[name].to_list() if cell]
        garbage = int(counts[f"garbage {name}"])
        if not garbage and any(word in cell for cell in shown for word in MISREAD):
            garbage = sum(any(word in cell for word in MISREAD) for cell in shown)
        found[name] = FieldSeen(
            look=EMPTY if empty == frame.height else looks_like(shown[:LOOKED_AT]),
            empty=empty,
            garbage=garbage,
            constant=bool(counts[f"constant {name}"]) and empty < frame.height,
            magnitude=_magnitude(pl.Series(shown)) if name in amounts and shown else None,
        )
    return found


def _magnitude(cells: pl.Series) -> float | None:
    """log10 of the median amount; None for too few."""
    numbers = cells.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)
    positive = numbers.filter(numbers > 0)
    if len(positive) < FEWEST_AMOUNTS:
        return None
    return round(math.log10(float(positive.median())), 1)  # type: ignore[arg-type]


def _codes(
    frame: pl.DataFrame, expected: Expected
) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Source path → known codes and new ones, with their rows."""
    found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for path, known in expected.codes.items():
        if path not in frame.columns:
            continue
        inside: dict[str, int] = {}
        outside: dict[str, int] = {}
        for value, rows in frame[path].drop_nulls().value_counts().iter_rows():
            code = value.strip()
            if code in known:
                inside[code] = inside.get(code, 0) + rows
            elif code:
                shown = code if _is_code(code) and len(outside) < MOST_NEW_CODES else ""
                outside[shown] = outside.get(shown, 0) + rows
        found[path] = (inside, outside)
    return found


def _is_code(text: str) -> bool:
    """Whether a value has the form of a code: short, and no word of a language with names."""
    if not _CODE.fullmatch(text) or _LONG_NUMBER.search(text):
        return False
    return len(text) <= SHORT_WORD or any(map(str.isdigit, text))
