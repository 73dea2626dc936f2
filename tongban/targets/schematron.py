"""Schematron: the rules that XML Schema 1.0 cannot say, embedded in the same file.

Each rule becomes one assertion with the rule's id and severity, over one record. A rule that
XPath 1.0 cannot say either is a gap, which the schema lists in its documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from tongban.kernel import identifiers as known
from tongban.kernel.contracts import Field
from tongban.targets import xpath
from tongban.targets.statements import Gap, Statement
from tongban.targets.xpath import has, text_literal, value
from tongban.validate.identifier_rules import OTHER_ID_LENGTH
from tongban.validate.parameters import TEXTS, TIMES

_LONGEST_LICENCE = 21 + 18 + 40 + 3  # GB/T 36904: type, issuer, serial, version
DOUBLES = "XPath 1.0 counts in doubles: exact as long as amounts stay below 2^53 of their units"


@dataclass(frozen=True, slots=True)
class Assertion:
    """One rule in XPath.

    Attributes:
        test: True where the rule is kept or does not apply.
        lets: Variables that the test uses, in order.
    """

    rule: str
    severity: str
    description: str
    test: str
    lets: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class _Cannot(Exception):  # noqa: N818 - never leaves this module
    """XPath 1.0 has no way to say it."""


_Test = str | tuple[list[tuple[str, str]], str]


def assertion(statement: Statement, number: int) -> Assertion | Gap:
    """Say one explicit rule, or why it cannot be said.

    Args:
        statement: The rule.
        number: Makes the names of its variables unique.
    """
    try:
        said = _KINDS[statement.kind](statement, f"s{number}")
    except _Cannot as reason:
        return Gap(statement.id, str(reason))
    lets, test = said if isinstance(said, tuple) else ([], said)
    return Assertion(
        statement.id, statement.severity, statement.description, test, lets=tuple(lets)
    )


def _where_given(fields: list[Field], test: str) -> str:
    """A test that applies only where all of its fields have a value."""
    given = " and ".join(has(item) for item in dict.fromkeys(fields))
    return f"not({given}) or ({test})"


def _resident_id(s: Statement, _: str) -> _Test:
    text = value(s.item)
    table = s.given.rule.params.get("areas")
    if table is None:
        return _where_given([s.item], xpath.resident_id(text))
    codes = "|".join(sorted(s.codes.known(str(table))))
    inside = f"contains('|{codes}|', concat('|', substring({text}, 1, 6), '|'))"
    return _where_given([s.item], f"string-length({text}) >= 6 and {inside}")


def _credit_code(s: Statement, _: str) -> _Test:
    part = str(s.given.rule.params.get("part", "both"))
    return _where_given([s.item], xpath.credit_code(value(s.item), part))


def _organisation_code(s: Statement, _: str) -> _Test:
    # A warning has no pattern beside it, so the hyphen's place is looked at here.
    text = value(s.item)
    bare = f"concat(substring({text}, 1, 8), substring({text}, string-length({text}), 1))"
    shape = (
        f"(string-length({text}) = 9 or"
        f" (string-length({text}) = 10 and substring({text}, 9, 1) = '-'))"
    )
    return _where_given([s.item], f"{shape} and {xpath.organisation_code(bare)}")


def _registration_no(s: Statement, name: str) -> _Test:
    text = value(s.item)
    lets, check = xpath.hybrid_steps(name, f"substring({text}, 1, 14)", 14, xpath.DIGITS, 10)
    right = f"{check} = substring({text}, 15, 1)"
    shape = f"string-length({text}) = 15 and {xpath.only(text, xpath.DIGITS)}"
    return lets, _where_given([s.item], f"{shape} and {right}")


def _licence_id(s: Statement, name: str) -> _Test:
    if not s.is_enforced:
        raise _Cannot("its shape needs a pattern, which XPath 1.0 has not")
    text = value(s.item)
    bare = f"translate(substring({text}, {len(known.LICENCE_ROOT) + 1}), '.', '')"
    body = f"substring({bare}, 1, string-length({bare}) - 1)"
    lets, check = xpath.hybrid_steps(name, body, _LONGEST_LICENCE, known.MOD_37_36_ALPHABET, 36)
    right = f"{check} = substring({text}, string-length({text}), 1)"
    return lets, _where_given([s.item], right)


def _month(s: Statement, _: str) -> _Test:
    months = [
        f"number(translate(substring({text}, 1, 7), '-', ''))" for text in (value(s.item), xpath.AT)
    ]
    return _where_given([s.item], f"{months[0]} <= {months[1]}")


def _moment_range(s: Statement, _: str) -> _Test:
    """Bounds of a moment; the schema processor's own comparison loses microseconds."""
    ours = xpath.moment(value(s.item))
    bounds = [
        f"{ours} {op} {xpath.moment(text_literal(f'{bound}T00:00:00+08:00'))}"
        for op, bound in ((">=", s.item.minimum), ("<=", s.item.maximum))
        if bound is not None
    ]
    return _where_given([s.item], " and ".join(bounds))


