"""Layouts: how the formats of the mapping's date operations are read, on bytes where possible.

A fixed layout (`yyyy-MM-dd HH:mm:ss`) has one width, digits in known places and exact literals
between them. Others (ISO 8601 with its tails, epoch milliseconds, 年月日, Excel's serial days)
have a reader each. Every reader is exact: what its format does not describe is not read.

Times without an offset are Beijing time. Asia/Shanghai had daylight saving until 1991 and local
mean time before 1901; from 1992 on it is eight hours, which costs a subtraction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from tongban.kernel.byte_columns import (
    ZERO,
    Bytes,
    Flags,
    Int32,
    blocks,
    days_since_epoch,
    digits_value,
)
from tongban.kernel.column_types import (
    DAY_US,
    EIGHT_HOURS_US,
    FIXED_OFFSET_SINCE_US,
    ZONE,
    local_days,
)

Micros = npt.NDArray[np.int64]
Reading = tuple[Flags, Micros]  # which rows were read, and days or microseconds
Reader = Callable[[pl.Series, bool], Reading]  # the flag asks for days instead of moments

_EXCEL_EPOCH = (date(1899, 12, 30) - date(1970, 1, 1)).days
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_271_999_999  # years 0001 to 9999
_LETTERS = {"yyyy": "y", "MM": "M", "dd": "d", "HH": "H", "mm": "m", "ss": "s"}
_ISO_TAIL = r"^(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?$"
_CHINESE_DATE = r"^([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日$"
_EPOCH_MS = r"^-?[0-9]{1,15}$"


@dataclass(frozen=True, slots=True)
class Layout:
    """A fixed-width format: which byte is which digit, and which bytes are literal."""

    width: int
    places: dict[str, list[int]]
    literals: dict[int, int]


def compile_layout(text: str) -> Layout | None:
    """Read a format such as `yyyy-MM-dd HH:mm:ss.fff`, or give None when it is no fixed layout."""
    places: dict[str, list[int]] = {letter: [] for letter in "yMdHmsf"}
    literals: dict[int, int] = {}
    position = index = 0
    while index < len(text):
        token = next((t for t in _LETTERS if text.startswith(t, index)), None)
        if token is not None and not places[_LETTERS[token]]:
            places[_LETTERS[token]] = list(range(position, position + len(token)))
            step = len(token)
        elif text[index] == "f":
            places["f"].append(position)
            step = 1
        elif text[index].isascii() and (not text[index].isalnum() or text[index] == "T"):
            literals[position] = ord(text[index])
            step = 1
        else:
            return None
        index += step
        position += step
    complete = all(places[letter] for letter in "yMd") and len(places["f"]) <= 9  # noqa: PLR2004
    return Layout(position, places, literals) if complete else None


def read_layout(layout: Layout, texts: pl.Series, *, as_days: bool) -> Reading:
    """Read a fixed layout from the bytes of each cell."""
    good = np.zeros(len(texts), dtype=np.bool_)
    out = np.zeros(len(texts), dtype=np.int64)
    for rows, block in blocks(texts, layout.width):
        fits, days, micros = _read_block(layout, block)
        good[rows] = fits
        out[rows] = days if as_days else days.astype(np.int64) * DAY_US + micros
    return good, out if as_days else to_utc(out, good)


def _read_block(layout: Layout, block: Bytes) -> tuple[Flags, Int32, Micros]:
    """Which columns of the block fit, their days and their microseconds of the day."""
    fits = np.ones(block.shape[1], dtype=np.bool_)
    for position, literal in layout.literals.items():
        fits &= block[position] == literal
    parts: dict[str, Int32] = {}
    for name, positions in layout.places.items():
        if not positions or name == "f":
            continue
        parts[name], is_number = _number(block, positions)
        fits &= is_number
    real, days = days_since_epoch(parts["y"], parts["M"] * 100 + parts["d"])
    fits &= real
    micros = np.zeros(block.shape[1], dtype=np.int64)
    for name, limit, unit in (("H", 24, 3_600), ("m", 60, 60), ("s", 60, 1)):
        if name in parts:
            fits &= parts[name] < limit
            micros += parts[name].astype(np.int64) * (unit * 1_000_000)
    fraction = layout.places["f"]
    if fraction:
        value, is_number = _number(block, fraction[:6])
        fits &= is_number & _number(block, fraction[6:] or fraction[:1])[1]
        micros += value * 10 ** max(6 - len(fraction), 0)
    return fits, days, micros


def _number(block: Bytes, positions: list[int]) -> tuple[Int32, Flags]:
    """Number in some digit places, 0 where they are not digits."""
    digits = block[positions[0] : positions[-1] + 1] - ZERO
    is_number: Flags = digits.max(axis=0) <= 9  # noqa: PLR2004 - a digit
    if not is_number.all():
        digits[:, ~is_number] = 0
    return digits_value(digits.astype(np.float32)), is_number


def to_utc(wall: Micros, good: Flags) -> Micros:
    """Microseconds of Beijing's wall clock as microseconds of UTC.

    A moment that the clocks jumped over is read with eight hours; one that they showed twice
    is the earlier one.
    """
    plain: Micros = wall - EIGHT_HOURS_US
    early = np.flatnonzero(good & (wall < FIXED_OFFSET_SINCE_US))
    if len(early):
        local = pl.Series(wall[early]).cast(pl.Datetime("us"))
        zoned = local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
        fallback = pl.Series(plain[early])
        plain[early] = zoned.to_physical().fill_null(fallback).to_numpy()
    return plain


def to_local_days(utc: Micros) -> Micros:
    """Beijing's calendar day of each moment."""
    days = local_days(pl.Series(utc).cast(pl.Datetime("us", ZONE)))
    wide: Micros = days.to_physical().cast(pl.Int64).to_numpy()
    return wide


