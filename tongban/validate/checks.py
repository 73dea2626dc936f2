"""Checks: the national numbers' check characters for a whole column at a time, on its bytes.

Each function gives one flag per row: True where the number is well-formed, False elsewhere,
also for null (the rules decide what null means). Each agrees with the scalar reference of the
same name in `tongban.kernel.identifiers`; the tests hold the two against each other.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from tongban.kernel import identifiers as known
from tongban.kernel.byte_columns import (
    ZERO,
    Bytes,
    Flags,
    blocks,
    days_since_epoch,
    digits_value,
)
from tongban.kernel.certificates import CANONICAL_PATTERN, LEGACY_PATTERN, certificate_is_canonical

_EPOCH = date(1970, 1, 1)
_NOT_IN_ALPHABET = 255

_CERTIFICATES = f"^{CANONICAL_PATTERN}(?:、{CANONICAL_PATTERN})*$"
_MAYBE_LEGACY = (
    f"^(?:{CANONICAL_PATTERN}|{LEGACY_PATTERN})(?:、(?:{CANONICAL_PATTERN}|{LEGACY_PATTERN}))*$"
)
MOBILE_OR_LANDLINE = (
    r"^(?:(?:\+?86-?)?1[3-9][0-9]{9}|0[0-9]{2,3}-?[1-9][0-9]{6,7}(?:-[0-9]{1,6})?|[1-9][0-9]{6,7})$"
)
MONTH = r"^(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])$"


def _values(alphabet: str) -> Bytes:
    """Value of each byte in an alphabet, 255 for bytes that are not in it."""
    table = np.full(256, _NOT_IN_ALPHABET, dtype=np.uint8)
    for value, letter in enumerate(alphabet):
        table[ord(letter)] = value
    return table


def _letters(text: str) -> Bytes:
    """Characters as bytes, to be looked up by value."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _repeated(letters: Bytes, largest: int) -> Bytes:
    """The check letters by weighted sum instead of by remainder: a look-up saves a division."""
    return np.resize(letters, largest + 1)


def _steps(start: int) -> Bytes:
    """Next state of ISO 7064's hybrid systems by state * start + value, state and value < start+1.

    MOD 11,10 starts from 10 and MOD 37,36 from 36.
    """
    states = np.arange(start + 1).repeat(start)
    values = np.tile(np.arange(start), start + 1)
    product = (states + values) % start
    product[product == 0] = start
    return (product * 2 % (start + 1)).astype(np.uint8)


_RESIDENT_WEIGHTS = np.array(known.RESIDENT_ID_WEIGHTS, dtype=np.float32)
_RESIDENT_CHECKS = _repeated(_letters(known.RESIDENT_ID_CHECKS), 9 * sum(known.RESIDENT_ID_WEIGHTS))
_CREDIT_VALUES = _values(known.CREDIT_CODE_ALPHABET)
_CREDIT_WEIGHTS = np.array(known.CREDIT_CODE_WEIGHTS, dtype=np.float32)
_CREDIT_CHECKS = _repeated(
    _letters(known.CREDIT_CODE_ALPHABET[0] + known.CREDIT_CODE_ALPHABET[:0:-1]),
    30 * sum(known.CREDIT_CODE_WEIGHTS),
)
_ORGANISATION_VALUES = _values(known.ORGANISATION_CODE_ALPHABET)
_ORGANISATION_WEIGHTS = np.array(known.ORGANISATION_CODE_WEIGHTS, dtype=np.float32)
_ORGANISATION_CHECKS = _repeated(
    _letters(known.ORGANISATION_CODE_CHECKS), 35 * sum(known.ORGANISATION_CODE_WEIGHTS)
)
_HYPHEN = ord("-")
_BARE_LAND = ord("W")
_RIGHT_KINDS = _values("GJZ") != _NOT_IN_ALPHABET
_FIXTURES = _values("FLQ") != _NOT_IN_ALPHABET
_MOD_11_10 = _steps(10)
_MOD_37_36 = _steps(36)


def resident_id(texts: pl.Series, *, today: date) -> Flags:
    """Length, digits, real birth date from 1800 to `today`, check character."""
    good = np.zeros(len(texts), dtype=np.bool_)
    last_day = (today - _EPOCH).days
    for rows, block in blocks(texts, known.RESIDENT_ID_LENGTH):
        digits = block[:17] - ZERO
        is_number = _all_below(digits, 10)
        exact = digits.astype(np.float32)
        years = digits_value(exact[6:10])
        real, days = days_since_epoch(years, digits_value(exact[10:14]))
        good[rows] = (
            is_number
            & (_RESIDENT_CHECKS.take(_weighted(exact, _RESIDENT_WEIGHTS)) == block[17])
            & real
            & (days <= last_day)
            & (years >= known.EARLIEST_BIRTH_YEAR)
        )
    return good


def credit_code(texts: pl.Series, *, outer: bool = True, inner: bool = True) -> Flags:
    """Shape of a credit code, and whichever of its two check characters is asked for."""
    good = np.zeros(len(texts), dtype=np.bool_)
    for rows, block in blocks(texts, known.CREDIT_CODE_LENGTH):
        values = _CREDIT_VALUES.take(block[:17])
        fits = _all_below(values, 31) & _all_below(block[2:8] - ZERO, 10)
        fits &= _CREDIT_VALUES.take(block[17]) != _NOT_IN_ALPHABET
        if outer:
            total = _weighted(values.astype(np.float32), _CREDIT_WEIGHTS)
            fits &= _CREDIT_CHECKS.take(total) == block[17]
        if inner:
            fits &= _organisation_check(block[8:16], block[16])
        good[rows] = fits
    return good