def _by_pattern(s: Statement, _: str) -> _Test:
    """What the XSD's own facet says; a warning would need it here."""
    if not s.is_enforced:
        raise _Cannot("a warning about a pattern; XPath 1.0 has no regular expressions")
    return ""


def _not_future(s: Statement, _: str) -> _Test:
    if s.item.type == "date":
        return _where_given([s.item], f"{xpath.comparable(s.item)} <= {xpath.TODAY}")
    latest = f"{xpath.moment(xpath.AT)} + 300"
    return _where_given([s.item], f"{xpath.moment(value(s.item))} <= {latest}")


def _compare(s: Statement, _: str) -> _Test:
    params = s.given.rule.params
    left = s.given.field("left" if "left" in params else "field")
    op = str(params["op"]).replace("==", "=")
    if params.get("right") is None:
        found = s.given.literal(left, params["value"])
        if left.type in {"string", "boolean"}:
            return _where_given([left], _same(op, value(left), _text(found)))
        ours = xpath.comparable(left)
        return _where_given([left], f"{ours} {op} {xpath.comparable_literal(left, found)}")
    right = s.given.field("right")
    fields = [left, right]
    if params.get("tolerance") is not None:
        tolerance = s.given.number("tolerance")
        scales: list[Field | Decimal] = [left, right, tolerance]
        scale = max(map(xpath.scale_of, scales))
        difference = f"{xpath.units(left, scale)} - {xpath.units(right, scale)}"
        return _where_given(fields, _within(op, difference, tolerance, scale))
    if {left.type, right.type} == TIMES:
        return _where_given(fields, f"{xpath.day_of(left)} {op} {xpath.day_of(right)}")
    if left.type == "boolean" or (left.type in TEXTS and {left.type, right.type} != {"month"}):
        return _where_given(fields, _same(op, value(left), value(right)))
    return _where_given(fields, f"{xpath.comparable(left)} {op} {xpath.comparable(right)}")


def _text(found: object) -> str:
    return text_literal(str(found).lower() if isinstance(found, bool) else str(found))


def _same(op: str, left: str, right: str) -> str:
    if op not in {"=", "!="}:
        raise _Cannot("XPath 1.0 cannot put text in order")
    return f"string({left}) {op} string({right})"


def _within(op: str, difference: str, tolerance: Decimal, scale: int) -> str:
    limit = xpath.scaled(tolerance, scale)
    absolute = f"(({difference}) * (1 - 2 * (({difference}) < 0)))"
    match op:
        case "<" | "<=":
            return f"({difference}) {op} {limit}"
        case ">" | ">=":
            return f"({difference}) {op} -{limit}"
        case "=":
            return f"{absolute} <= {limit}"
        case _:
            return f"{absolute} > {limit}"