def _read_epoch_ms(texts: pl.Series, as_days: bool) -> Reading:  # noqa: FBT001 - the Reader's shape
    """Milliseconds since 1970-01-01 UTC."""
    numbers = texts.cast(pl.Int64, strict=False)
    good = (texts.str.contains(_EPOCH_MS) & numbers.is_not_null()).fill_null(value=False)
    inside = numbers.is_between(_FIRST_MS, _LAST_MS)
    flags: Flags = (good & inside.fill_null(value=False)).to_numpy()
    micros: Micros = np.where(flags, numbers.fill_null(0).to_numpy(), 0) * 1000
    return flags, to_local_days(micros) if as_days else micros


def _read_chinese(texts: pl.Series, as_days: bool) -> Reading:  # noqa: FBT001 - the Reader's shape
    """`2018年10月8日`, with or without leading zeros."""
    parts = texts.str.extract_groups(_CHINESE_DATE).struct.unnest()
    numbers = parts.cast(pl.Int32)
    years, months, days = (numbers[name].fill_null(0).to_numpy() for name in numbers.columns)
    good, since = days_since_epoch(years, months * 100 + days)
    return _dates_only(good, since, as_days=as_days)


def _read_excel_serial(texts: pl.Series, as_days: bool) -> Reading:  # noqa: FBT001
    """Five digits counting days from 1899-12-30, as spreadsheets write them."""
    flags = texts.str.contains(r"^[0-9]{5}$").fill_null(value=False)
    numbers = texts.cast(pl.Int32, strict=False).fill_null(0).to_numpy()
    return _dates_only(flags.to_numpy(), numbers + _EXCEL_EPOCH, as_days=as_days)


def _dates_only(good: Flags, days: Int32, *, as_days: bool) -> Reading:
    """A format that has no time: the moment is midnight in Beijing."""
    wide: Micros = np.where(good, days, 0).astype(np.int64)
    return good, wide if as_days else to_utc(wide * DAY_US, good)


_ISO_DATE = compile_layout("yyyy-MM-dd")
_ISO_MOMENTS = (compile_layout("yyyy-MM-ddTHH:mm:ss"), compile_layout("yyyy-MM-dd HH:mm:ss"))
_DATE_WIDTH = 10
_SECOND_WIDTH = 19


