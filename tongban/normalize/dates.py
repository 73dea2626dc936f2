"""Date operations: days, moments and months, by the formats that the mapping lists and no other."""

from __future__ import annotations

from typing import Final

import polars as pl

from tongban.kernel.column_types import ZONE
from tongban.kernel.yamlfile import suggestion
from tongban.normalize.layouts import KNOWN_FORMATS, Reader, read_formats, reader
from tongban.normalize.steps import Arguments, Operation, Setting, Step, keep

# Years 1 to 9999 in UTC and in Beijing: PostgreSQL writes year 0 otherwise, Python has no year
# 10000. The minimum of .NET, 0001-01-01 00:00:00, is the last moment of year 0 in UTC.
_DAYS: Final = (-719_162, 2_932_896)
_MICROS: Final = (-62_135_596_800_000_000, 253_402_271_999_999_999)

MONTH_FORMATS = {
    "yyyyMM": r"^[0-9]{4}(?:0[1-9]|1[0-2])$",
    "yyyy-MM": r"^[0-9]{4}-(?:0[1-9]|1[0-2])$",
}


def date(texts: pl.Series, readers: tuple[Reader, ...]) -> pl.Series:
    """Calendar days; of a moment, the day in Beijing."""
    good, days = read_formats(texts, readers, as_days=True)
    good &= (days >= _DAYS[0]) & (days <= _DAYS[1])
    return keep(pl.Series(texts.name, days).cast(pl.Int32).cast(pl.Date), pl.Series(good))


def datetime(texts: pl.Series, readers: tuple[Reader, ...]) -> pl.Series:
    """Moments in Asia/Shanghai, to the microsecond; a day alone is its midnight."""
    good, micros = read_formats(texts, readers, as_days=False)
    good &= (micros >= _MICROS[0]) & (micros <= _MICROS[1])
    return keep(pl.Series(texts.name, micros).cast(pl.Datetime("us", ZONE)), pl.Series(good))


def month(texts: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Months as yyyy-MM (GB/T 7408), whichever of the formats they came in."""
    fits = keep(texts, texts.str.contains("|".join(MONTH_FORMATS[name] for name in formats)))
    if "yyyyMM" not in formats:
        return fits
    return fits.str.replace(r"^([0-9]{4})([0-9]{2})$", "${1}-${2}")


def _readers(args: Arguments) -> tuple[Reader, ...]:
    """A reader for each listed format."""
    found: list[Reader] = []
    for name in args.texts("formats"):
        one = reader(name)
        if one is None:
            args.refuse(f'does not know the format "{name}"{suggestion(name, KNOWN_FORMATS)}')
        found.append(one)
    return tuple(found)


def _date(args: Arguments, _: Setting) -> Step:
    readers = _readers(args)
    return Step(args.op.name, lambda s, _: date(s, readers), "date", "type")


def _datetime(args: Arguments, _: Setting) -> Step:
    readers = _readers(args)
    return Step(args.op.name, lambda s, _: datetime(s, readers), "datetime", "type")


def _month(args: Arguments, _: Setting) -> Step:
    formats = args.texts("formats", tuple(MONTH_FORMATS))
    for name in formats:
        if name not in MONTH_FORMATS:
            args.refuse(f'does not know the format "{name}"{suggestion(name, MONTH_FORMATS)}')
    return Step(args.op.name, lambda s, _: month(s, formats), "text", "type")


OPERATIONS: dict[str, Operation] = {
    "date": Operation(_date, ("formats",), "formats"),
    "datetime": Operation(_datetime, ("formats",), "formats"),
    "month": Operation(_month, ("formats",), "formats"),
}