def _sum(s: Statement, _: str) -> _Test:
    total, parts = s.given.field("total"), s.listed("parts")
    tolerance = s.given.number("tolerance", "0")
    scales: list[Field | Decimal] = [total, tolerance, *parts]
    scale = max(map(xpath.scale_of, scales))
    added = " + ".join(xpath.units(part, scale) for part in parts)
    difference = f"{xpath.units(total, scale)} - ({added})"
    return _where_given([total, *parts], _within("=", difference, tolerance, scale))


def _product(s: Statement, _: str) -> _Test:
    result, (first, second) = s.given.field("result"), s.listed("factors")
    tolerance = s.given.number("tolerance", "0")
    exact = xpath.scale_of(first) + xpath.scale_of(second)
    scale = max(exact, xpath.scale_of(result), xpath.scale_of(tolerance))
    product = " * ".join(xpath.units(item, xpath.scale_of(item)) for item in (first, second))
    difference = f"{xpath.units(result, scale)} - {product} * {10 ** (scale - exact)}"
    return _where_given([result, first, second], _within("=", difference, tolerance, scale))


def _ratio_between(s: Statement, _: str) -> _Test:
    top, bottom = s.given.field("numerator"), s.given.field("denominator")
    low, high = (f"{s.given.number(name):f}" for name in ("minimum", "maximum"))
    above, below = xpath.number(top), xpath.number(bottom)
    inside = f"{above} >= {below} * {low} and {above} <= {below} * {high}"
    return _where_given([top, bottom], f"not({below} > 0) or ({inside})")


def _one_of(item: Field, values: list[object]) -> str:
    if item.type in {"string", "boolean", "month"}:
        return " or ".join(f"string({value(item)}) = {_text(found)}" for found in values)
    ours = xpath.comparable(item)
    return " or ".join(f"{ours} = {xpath.comparable_literal(item, found)}" for found in values)


def _when(s: Statement) -> str:
    return " and ".join(
        f"{has(item)} and ({_one_of(item, values)})" for item, values in s.conditions()
    )


def _one_of_required(s: Statement, _: str) -> _Test:
    return " or ".join(has(item) for item in s.listed("fields"))


def _id_by_type(s: Statement, _: str) -> _Test:
    params, kind, number = s.given.rule.params, s.given.field("type"), s.given.field("number")
    credit = _one_of(kind, s.given.values(kind, params.get("credit") or ["-"]))
    resident = _one_of(kind, s.given.values(kind, params.get("resident")))
    text = value(number)
    low, high = OTHER_ID_LENGTH
    other = f"string-length({text}) >= {low} and string-length({text}) <= {high}"
    return _where_given(
        [number, kind],
        f"(({credit}) and {xpath.credit_code(text)})"
        f" or (not({credit}) and ({resident}) and {xpath.resident_id(text)})"
        f" or (not({credit}) and not({resident}) and {other})",
    )


def _in(s: Statement, _: str) -> _Test:
    return _where_given([s.item], _one_of(s.item, s.given.values(s.item, s.given.get("values"))))


def _expression(_: Statement, __: str) -> _Test:
    raise _Cannot("a condition in SQL, which is not translated to XPath")


_KINDS: dict[str, Callable[[Statement, str], _Test]] = {
    "resident_id": _resident_id,
    "credit_code": _credit_code,
    "organisation_code": _organisation_code,
    "registration_no": _registration_no,
    "real_estate_unit": _by_pattern,
    "certificate_no": _by_pattern,
    "licence_id": _licence_id,
    "phone": _by_pattern,
    "month": _month,
    "not_future": _not_future,
    "compare": _compare,
    "sum": _sum,
    "product": _product,
    "ratio_between": _ratio_between,
    "required_when": lambda s, _: f"not({_when(s)}) or {has(s.item)}",
    "absent_when": lambda s, _: f"not({_when(s)}) or not{has(s.item)}",
    "one_of_required": _one_of_required,
    "id_by_type": _id_by_type,
    "in": _in,
    "range": _moment_range,
    "expression": _expression,
}
KINDS = frozenset(_KINDS)
