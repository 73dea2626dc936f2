"""Identifier operations: national numbers into their one normal form.

These never fail: a number that is wrong comes out tidy and wrong, and the contract's rule says
so. Only its form changes, except that a 15-digit resident ID gets its century and check character.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from tongban.kernel.byte_columns import ZERO, blocks, days_since_epoch, digits_value
from tongban.kernel.certificates import (
    CANONICAL_PATTERN,
    CLOSING_BRACKETS,
    OPENING_BRACKETS,
    SEQUENCE_DIGITS,
    UNIFIED_PATTERN,
    canonical_certificates,
)
from tongban.kernel.identifiers import (
    CENTENARIAN_SEQUENCES,
    LEGACY_RESIDENT_ID_LENGTH,
    RESIDENT_ID_CHECKS,
    RESIDENT_ID_WEIGHTS,
)
from tongban.normalize.steps import (
    Arguments,
    Columns,
    Operation,
    Setting,
    Step,
    on_rows,
    replace_cells,
)
from tongban.normalize.text import code_form, half_width, without_blanks

_WEIGHTS = np.array(RESIDENT_ID_WEIGHTS, dtype=np.float32)
_CHECKS = np.frombuffer(RESIDENT_ID_CHECKS.encode(), dtype=np.uint8)
_FIRST_CENTENARIAN = min(int(sequence) for sequence in CENTENARIAN_SEQUENCES)


def resident_id(texts: pl.Series) -> pl.Series:
    """Half width, upper X, no blanks, 15 digits to 18."""
    return from_15(code_form(texts))


def from_15(texts: pl.Series) -> pl.Series:
    """Lengthen the cells that are 15-digit resident IDs with a real birth date."""
    for rows, block in blocks(texts, LEGACY_RESIDENT_ID_LENGTH):
        digits = block - ZERO
        is_number = digits.max(axis=0) <= 9  # noqa: PLR2004 - a digit
        digits[:, ~is_number] = 0
        exact = digits.astype(np.float32)
        old = digits_value(exact[12:15]) >= _FIRST_CENTENARIAN
        century = np.where(old, 18, 19)
        years = century * 100 + digits_value(exact[6:8])
        real, _ = days_since_epoch(years.astype(np.int32), digits_value(exact[8:12]))
        good = is_number & real
        if not good.any():
            continue
        long = np.empty((18, int(good.sum())), dtype=np.uint8)
        long[:6] = digits[:6, good]
        long[6], long[7] = century[good] // 10, century[good] % 10
        long[8:17] = digits[6:, good]
        total = np.einsum("ij,i->j", long[:17].astype(np.float32), _WEIGHTS).astype(np.int32)
        long[:17] += ZERO
        long[17] = _CHECKS[total % 11]
        cells = np.ascontiguousarray(long.T).view("S18").ravel().astype("U18")
        positions = np.arange(len(texts))[rows][good]
        texts = replace_cells(texts, pl.Series(positions), pl.Series(cells))
    return texts


def certificate_no(texts: pl.Series) -> pl.Series:
    """Canonical certificate numbers; only fields with several or old numbers are read singly."""
    canonical = texts.str.contains(f"^{CANONICAL_PATTERN}$")
    return on_rows(texts, ~canonical, _one_certificate)


def _one_certificate(texts: pl.Series) -> pl.Series:
    """Fields that hold one unified number, by pattern; the rest, each different one once."""
    brackets = list(OPENING_BRACKETS + CLOSING_BRACKETS)
    straight = ["（"] * len(OPENING_BRACKETS) + ["）"] * len(CLOSING_BRACKETS)
    narrow = half_width(texts).str.replace_many([*brackets, "(", ")"], [*straight, "（", "）"])
    parts = without_blanks(narrow).str.extract_groups(f"^{UNIFIED_PATTERN}$").struct.unnest()
    names = ("province", "year", "seat", "kind", "sequence")
    found = parts.rename(dict(zip(parts.columns, names, strict=True)))
    written = found.select(
        pl.when(pl.col("sequence").is_not_null()).then(
            pl.format(
                "{}（{}）{}{}第{}号",
                "province",
                "year",
                "seat",
                "kind",
                pl.col("sequence").str.zfill(SEQUENCE_DIGITS),
            )
        )
    ).to_series()
    rest = written.is_null() & texts.is_not_null()
    filled = written.fill_null(texts)
    return on_rows(filled, rest, _read_singly)


def _read_singly(texts: pl.Series) -> pl.Series:
    """Several numbers in a field, and old numbers: through the scalar reference."""
    different = texts.unique().to_list()
    table = {text: canonical_certificates(text) or text for text in different}
    return texts.replace_strict(list(table), list(table.values()), return_dtype=pl.String)


def _code_form(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: code_form(s), "text")


def _resident_id(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: resident_id(s), "text")


def _certificate_no(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: certificate_no(s), "text")


def _id_by_type(args: Arguments, _: Setting) -> Step:
    """Residents' numbers get their normal form, all others only half width and upper case."""
    source = args.text("type")
    resident = list(args.texts("resident"))

    def run(texts: pl.Series, columns: Columns) -> pl.Series:
        return on_rows(code_form(texts), columns[source].is_in(resident), from_15)

    return Step(args.op.name, run, "text")


OPERATIONS: dict[str, Operation] = {
    "resident_id": Operation(_resident_id),
    "credit_code": Operation(_code_form),
    "unit_no": Operation(_code_form),
    "certificate_no": Operation(_certificate_no),
    "id_by_type": Operation(_id_by_type, ("type", "resident")),
}
