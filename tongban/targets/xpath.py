"""XPath: pieces of XPath 1.0 expressions, of which the Schematron rules are made.

XPath 1.0 has numbers (doubles), substrings and no regular expressions, dates or clock. Exact money
is whole numbers of its smallest unit, a moment is seconds since 2000, "today" stands in the
document, and a check character is looked up in its alphabet.
"""

from __future__ import annotations

import string
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tongban.kernel import identifiers as known
from tongban.kernel.contracts import Field
from tongban.targets.statements import written

DIGITS = string.digits
AT = "/r:records/@at"
TODAY = f"number(translate(substring({AT}, 1, 10), '-', ''))"
_MONTH_DAYS = "312831303130313130313031"
_DAY_OF_2000 = 2_451_545  # Julian day number of 2000-01-01


def value(item: Field) -> str:
    """A field's text inside its record."""
    return f"r:{item.name}"


def has(item: Field) -> str:
    """Whether a field's value is there."""
    return f"(r:{item.name} and not(r:{item.name}/@xsi:nil = 'true'))"


def text_literal(text: str) -> str:
    """Text in quotes; XPath 1.0 cannot escape one, so text with both kinds is put together."""
    if "'" not in text:
        return f"'{text}'"
    parts = ', "\'", '.join(f"'{part}'" for part in text.split("'"))
    return f"concat({parts})"


def number(item: Field) -> str:
    """A field's number; XPath knows no plus sign."""
    return f"number(translate({value(item)}, '+', ''))"


def units(item: Field, scale: int) -> str:
    """A field as a whole number of its smallest unit, exact up to 2**53."""
    return f"round({number(item)} * {10**scale})" if scale else number(item)


def scale_of(found: Field | Decimal) -> int:
    """Digits after the point."""
    if isinstance(found, Field):
        return 0 if found.type == "integer" else found.scale or 0
    exponent = found.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def scaled(amount: Decimal, scale: int) -> str:
    """A literal number of the smallest unit."""
    return f"{(amount * 10**scale).normalize():f}"


def comparable(item: Field) -> str | None:
    """A field as something that XPath can compare; None for text, which it cannot put in order."""
    match item.type:
        case "integer" | "decimal":
            return number(item)
        case "date" | "month":
            return f"number(translate({value(item)}, '-', ''))"
        case "datetime":
            return moment(value(item))
        case _:
            return None


def comparable_literal(item: Field, found: Any) -> str:
    """A literal in the form of `comparable`."""
    text = written(found)
    if isinstance(found, datetime):
        return moment(text_literal(text))
    if isinstance(found, date) or item.type == "month":
        return text.replace("-", "")
    return f"{found:f}" if isinstance(found, Decimal) else text


def day_of(item: Field) -> str:
    """The day in Beijing of a day or a moment (moments are exchanged in Beijing time)."""
    return f"number(translate(substring({value(item)}, 1, 10), '-', ''))"


def moment(text: str) -> str:
    """Seconds since 2000 of a moment in Beijing time."""
    year, month, day = (f"substring({text}, {at}, {n})" for at, n in ((1, 4), (6, 2), (9, 2)))
    shift = f"floor((14 - {month}) div 12)"
    years = f"({year} + 4800 - {shift})"
    days = (
        f"({day} + floor((153 * ({month} + 12 * {shift} - 3) + 2) div 5) + 365 * {years}"
        f" + floor({years} div 4) - floor({years} div 100) + floor({years} div 400)"
        f" - {32045 + _DAY_OF_2000})"
    )
    clock = f"substring({text}, 12, 2) * 3600 + substring({text}, 15, 2) * 60"
    seconds = f"substring-before(substring({text}, 18), '+')"
    return f"({days} * 86400 + {clock} + {seconds})"


def only(text: str, alphabet: str) -> str:
    """Whether a text has characters of an alphabet only."""
    return f"translate({text}, '{alphabet}', '') = ''"