def _read_iso(texts: pl.Series, as_days: bool) -> Reading:  # noqa: FBT001 - the Reader's shape
    """ISO 8601 and XML Schema: a date or a second, then fraction and offset as wanted.

    A date's own offset is left out of account; a day is the day that was written.
    """
    has_time = texts.str.contains("[T ]").fill_null(value=False)
    head = texts.str.slice(0, _SECOND_WIDTH)
    if not has_time.all():
        dates = texts.str.slice(0, _DATE_WIDTH)
        head = head.zip_with(has_time, dates)
    tails = texts.str.slice(_SECOND_WIDTH)
    if not has_time.all():
        tails = tails.zip_with(has_time, texts.str.slice(_DATE_WIDTH))
    good = np.zeros(len(texts), dtype=np.bool_)
    wall = np.zeros(len(texts), dtype=np.int64)
    for layout in (_ISO_DATE, *_ISO_MOMENTS):
        if layout is not None:
            fits, value = _wall(layout, head)
            good |= fits
            wall[fits] = value[fits]
    tail_ok, fraction, offset, zoned = _iso_tails(tails)
    good &= tail_ok
    wall += fraction
    timed = has_time.to_numpy()
    utc = np.where(zoned & timed, wall - offset, to_utc(wall, good & ~(zoned & timed)))
    if not as_days:
        return good, utc
    return good, np.where(zoned & timed, to_local_days(utc), wall // DAY_US)


def _wall(layout: Layout, texts: pl.Series) -> Reading:
    """Microseconds of the wall clock, without a zone."""
    good = np.zeros(len(texts), dtype=np.bool_)
    out = np.zeros(len(texts), dtype=np.int64)
    for rows, block in blocks(texts, layout.width):
        fits, days, micros = _read_block(layout, block)
        good[rows] = fits
        out[rows] = np.where(fits, days.astype(np.int64) * DAY_US + micros, 0)
    return good, out


def _iso_tails(tails: pl.Series) -> tuple[Flags, Micros, Micros, Flags]:
    """Whether a tail is well-formed, its fraction and offset in microseconds, and if it has one.

    Tails are few (`+08:00`, `Z`, nothing), so each different one is read once.
    """
    different = tails.unique().drop_nulls()
    parts = different.str.extract_groups(_ISO_TAIL).struct.unnest()
    fraction, offset = parts.to_series(0), parts.to_series(1)
    hours = offset.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = offset.str.slice(-2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.select(pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    table = pl.DataFrame(
        {
            "tail": different,
            "ok": different.str.contains(_ISO_TAIL) & (hours <= 14) & (minutes < 60),  # noqa: PLR2004
            "fraction": fraction.str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0),
            "offset": sign * (hours * 60 + minutes) * 60_000_000,
            "zoned": offset.is_not_null(),
        }
    )
    joined = tails.to_frame("tail").join(table, on="tail", how="left", maintain_order="left")
    return (
        joined["ok"].fill_null(value=False).to_numpy(),
        joined["fraction"].fill_null(0).to_numpy(),
        joined["offset"].fill_null(0).to_numpy(),
        joined["zoned"].fill_null(value=False).to_numpy(),
    )


_NAMED: dict[str, Reader] = {
    "iso": _read_iso,
    "epoch_ms": _read_epoch_ms,
    "yyyy年M月d日": _read_chinese,
    "excel_serial": _read_excel_serial,
}
KNOWN_FORMATS = (
    *_NAMED,
    "yyyyMMdd",
    "yyyy-MM-dd",
    "yyyy/MM/dd",
    "yyyyMMddHHmmss",
    "yyyy-MM-dd HH:mm:ss",
    "yyyy-MM-dd HH:mm:ss.fffffffff",
)


def reader(text: str) -> Reader | None:
    """The reader of a format, or None when there is no such format."""
    if text in _NAMED:
        return _NAMED[text]
    layout = compile_layout(text)
    if layout is None:
        return None
    return lambda texts, as_days: read_layout(layout, texts, as_days=as_days)


def read_formats(texts: pl.Series, readers: tuple[Reader, ...], *, as_days: bool) -> Reading:
    """Try the formats in order; each later one sees only what is still unread."""
    good, out = readers[0](texts, as_days)
    for following in readers[1:]:
        left = np.flatnonzero(~good & texts.is_not_null().to_numpy())
        if not len(left):
            break
        fits, values = following(texts.gather(left), as_days)
        good[left[fits]] = True
        out[left[fits]] = values[fits]
    return good, out
