"""Formatting: the outgoing operations, from the hub's typed cells to what a target reads.

The counterpart of `tongban.normalize`, kept in the kernel since pushing and shadow runs both
need it. Each operation is a pure function over a column; null stays null, except where a
constant or coalesce says otherwise. Moments leave as Beijing time. Nothing is rounded: a decimal
that does not fit the target's scale gives null and counts as a loss, which the caller must treat
as "cannot be sent".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import ZONE
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import FieldMapping, Op
from tongban.kernel.yamlfile import suggestion

Run = Callable[[pl.Series], pl.Series]
Mask = Callable[[str, str | None], str | None]
ISO = "%Y-%m-%dT%H:%M:%S%:z"
_TOKENS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_TEN_THOUSAND = Decimal(10_000)
_HUNDRED = Decimal(100)
UNITS = ("元", "万元", "分")
OUT_OPERATIONS = (
    "boolean_out",
    "code_out",
    "constant",
    "coalesce",
    "concat",
    "decimal_text",
    "iso_datetime",
    "mask",
    "money_out",
    "number",
    "percent_text",
    "slice",
    "text_date",
    "text_datetime",
)


@dataclass(frozen=True, slots=True)
class Outward:
    """How one target field is made.

    Attributes:
        sources: Contract fields (or `$guid` and the like) in order.
        run: Gives the column from the source columns, in that order, all of one length.
    """

    target: str
    sources: tuple[str, ...]
    run: Callable[[Sequence[pl.Series], int], pl.Series] = field(repr=False)


def compile_outward(made: FieldMapping, codes: CodeTables, target: str, mask: Mask) -> Outward:
    """Compile one field of a push mapping.

    Args:
        made: Sources and operations.
        codes: For `code_out`.
        target: System whose own codes are wanted.
        mask: `protect.mask`, for the operation of that name.

    Raises:
        ConfigInvalid: Unknown operation, argument or code table; with file:line.
    """
    ops = list(made.ops)
    first = ops[0].name if ops else ""
    separator: str | None = None
    if first in {"concat", "coalesce"}:
        op = ops.pop(0)
        separator = str(_Out(op).get("separator", "")) if first == "concat" else None
    elif len(made.sources) != 1 and first != "constant":
        raise ConfigInvalid(f"{made.where}: expected one source, or concat, coalesce or constant")
    steps = [_build(op, codes, target, mask) for op in ops]

    def run(columns: Sequence[pl.Series], rows: int) -> pl.Series:
        if not columns:
            cells = pl.repeat(None, rows, dtype=pl.String, eager=True)
        elif first == "concat":
            cells = _joined(columns, separator or "")
        elif first == "coalesce":
            cells = pl.select(pl.coalesce(list(columns))).to_series()
        else:
            cells = columns[0]
        for step in steps:
            cells = step(cells)
        return cells.alias(made.target)

    return Outward(made.target, made.sources, run)


class _Out:
    """Arguments of one outgoing operation."""

    def __init__(self, op: Op) -> None:
        self.op = op
        given = op.args if isinstance(op.args, dict) else {}
        self.values = {str(name).lower(): value for name, value in given.items()}
        self.bare = None if isinstance(op.args, dict) else op.args

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, or the bare value that stands for the only one."""
        value = self.values.get(name, self.bare)
        value = default if value is None else value
        if value is None:
            raise ConfigInvalid(
                f'{self.op.where}: operation {self.op.name} needs the argument "{name}"'
            )
        return value


def _joined(columns: Sequence[pl.Series], separator: str) -> pl.Series:
    """Cells of a row joined, missing ones left out."""
    frame = pl.DataFrame({str(i): column.cast(pl.String) for i, column in enumerate(columns)})
    return frame.select(pl.concat_str(pl.all(), separator=separator, ignore_nulls=True)).to_series()


