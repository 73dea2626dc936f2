"""JSON records as text columns: flat ones at the speed of the decoder, all others by their names.

Numbers keep the source's own digits, and lose only an exponent: none ever becomes a float. Nothing
here knows answers, success layers or paths to a record list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl
from msgspec.structs import astuple

from connectors.documents import assemble, has_known_parts, is_known
from tongban.kernel.records import Decoded, RecordShape

Raw = msgspec.Raw
Column = Sequence[str | None] | pl.Series

MOST_ZEROS = 40
_ONLY_DECIMAL = frozenset({bytes, type(None)})
_ONLY_WHOLE = frozenset({int, type(None)})
_INSIDE = frozenset({dict, list})


def plain_number(text: str) -> str:
    """Write a number without its exponent, digit for digit; one beyond all use stays as it came.

    `1.234567E7` is how Java writes twelve million, in a source that never thought of exponents.
    """
    if "e" not in text and "E" not in text:
        return text
    number = Decimal(text)
    return format(number, "f") if abs(number.adjusted()) <= MOST_ZEROS else text


@lru_cache(maxsize=64)
def _flat_reader(fields: tuple[str, ...], ignored: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Make a decoder of records with exactly these members, the wanted ones first.

    It makes no dictionary and no key per record, which is half of the time of a page.
    """
    wanted = [
        (f"w{n}", Any, msgspec.field(name=name, default=None)) for n, name in enumerate(fields)
    ]
    rest = [
        (f"i{n}", Raw, msgspec.field(name=name, default=Raw())) for n, name in enumerate(ignored)
    ]
    kind = msgspec.defstruct("Record", [*wanted, *rest], gc=False, forbid_unknown_fields=True)
    # Bytes are not text, so that a number is told from a code like "1E5"; both hooks are C.
    return msgspec.json.Decoder(list[kind], float_hook=str.encode)  # type: ignore[valid-type]


def read_flat(raw: Raw, shape: RecordShape) -> Decoded | None:
    """Read flat records whose every member is known; None where the general way must look."""
    ignored = tuple(sorted(shape.known - set(shape.fields)))
    names = (*shape.fields, *ignored)
    if shape.explode or len(shape.fields) < 2 or any("." in name for name in names):  # noqa: PLR2004 - a getter of one gives no tuple
        return None
    try:
        records = _flat_reader(shape.fields, ignored).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    columns = list(zip(*map(astuple, records), strict=True)) or [() for _ in names]
    texts: dict[str, Column] = {}
    for name, column in zip(shape.fields, columns, strict=False):  # what is ignored comes after
        made = _flat_texts(column)
        if made is None:
            return None
        texts[name] = made
    return Decoded(assemble(shape, texts, {}, None))


def _flat_texts(values: Sequence[Any]) -> Column | None:
    """Give a column as text, its decimals being bytes; None where a value has an inside.

    The first value mostly tells what all are; a column of one kind is written by Polars.
    """
    first = values[0].__class__ if values else str
    if first is bytes:
        with suppress(TypeError):
            texts = pl.Series(values, dtype=pl.Binary).cast(pl.String)
            if not texts.str.contains("[eE]").any():
                return texts
            return [None if text is None else plain_number(text) for text in texts]
    elif first is str or first is type(None):
        with suppress(TypeError):
            return pl.Series(values, dtype=pl.String)
    kinds = set(map(type, values))
    if kinds & _INSIDE:
        return None
    if kinds <= _ONLY_WHOLE:
        return _texts(values)
    return _texts([plain_number(v.decode()) if v.__class__ is bytes else v for v in values])


def columns_of(rows: list[dict[str, Any]], shape: RecordShape, *, whole: bool) -> Decoded:
    """Split wanted fields into parents' and children's, and build both sets of columns."""
    unknown: set[str] = set()
    prefix = f"{shape.explode}." if shape.explode else None
    inner = [f for f in shape.fields if prefix and f.startswith(prefix)]
    outer = [f for f in shape.fields if f not in inner]
    parents = {name: _column(rows, name, unknown) for name in outer}
    children: dict[str, Column] = {}
    parent_of: list[int] | None = None
    if shape.explode and prefix:
        parent_of, elements = _exploded(rows, shape.explode, unknown)
        children = {n: _column(elements, n[len(prefix) :], unknown, prefix) for n in inner}
        _note_unknown(elements, prefix, shape.known, unknown)
    if whole or not shape.explode:
        known = shape.known | {shape.explode} if shape.explode else shape.known
        _note_unknown(rows, "", known, unknown)
    return Decoded(assemble(shape, parents, children, parent_of), frozenset(unknown))


def _column(rows: list[dict[str, Any]], name: str, unknown: set[str], prefix: str = "") -> Column:
    """Collect one field as text."""
    if "." not in name:
        return _texts([row.get(name) for row in rows])
    if any(name in row for row in rows):  # a name of its own, with dots in it
        return _texts([row.get(name) for row in rows])
    values: list[Any] = list(rows)
    for step in name.split("."):
        values = [_step(value, step, name, prefix, unknown) for value in values]
    return _texts(values)


def _step(value: Any, step: str, name: str, prefix: str, unknown: set[str]) -> Any:
    if value.__class__ is list:
        if len(value) != 1:
            unknown.add(f"{prefix}{name}[]")  # a list where one value was promised: drift
            return None
        value = value[0]
    return value.get(step) if value.__class__ is dict else None


def _texts(values: Sequence[Any]) -> Column:
    """Give a column as text; whole numbers are written by Polars, five times as fast."""
    if values and values[0].__class__ is int:
        if set(map(type, values)) <= _ONLY_WHOLE:
            with suppress(TypeError, OverflowError):  # more than 64 bits
                return pl.Series(values, dtype=pl.Int64).cast(pl.String)
    else:
        with suppress(TypeError):
            return pl.Series(values, dtype=pl.String)
    return [value if value.__class__ is str else as_text(value) for value in values]


def as_text(value: Any) -> str | None:
    """Give one value as text; objects and lists as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return msgspec.json.encode(value).decode()


def _exploded(
    rows: list[dict[str, Any]], path: str, unknown: set[str]
) -> tuple[list[int], list[dict[str, Any]]]:
    """Give every element of each row's list, and the number of the row that it came from."""
    parent_of: list[int] = []
    elements: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        found: Any = row
        for step in path.split("."):
            found = found.get(step) if found.__class__ is dict else None
        for element in [found] if found.__class__ is dict else found or ():
            if element.__class__ is dict:
                parent_of.append(number)
                elements.append(element)
            else:
                unknown.add(f"{path}[]")
    return parent_of, elements


def _note_unknown(
    rows: Iterable[dict[str, Any]], prefix: str, known: frozenset[str], unknown: set[str]
) -> None:
    """Collect names that the mapping neither uses nor ignores, also inside nested objects."""
    rows = list(rows)
    for name in set().union(*set(map(tuple, rows))):  # few different sets of names
        dotted = prefix + name
        if is_known(dotted, known):
            continue
        if not has_known_parts(dotted, known):
            unknown.add(dotted)
            continue
        nested = [row[name] for row in rows if name in row]
        flat = [x for v in nested for x in (v if v.__class__ is list else [v])]
        _note_unknown([x for x in flat if x.__class__ is dict], f"{dotted}.", known, unknown)
