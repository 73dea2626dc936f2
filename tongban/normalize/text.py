"""Text operations: trimming, half width, case, replacing, joining, splitting.

None of them looks at a cell that it need not change: most columns are plain ASCII, and full-width
characters or zero-width blanks are rare. Empty text is null everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tongban.kernel.byte_columns import joined, largest, smallest
from tongban.normalize.steps import (
    Arguments,
    Operation,
    Setting,
    Step,
    keep,
    on_rows,
)

# Zero-width space, non-joiner and joiner, word joiner, byte-order mark, Mongolian vowel separator
WIDTHLESS = "\u200b\u200c\u200d\u2060\ufeff\u180e"
BLANKS = (
    " \t\n\x0b\x0c\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
) + WIDTHLESS
# First bytes, in UTF-8, of blanks beyond ASCII and of full-width characters: most columns have
# none of them, and a search for a byte costs a fraction of a look at every cell.
_ASCII_BLANKS = b" \t\n\x0b\x0c\r"
_LEADS_OF_BLANKS = b"\xc2\xe1\xe2\xe3\xef"
_WIDTHLESS_EDGE = f"^[{WIDTHLESS}]|[{WIDTHLESS}]$"
_LEADS_OF_WIDE = b"\xe3\xef"
_FIRST_PRINTABLE = 0x20
_NO_CHARACTERS = ("\ufffe", "\uffff")
# Not storable in PostgreSQL (NUL) or not writable in XML (the rest)
_UNPRINTABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{FFFE}\x{FFFF}]"
_FULL_WIDTH = r"[\x{FF01}-\x{FF5E}\x{3000}\x{FFE5}]"
_WIDE = [chr(code) for code in range(0xFF01, 0xFF5F)] + ["\u3000", "\uffe5"]
_NARROW = [chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)] + [" ", "¥"]
_NAME_NEEDS_CARE = r"[\s\x{30FB}\x{2022}\x{2027}\x{22C5}\x{FF65}\x{2219}\x{FF0E}]"
_NAME_DOTS = r"\s*[·\x{30FB}\x{2022}\x{2027}\x{22C5}\x{FF65}\x{2219}\x{FF0E}]\s*"
_BETWEEN_HAN = r"(\p{Han})\s+(\p{Han})"


def _has_any(raw: bytes, wanted: bytes) -> bool:
    """Whether any of these bytes occurs; one quick search each."""
    return any(byte in raw for byte in wanted)


def is_ascii(texts: pl.Series) -> bool:
    """Whether no cell holds anything but ASCII."""
    return bool(texts.str.len_bytes().sum() == texts.str.len_chars().sum())


def empty_to_null(texts: pl.Series) -> pl.Series:
    """Empty text says nothing."""
    shortest = texts.str.len_bytes().min()
    return keep(texts, texts.str.len_bytes() > 0) if shortest == 0 else texts


def clean(texts: pl.Series) -> pl.Series:
    """Trim blanks of every kind, also ideographic and zero-width ones; empty becomes null."""
    trimmed = texts.str.strip_chars()  # Unicode's White_Space
    if not is_ascii(texts) and trimmed.str.contains(_WIDTHLESS_EDGE).any():
        trimmed = texts.str.strip_chars(BLANKS)
    return empty_to_null(trimmed)


def printable(texts: pl.Series) -> pl.Series:
    """Null where a cell holds a control character that no database and no XML would take."""
    raw = joined(texts)
    odd = smallest(raw) < _FIRST_PRINTABLE or _has_any(raw, b"\x7f")
    if not odd and _has_any(raw, b"\xef"):
        odd = any(texts.str.contains(mark, literal=True).any() for mark in _NO_CHARACTERS)
    return keep(texts, ~texts.str.contains(_UNPRINTABLE)) if odd else texts


def half_width(texts: pl.Series) -> pl.Series:
    """Full-width letters, digits and signs to ASCII; Chinese text stays as it is."""
    if not _has_any(joined(texts), _LEADS_OF_WIDE):
        return texts
    changed = on_rows(
        texts,
        texts.str.contains(_FULL_WIDTH),
        lambda cells: cells.str.replace_many(_WIDE, _NARROW).str.strip_chars(BLANKS),
    )
    return empty_to_null(changed)


def without_blanks(texts: pl.Series) -> pl.Series:
    """No blank anywhere inside; for codes that people print in groups."""
    spaced = texts.str.contains(f"[{BLANKS}]")
    return on_rows(texts, spaced, lambda cells: cells.str.replace_all(f"[{BLANKS}]", ""))


def code_form(texts: pl.Series) -> pl.Series:
    """Half width, upper case, no blanks: how codes and numbers are compared."""
    raw = joined(texts)
    if raw.isascii() and not _has_any(raw, _ASCII_BLANKS) and largest(raw) < ord("a"):
        return texts
    return empty_to_null(without_blanks(half_width(texts).str.to_uppercase()))


def person_name(texts: pl.Series) -> pl.Series:
    """One kind of middle dot, no blanks between Chinese characters, single blanks elsewhere."""
    if not _has_any(joined(texts), _ASCII_BLANKS + _LEADS_OF_BLANKS):
        return texts

    def tidy(names: pl.Series) -> pl.Series:
        dotted = names.str.replace_all(_NAME_DOTS, "·").str.replace_all(r"\s+", " ")
        for _ in range(2):  # matches do not overlap: the second pass sees every other gap
            dotted = dotted.str.replace_all(_BETWEEN_HAN, "${1}${2}")
        return dotted

    return on_rows(texts, texts.str.contains(_NAME_NEEDS_CARE), tidy)


def join(columns: Sequence[pl.Series], separator: str) -> pl.Series:
    """Cells of a row joined; missing cells are left out, and all missing gives null."""
    frame = pl.DataFrame({str(i): column for i, column in enumerate(columns)})
    joined = frame.select(pl.concat_str(pl.all(), separator=separator, ignore_nulls=True))
    return empty_to_null(joined.to_series())


def first_present(columns: Sequence[pl.Series]) -> pl.Series:
    """First cell of a row that is there."""
    frame = pl.DataFrame({str(i): column for i, column in enumerate(columns)})
    return frame.select(pl.coalesce(pl.all())).to_series()


def _half_width(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: half_width(s), "text")


def _upper(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: s.str.to_uppercase(), "text")


def _lower(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: s.str.to_lowercase(), "text")


def _text(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: clean(s), "text")


def _strip_chars(args: Arguments, _: Setting) -> Step:
    chars = args.text("chars")
    return Step(args.op.name, lambda s, _: clean(s.str.strip_chars(chars)), "text")


def _strip_suffix(args: Arguments, _: Setting) -> Step:
    suffixes = sorted(args.texts("suffixes"), key=len, reverse=True)

    def run(texts: pl.Series) -> pl.Series:
        found = False
        for suffix in suffixes:
            ends = texts.str.ends_with(suffix)
            if ends.any():
                found = True
                texts = on_rows(texts, ends, lambda s, end=suffix: s.str.strip_suffix(end))  # type: ignore[misc]
        return clean(texts) if found else texts

    return Step(args.op.name, lambda s, _: run(s), "text")


def _replace(args: Arguments, _: Setting) -> Step:
    find, new = args.text("find"), args.text("with", "")
    if not find:
        args.refuse('needs a text that is not empty as "find"')
    return Step(
        args.op.name, lambda s, _: clean(s.str.replace_all(find, new, literal=True)), "text"
    )


def _null_if(args: Arguments, _: Setting) -> Step:
    values = list(args.texts("values"))
    return Step(args.op.name, lambda s, _: keep(s, ~s.is_in(values)), "text")


def _split(args: Arguments, _: Setting) -> Step:
    separator, index = args.text("separator"), args.integer("index")

    def run(texts: pl.Series) -> pl.Series:
        return clean(texts.str.split(separator).list.get(index, null_on_oob=True))

    return Step(args.op.name, lambda s, _: run(s), "text", "type")


def _slice(args: Arguments, _: Setting) -> Step:
    start, length = args.integer("start"), args.integer("length")
    return Step(args.op.name, lambda s, _: clean(s.str.slice(start, length)), "text")


def _person_name(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: person_name(s), "text")


OPERATIONS: dict[str, Operation] = {
    "text": Operation(_text),
    "half_width": Operation(_half_width),
    "upper": Operation(_upper),
    "lower": Operation(_lower),
    "strip_chars": Operation(_strip_chars, ("chars",), "chars"),
    "strip_suffix": Operation(_strip_suffix, ("suffixes",), "suffixes"),
    "replace": Operation(_replace, ("find", "with")),
    "null_if": Operation(_null_if, ("values",), "values"),
    "split": Operation(_split, ("separator", "index")),
    "slice": Operation(_slice, ("start", "length")),
    "person_name": Operation(_person_name),
}