def organisation_code(texts: pl.Series) -> Flags:
    """Nine characters, or ten with the printed hyphen, and the check character."""
    good = np.zeros(len(texts), dtype=np.bool_)
    for rows, block in blocks(texts, 9):
        good[rows] = _organisation_check(block[:8], block[8])
    for rows, block in blocks(texts, 10):
        good[rows] = (block[8] == _HYPHEN) & _organisation_check(block[:8], block[9])
    return good


def registration_no(texts: pl.Series) -> Flags:
    """Fifteen digits with an ISO 7064 MOD 11,10 check digit."""
    good = np.zeros(len(texts), dtype=np.bool_)
    for rows, block in blocks(texts, known.REGISTRATION_NO_LENGTH):
        digits = block - ZERO
        is_number = _all_below(digits, 10)
        product = _running_product(digits[:14], _MOD_11_10, start=10)
        good[rows] = is_number & ((11 - product) % 10 == digits[14])
    return good


def mod_37_36(texts: pl.Series) -> Flags:
    """Letters and digits of any length whose last is the ISO 7064 MOD 37,36 check character."""
    good = np.zeros(len(texts), dtype=np.bool_)
    for width in texts.str.len_bytes().drop_nulls().unique().to_list():
        if width < 2:  # noqa: PLR2004 - a body and its check character
            continue
        for rows, block in blocks(texts, width):
            values = _ORGANISATION_VALUES.take(block)
            fits = _all_below(values, 36)
            product = _running_product(values[:-1], _MOD_37_36, start=36)
            good[rows] = fits & ((37 - product) % 36 == values[-1])
    return good


def licence_id(texts: pl.Series) -> Flags:
    """Electronic licence id: shape, and MOD 37,36 over the parts after the root."""
    shaped = _matches(
        texts,
        r"^1\.2\.156\.3005\.2\.[0-9A-Z]{21}\.[0-9A-Z]{18}\.[0-9A-Z]{1,40}\.[0-9]{3}\.[0-9A-Z]$",
    )
    bodies = texts.str.strip_prefix(known.LICENCE_ROOT).str.replace_all(".", "", literal=True)
    return shaped & mod_37_36(bodies)


def real_estate_unit(texts: pl.Series) -> Flags:
    """Shape of a real-estate unit code; there is no check digit in it."""
    good = np.zeros(len(texts), dtype=np.bool_)
    for rows, block in blocks(texts, known.REAL_ESTATE_UNIT_LENGTH):
        land, number = block[13], block[20:]
        bare = (block[19] == _BARE_LAND) & (number == ZERO).all(axis=0)
        good[rows] = (
            _all_digits(block[:12])
            & _RIGHT_KINDS.take(block[12])
            & (land >= ord("A"))
            & (land <= ord("Z"))
            & _all_digits(block[14:19])
            & (bare | (_FIXTURES.take(block[19]) & _all_digits(number)))
        )
    return good


def certificate_no(texts: pl.Series) -> Flags:
    """Every number of the field canonical (or legacy, which has no canonical form).

    Only the few fields with several numbers or with a legacy one are read singly.
    """
    good = _matches(texts, _CERTIFICATES)
    if good.all():
        return good
    rest = texts.filter(pl.Series(~good)).drop_nulls().unique()
    legacy = rest.filter(rest.str.contains(_MAYBE_LEGACY))
    accepted = [text for text in legacy.to_list() if certificate_is_canonical(text)]
    if accepted:
        good |= texts.is_in(accepted).fill_null(value=False).to_numpy()
    return good


def phone(texts: pl.Series) -> Flags:
    """A mainland mobile number or a landline with or without area code."""
    return _matches(texts, MOBILE_OR_LANDLINE)


def month(texts: pl.Series, *, today: date) -> Flags:
    """A real month as yyyy-MM, 1900 to the current one."""
    flags: Flags = (texts <= today.strftime("%Y-%m")).fill_null(value=False).to_numpy()
    return flags & _matches(texts, MONTH)


def _matches(texts: pl.Series, pattern: str) -> Flags:
    """Whether each cell matches, False for null."""
    flags: Flags = texts.str.contains(pattern).fill_null(value=False).to_numpy()
    return flags


def _all_below(values: Bytes, limit: int) -> Flags:
    """Whether every value of a column is below `limit`; those that are not become 0."""
    fits: Flags = values.max(axis=0) < limit
    if not fits.all():
        values[:, ~fits] = 0
    return fits


def _all_digits(block: Bytes) -> Flags:
    """Whether every byte is a digit; lower bytes wrap round to large ones."""
    flags: Flags = (block - ZERO).max(axis=0) <= 9  # noqa: PLR2004 - a digit
    return flags


def _weighted(
    values: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.int32]:
    """Weighted sum of each column; small enough to be exact in single precision."""
    total: npt.NDArray[np.int32] = np.einsum("ij,i->j", values, weights).astype(np.int32)
    return total


def _organisation_check(body: Bytes, check: Bytes) -> Flags:
    """Whether eight characters and their check character belong together (GB 11714)."""
    values = _ORGANISATION_VALUES.take(body)
    fits = _all_below(values, 36)
    total = _weighted(values.astype(np.float32), _ORGANISATION_WEIGHTS)
    flags: Flags = fits & (_ORGANISATION_CHECKS.take(total) == check)
    return flags


def _running_product(values: Bytes, steps: Bytes, *, start: int) -> npt.NDArray[np.int16]:
    """Last state of ISO 7064's hybrid system over the array rows of `values`."""
    state = np.full(values.shape[1], start, dtype=np.int16)
    for row in values:
        state = steps.take(state * start + row).astype(np.int16)
    return state
