"""SQL rules: each statement as a condition of PostgreSQL that is true or null in a kept row.

A CHECK passes where its condition is null, which is just how a rule passes where a value is
missing; so no condition here says anything about null beyond what its rule says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from itertools import starmap
from typing import Any

from tongban.kernel.contracts import Field
from tongban.targets.shapes import SHAPES
from tongban.targets.statements import Statement, written
from tongban.validate.identifier_rules import OTHER_ID_LENGTH
from tongban.validate.parameters import TEXTS, TIMES

_TODAY = "(now() AT TIME ZONE 'Asia/Shanghai')::date"
_SKEW = "interval '5 minutes'"
_ZONED = "({column} AT TIME ZONE 'Asia/Shanghai')::date"


def condition(statement: Statement) -> str | None:
    """The condition of a rule; None where the column's own type or NOT NULL says it."""
    if statement.kind in {"required", "type"}:
        return None
    return _KINDS[statement.kind](statement)


def quoted(name: str) -> str:
    """A name as PostgreSQL takes it, whatever its letters are."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A literal of a contract's own type."""
    if isinstance(value, bool | int | Decimal):
        return written(value)
    text = "'" + written(value).replace("'", "''") + "'"
    if isinstance(value, datetime):
        return f"timestamptz {text}"
    return f"date {text}" if isinstance(value, date) else text


def _column(item: Field) -> str:
    return quoted(item.name)


def _among(item: Field, values: list[Any]) -> str:
    return f"{_column(item)} IN ({', '.join(literal(value) for value in values)})"


def _length(s: Statement) -> str:
    low, high = s.item.min_length or 0, s.item.max_length
    length = f"char_length({_column(s.item)})"
    return f"{length} >= {low}" if high is None else f"{length} BETWEEN {low} AND {high}"


def _matches(pattern: str) -> Callable[[Statement], str]:
    return lambda s: f"{_column(s.item)} ~ {literal(pattern)}"


def _range(s: Statement) -> str:
    bounds = [(">=", s.item.minimum), ("<=", s.item.maximum)]
    column = _column(s.item)
    at = "timestamptz '{} 00:00:00+08'" if s.item.type == "datetime" else "{}"
    return " AND ".join(
        f"{column} {op} {at.format(bound if s.item.type == 'datetime' else literal(bound))}"
        for op, bound in bounds
        if bound is not None
    )


def _calls(function: str, *more: str) -> Callable[[Statement], str]:
    return lambda s: f"{function}({', '.join([_column(s.item), *more])})"


def _resident_id(s: Statement) -> str:
    table = s.given.rule.params.get("areas")
    if table is None:
        return f"tongban_resident_id({_column(s.item)}, {_TODAY})"
    codes = ", ".join(literal(code) for code in sorted(s.codes.known(str(table))))
    return f"left({_column(s.item)}, 6) IN ({codes})"


def _credit_code(s: Statement) -> str:
    part = literal(str(s.given.rule.params.get("part", "both")))
    return f"tongban_credit_code({_column(s.item)}, {part})"


def _month(s: Statement) -> str:
    column = _column(s.item)
    latest = f"{column} COLLATE \"C\" <= to_char({_TODAY}, 'YYYY-MM')"
    shaped = _matches(SHAPES["month"])(s)
    return f"{shaped} AND {latest}"


def _not_future(s: Statement) -> str:
    if s.item.type == "date":
        return f"{_column(s.item)} <= {_TODAY}"
    return f"{_column(s.item)} <= now() + {_SKEW}"


def _compare(s: Statement) -> str:
    params = s.given.rule.params
    left = s.given.field("left" if "left" in params else "field")
    op = str(params["op"]).replace("==", "=").replace("!=", "<>")
    if params.get("right") is None:
        return _compared(left, op, literal(s.given.literal(left, params["value"])))
    right = s.given.field("right")
    if params.get("tolerance") is not None:
        return _within(op, _column(left), _column(right), s.given.number("tolerance"))
    if {left.type, right.type} == TIMES:
        days = [
            _ZONED.format(column=_column(f)) if f.type == "datetime" else _column(f)
            for f in (left, right)
        ]
        return f"{days[0]} {op} {days[1]}"
    return _compared(left, op, _column(right))


