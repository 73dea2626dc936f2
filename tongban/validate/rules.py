"""Rules: each kind of the closed vocabulary compiled to a Polars expression or a column check.

Both say where a row *breaks* the rule: true broken, false kept, null where the rule does not
apply, which is the case wherever one of its fields is missing. Only the rules about presence
look at missing values; so one missing value is one finding.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import columns_of, local_days
from tongban.kernel.contracts import Contract, Field, Rule
from tongban.kernel.records import BEIJING
from tongban.kernel.yamlfile import suggestion
from tongban.validate.identifier_rules import IDENTIFIER_KINDS, Broken
from tongban.validate.parameters import NUMERIC, TEXTS, TIMES, Parameters

CLOCK_SKEW = timedelta(minutes=5)  # departments' clocks are not ours
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def compile_rule(rule: Rule, contract: Contract, codes: CodeTables) -> Broken:
    """Compile one explicit rule.

    Raises:
        ConfigInvalid: A parameter is missing, unknown or of the wrong kind; names contract and
            rule, what was expected and a suggestion.
    """
    broken = _KINDS[rule.kind](Parameters(contract, rule, codes))
    if isinstance(broken, pl.Expr):
        _try_out(broken, Parameters(contract, rule, codes))
    return broken


def _try_out(broken: pl.Expr, given: Parameters) -> None:
    """Run an expression over no rows, so that wrong types are found now and not in a batch."""
    empty = pl.DataFrame(schema=columns_of(given.contract))
    try:
        result = empty.select(broken.alias("broken"))
    except pl.exceptions.PolarsError:
        given.refuse("does not fit the types of its fields")
    if result.schema["broken"] != pl.Boolean:
        given.refuse("is no condition; it must be true or false")


def _not_future(given: Parameters) -> Broken:
    """A day not after today in Beijing, a moment not more than some minutes ahead."""
    given.only("field")
    item = given.field()
    if item.type not in TIMES:
        given.refuse(f'needs a date or a time, but the field "{item.name}" is {item.type}')

    def check(frame: pl.DataFrame, now: datetime) -> pl.Series:
        if item.type == "date":
            return frame[item.name] > now.astimezone(BEIJING).date()
        return frame[item.name] > now.astimezone(BEIJING) + CLOCK_SKEW

    return check


def _compare(given: Parameters) -> Broken:
    """Two fields, or a field and a literal; numbers with a tolerance."""
    given.only("field", "left", "right", "value", "op", "tolerance")
    left = given.field("left" if "left" in given.rule.params else "field")
    op = str(given.get("op"))
    if op not in _COMPARISONS:
        given.refuse(f'does not know the comparison "{op}"{suggestion(op, _COMPARISONS)}')
    if given.rule.params.get("right") is None:
        return ~_compared(op, pl.col(left.name), pl.lit(given.literal(left, given.get("value"))))
    right = given.field("right")
    kinds = {left.type, right.type}
    if kinds == TIMES:
        return _compare_days(op, left, right)
    if len(kinds) > 1 and not kinds <= NUMERIC and not kinds <= TEXTS:
        given.refuse(f"cannot compare {left.type} with {right.type}")
    if given.rule.params.get("tolerance") is None:
        return ~_compared(op, pl.col(left.name), pl.col(right.name))
    return ~_within(op, given.numeric(left), given.numeric(right), given.number("tolerance"))


def _compared(op: str, left: pl.Expr, right: pl.Expr | Decimal) -> pl.Expr:
    """Where the comparison holds."""
    found: pl.Expr = _COMPARISONS[op](left, right)
    return found


def _compare_days(op: str, left: Field, right: Field) -> Broken:
    """A day and a moment: the moment counts as its day in Beijing."""

    def check(frame: pl.DataFrame, _: datetime) -> pl.Series:
        ours, theirs = (
            local_days(frame[item.name]) if item.type == "datetime" else frame[item.name]
            for item in (left, right)
        )
        broken: pl.Series = ~_COMPARISONS[op](ours, theirs)
        return broken

    return check


def _within(op: str, left: pl.Expr, right: pl.Expr, tolerance: Decimal) -> pl.Expr:
    """A comparison of numbers that forgives a difference of `tolerance`."""
    difference = left - right
    match op:
        case "<" | "<=":
            return _compared(op, difference, tolerance)
        case ">" | ">=":
            return _compared(op, difference, -tolerance)
        case "==":
            return difference.abs() <= tolerance
        case _:
            return difference.abs() > tolerance


def _sum(given: Parameters) -> Broken:
    """A total and its parts; a missing part makes the rule not apply."""
    given.only("total", "parts", "tolerance")
    total = given.numeric(given.field("total"))
    parts = [given.numeric(given.contract.field(str(name))) for name in given.get("parts")]
    added = parts[0]
    for part in parts[1:]:
        added += part
    return ~_within("==", total, added, given.number("tolerance", "0"))


def _product(given: Parameters) -> Broken:
    """A product of two fields and the field that states it."""
    given.only("result", "factors", "tolerance")
    result = given.numeric(given.field("result"))
    fields = [given.contract.field(str(name)) for name in given.get("factors")]
    if len(fields) != 2:  # noqa: PLR2004 - as HUB's vocabulary has it
        given.refuse("needs exactly two factors")
    if sum(item.precision or 18 for item in fields) > 38:  # noqa: PLR2004 - Decimal's digits
        given.refuse("has factors that may overflow 38 digits; lower their precision")
    first, second = (given.numeric(item).cast(_wide(fields)) for item in fields)
    return ~_within("==", result, first * second, given.number("tolerance", "0"))


def _wide(fields: list[Field]) -> pl.DataType:
    """A decimal type in which the product of the fields is exact (Polars keeps the wider scale)."""
    return pl.Decimal(38, sum(item.scale or 0 for item in fields))


def _ratio_between(given: Parameters) -> Broken:
    """A quotient inside bounds, without dividing; a denominator of zero or less does not apply."""
    given.only("numerator", "denominator", "minimum", "maximum")
    top = given.numeric(given.field("numerator")).cast(pl.Float64)
    bottom = given.numeric(given.field("denominator")).cast(pl.Float64)
    low, high = (float(given.number(name)) for name in ("minimum", "maximum"))
    outside = (top < bottom * low) | (top > bottom * high)
    return pl.when(bottom > 0).then(outside)


def _when(given: Parameters) -> pl.Expr:
    """The condition of a conditional rule: every named field has one of its values."""
    conditions = given.get("when")
    if not isinstance(conditions, dict) or not conditions:
        given.refuse('needs "when" as {field: [values]}')
    every: list[pl.Expr] = []
    for name, listed in conditions.items():
        item = given.contract.field(str(name))
        every.append(pl.col(item.name).is_in(given.values(item, listed)))
    return pl.all_horizontal(every)


def _required_when(given: Parameters) -> Broken:
    """Present wherever the condition holds."""
    given.only("field", "when")
    return pl.when(_when(given)).then(pl.col(given.field().name).is_null())


def _absent_when(given: Parameters) -> Broken:
    """Missing wherever the condition holds."""
    given.only("field", "when")
    return pl.when(_when(given)).then(pl.col(given.field().name).is_not_null())


def _one_of_required(given: Parameters) -> Broken:
    """At least one of the fields is present."""
    given.only("field", "fields")
    names = [str(name) for name in given.get("fields")]
    return pl.all_horizontal(pl.col(name).is_null() for name in names)


def _in(given: Parameters) -> Broken:
    """One of the listed values."""
    given.only("field", "values")
    item = given.field()
    return ~pl.col(item.name).is_in(given.values(item, given.get("values")))


def _expression(given: Parameters) -> Broken:
    """A condition in SQL over the row's own fields; what it leaves unknown passes."""
    given.only("field", "sql")
    try:
        condition = pl.sql_expr(str(given.get("sql")))
        used = condition.meta.root_names()
    except pl.exceptions.PolarsError:
        given.refuse("has SQL that is not understood; only conditions over this row are")
    for name in used:
        if name not in given.contract.by_name:
            hint = suggestion(name, given.contract.by_name)
            given.refuse(f'names the field "{name}"{hint}')
    return ~condition


_KINDS: dict[str, Callable[[Parameters], Broken]] = {
    **IDENTIFIER_KINDS,
    "not_future": _not_future,
    "compare": _compare,
    "sum": _sum,
    "product": _product,
    "ratio_between": _ratio_between,
    "required_when": _required_when,
    "absent_when": _absent_when,
    "one_of_required": _one_of_required,
    "in": _in,
    "expression": _expression,
}
KINDS = frozenset(_KINDS)