def _build(op: Op, codes: CodeTables, target: str, mask: Mask) -> Run:  # noqa: PLR0911, C901 - a table
    """The function of one operation."""
    args = _Out(op)
    match op.name:
        case "code_out":
            table = _table(op, str(args.get("table")), codes, target)
            return lambda s: code_out(s, table)
        case "text_date" | "text_datetime":
            pattern = strftime_pattern(str(args.get("format")), op)
            return lambda s: text_moment(s, pattern)
        case "iso_datetime":
            return lambda s: text_moment(s, ISO if isinstance(s.dtype, pl.Datetime) else "%Y-%m-%d")
        case "decimal_text":
            scale = int(args.get("scale"))
            return lambda s: decimal_text(s, scale)
        case "number":
            scale = int(args.get("scale", 0))
            return lambda s: number(s, scale)
        case "money_out":
            unit, digits = str(args.values.get("unit", "元")), int(args.values.get("scale", 2))
            if unit not in UNITS:
                raise ConfigInvalid(f'{op.where}: unknown unit "{unit}"{suggestion(unit, UNITS)}')
            return lambda s: money_out(s, unit, digits)
        case "boolean_out":
            yes, no = args.get("true"), args.get("false")
            return lambda s: boolean_out(s, yes, no)
        case "constant":
            value = str(args.get("value"))
            return lambda s: pl.repeat(value, len(s), dtype=pl.String, eager=True)
        case "mask":
            kind = str(args.get("kind"))
            mask(kind, None)  # refuses an unknown kind now
            return lambda s: s.cast(pl.String).map_elements(
                lambda cell: mask(kind, cell), return_dtype=pl.String
            )
        case "percent_text":
            return percent_text
        case "slice":
            start, length = int(args.get("start")), int(args.get("length"))
            return lambda s: s.str.slice(start, length)
    raise ConfigInvalid(
        f'{op.where}: unknown outgoing operation "{op.name}"{suggestion(op.name, OUT_OPERATIONS)}'
    )


def _table(op: Op, name: str, codes: CodeTables, target: str) -> dict[str, str]:
    """The hub's codes in the target's words."""
    try:
        return codes.from_hub(name, target)
    except ConfigInvalid as exc:
        raise ConfigInvalid(f"{op.where}: {op.name} cannot translate: {exc}") from exc


def strftime_pattern(text: str, op: Op) -> str:
    """`yyyyMMddHHmmss` and the like as a pattern of Polars."""
    rest = pattern = text
    for token, directive in _TOKENS.items():
        pattern = pattern.replace(token, directive)
        rest = rest.replace(token, "")
    if not text or any(letter.isalpha() and letter != "T" for letter in rest):
        known = "yyyy, MM, dd, HH, mm and ss"
        raise ConfigInvalid(f'{op.where}: unknown format "{text}"; it is made of {known}')
    return pattern


def code_out(codes: pl.Series, table: dict[str, str]) -> pl.Series:
    """The target's code for each of the hub's; null where it has none."""
    return codes.replace_strict(
        list(table), list(table.values()), default=None, return_dtype=pl.String
    )


def text_moment(moments: pl.Series, pattern: str) -> pl.Series:
    """Days and moments as text, moments in Beijing time."""
    if isinstance(moments.dtype, pl.Datetime) and moments.dtype.time_zone is not None:
        moments = moments.dt.convert_time_zone(ZONE)
    return moments.dt.strftime(pattern)


def decimal_text(numbers: pl.Series, scale: int) -> pl.Series:
    """Numbers with exactly `scale` digits after the point; null where that would round."""
    return exactly(numbers, scale).cast(pl.String)


def exactly(numbers: pl.Series, scale: int) -> pl.Series:
    """Decimals of that scale; null where digits would be lost."""
    if numbers.dtype == pl.Float64:
        numbers = numbers.round(scale)
    narrow = numbers.cast(pl.Decimal(38, scale), strict=False)
    if numbers.dtype.is_integer() or numbers.dtype == pl.Float64:
        return narrow
    same = (narrow == numbers).fill_null(value=False)
    return narrow.zip_with(same, pl.Series([None], dtype=narrow.dtype))


def number(numbers: pl.Series, scale: int) -> pl.Series:
    """Numbers for JSON: whole ones for scale 0, else the nearest binary float."""
    exact = exactly(numbers, scale)
    return exact.cast(pl.Int64) if scale == 0 else exact.cast(pl.Float64)


def money_out(amounts: pl.Series, unit: str, scale: int) -> pl.Series:
    """元 as text in 元, 万元 or 分, exact to `scale` digits."""
    wide = amounts.cast(pl.Decimal(38, max(scale, 2) + 4))
    if unit == "万元":
        wide /= _TEN_THOUSAND
    elif unit == "分":
        wide *= _HUNDRED
    return decimal_text(wide, scale)


def boolean_out(flags: pl.Series, yes: Any, no: Any) -> pl.Series:
    """True and false in the target's words (text, numbers or booleans)."""
    return flags.replace_strict([True, False], [yes, no])


def percent_text(shares: pl.Series) -> pl.Series:
    """A share of 1 as percent without needless zeros: 0.5 is `50%`, a third `33.3333%`."""
    percent = (shares.cast(pl.Decimal(38, 6)) * _HUNDRED).cast(pl.String)
    return percent.str.strip_chars_end("0").str.strip_chars_end(".") + "%"