def weighted(text: str, start: int, alphabet: str, weights: tuple[int, ...]) -> str:
    """Weighted sum of a text's characters by their place in an alphabet."""
    places = [
        f"string-length(substring-before('{alphabet}', substring({text}, {start + i}, 1))) * {w}"
        for i, w in enumerate(weights)
    ]
    return f"({' + '.join(places)})"


def resident_id(text: str) -> str:
    """GB 11643: length, digits, a real birth date up to today, check character."""
    year, month, day = (f"substring({text}, {at}, {n})" for at, n in ((7, 4), (11, 2), (13, 2)))
    leap = f"({year} mod 4 = 0 and ({year} mod 100 != 0 or {year} mod 400 = 0))"
    length = f"substring('{_MONTH_DAYS}', 2 * {month} - 1, 2) + ({month} = 2 and {leap})"
    check = weighted(text, 1, DIGITS, known.RESIDENT_ID_WEIGHTS)
    right = f"substring('{known.RESIDENT_ID_CHECKS}', 1 + {check} mod 11, 1)"
    return " and ".join(
        (
            f"string-length({text}) = 18",
            only(f"substring({text}, 1, 17)", DIGITS),
            f"{year} >= {known.EARLIEST_BIRTH_YEAR}",
            f"{month} >= 1 and {month} <= 12 and {day} >= 1 and {day} <= {length}",
            f"number(substring({text}, 7, 8)) <= {TODAY}",
            f"{right} = substring({text}, 18, 1)",
        )
    )


def organisation_code(text: str, start: int = 1) -> str:
    """GB 11714 without a hyphen."""
    alphabet = known.ORGANISATION_CODE_ALPHABET
    check = weighted(text, start, alphabet, known.ORGANISATION_CODE_WEIGHTS)
    return (
        f"{only(f'substring({text}, {start}, 9)', alphabet)} and "
        f"substring('{known.ORGANISATION_CODE_CHECKS}', 1 + {check} mod 11, 1)"
        f" = substring({text}, {start + 8}, 1)"
    )


def credit_code(text: str, part: str = "both") -> str:
    """GB 32100: shape, and the check characters that are asked for."""
    alphabet = known.CREDIT_CODE_ALPHABET
    found = [
        f"string-length({text}) = 18",
        only(text, alphabet),
        only(f"substring({text}, 3, 6)", DIGITS),
    ]
    if part != "inner":
        check = weighted(text, 1, alphabet, known.CREDIT_CODE_WEIGHTS)
        place = f"1 + (31 - {check} mod 31) mod 31"
        found.append(f"substring('{alphabet}', {place}, 1) = substring({text}, 18, 1)")
    if part != "outer":
        found.append(organisation_code(text, 9))
    return " and ".join(found)


def hybrid_steps(
    name: str, body: str, most: int, alphabet: str, modulus: int
) -> tuple[list[tuple[str, str]], str]:
    """ISO 7064 MOD m+1,m: variables that lead to the check character of a text.

    Args:
        name: Prefix of the variables.
        body: The text without its check character.
        most: Its greatest length.
        alphabet: Characters by their value.
        modulus: The smaller of the two, m.

    Returns:
        The variables in order, and the expression of the check character.
    """
    lets = [(f"{name}b", f"string({body})"), (f"{name}p0", str(modulus))]
    for i in range(1, most + 1):
        at = f"substring(${name}b, {i}, 1)"
        place = f"string-length(substring-before('{alphabet}', {at}))"
        lets.append((f"{name}x{i}", f"(${name}p{i - 1} + {place}) mod {modulus}"))
        step = f"((${name}x{i} + {modulus} * (${name}x{i} = 0)) * 2) mod {modulus + 1}"
        inside = f"({i} <= string-length(${name}b))"
        lets.append((f"{name}p{i}", f"{inside} * ({step}) + not{inside} * ${name}p{i - 1}"))
    place = f"1 + ({modulus + 1} - ${name}p{most}) mod {modulus}"
    return lets, f"substring('{alphabet}', {place}, 1)"