def _compared(left: Field, op: str, right: str) -> str:
    """Text in the order of its code points, whatever the database's language is."""
    collation = ' COLLATE "C"' if left.type in TEXTS else ""
    return f"{_column(left)}{collation} {op} {right}"


def _within(op: str, left: str, right: str, tolerance: Decimal) -> str:
    difference = f"({left}) - ({right})"
    match op:
        case "<" | "<=":
            return f"{difference} {op} {tolerance}"
        case ">" | ">=":
            return f"{difference} {op} -{tolerance}"
        case "=":
            return f"abs({difference}) <= {tolerance}"
        case _:
            return f"abs({difference}) > {tolerance}"


def _sum(s: Statement) -> str:
    parts = " + ".join(_column(part) for part in s.listed("parts"))
    return _within("=", _column(s.given.field("total")), parts, s.given.number("tolerance", "0"))


def _product(s: Statement) -> str:
    first, second = (f"{_column(f)}::numeric" for f in s.listed("factors"))
    result = _column(s.given.field("result"))
    return _within("=", result, f"{first} * {second}", s.given.number("tolerance", "0"))


def _ratio_between(s: Statement) -> str:
    top, bottom = (
        f"{_column(s.given.field(n))}::double precision" for n in ("numerator", "denominator")
    )
    low, high = (s.given.number(name) for name in ("minimum", "maximum"))
    inside = f"{top} >= {bottom} * {low}::double precision"
    inside += f" AND {top} <= {bottom} * {high}::double precision"
    return f"CASE WHEN {bottom} > 0 THEN {inside} END"


def _when(s: Statement) -> str:
    return " AND ".join(starmap(_among, s.conditions()))


def _one_of_required(s: Statement) -> str:
    return f"num_nonnulls({', '.join(_column(item) for item in s.listed('fields'))}) > 0"


def _id_by_type(s: Statement) -> str:
    params, kind = s.given.rule.params, s.given.field("type")
    number = _column(s.given.field("number"))
    credit = s.given.values(kind, params.get("credit") or ["-"])
    resident = s.given.values(kind, params.get("resident"))
    low, high = OTHER_ID_LENGTH
    return (
        f"CASE WHEN {_column(kind)} IS NULL THEN NULL"
        f" WHEN {_among(kind, credit)} THEN tongban_credit_code({number}, 'both')"
        f" WHEN {_among(kind, resident)} THEN tongban_resident_id({number}, {_TODAY})"
        f" ELSE char_length({number}) BETWEEN {low} AND {high} END"
    )


def _in(s: Statement) -> str:
    return _among(s.item, s.given.values(s.item, s.given.get("values")))


def decimal_fits(item: Field) -> str:
    """PostgreSQL's numeric(p,s) would round what has too many digits; this refuses it."""
    whole = 10 ** ((item.precision or 18) - (item.scale or 0))
    return f"min_scale({_column(item)}) <= {item.scale or 0} AND abs({_column(item)}) < {whole}"


_KINDS: dict[str, Callable[[Statement], str]] = {
    "length": _length,
    "pattern": lambda s: _matches(str(s.item.pattern))(s),
    "range": _range,
    "code": lambda s: _among(s.item, list(s.known_codes())),
    "resident_id": _resident_id,
    "credit_code": _credit_code,
    "organisation_code": _calls("tongban_organisation_code"),
    "registration_no": _calls("tongban_registration_no"),
    "real_estate_unit": _matches(SHAPES["real_estate_unit"]),
    "certificate_no": _calls("tongban_certificate_no"),
    "licence_id": _calls("tongban_licence_id"),
    "phone": _matches(SHAPES["phone"]),
    "month": _month,
    "not_future": _not_future,
    "compare": _compare,
    "sum": _sum,
    "product": _product,
    "ratio_between": _ratio_between,
    "required_when": lambda s: f"NOT ({_when(s)}) OR {_column(s.item)} IS NOT NULL",
    "absent_when": lambda s: f"NOT ({_when(s)}) OR {_column(s.item)} IS NULL",
    "one_of_required": _one_of_required,
    "id_by_type": _id_by_type,
    "in": _in,
    "expression": lambda s: str(s.given.get("sql")),
}
KINDS = frozenset(_KINDS) | {"required", "type"}
