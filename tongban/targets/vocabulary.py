"""Vocabulary: the rules that JSON Schema has no words for, under one declared keyword.

`tongbanRules` lists contract rules in the contract's own words (kind and parameters). A validator
that does not know the vocabulary still checks all that stands beside it; `evaluate` is what ours
does with the keyword, on one record in its exchange form. It is written from the scalar references
of `tongban.kernel.identifiers` and so shares no code with the row rules over columns.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tongban.kernel import identifiers as known
from tongban.kernel.certificates import certificate_is_canonical
from tongban.kernel.records import BEIJING
from tongban.targets.shapes import DATE, MOMENT, SHAPES

URI = "urn:tongban:vocabulary:rules:1"
KEYWORD = "tongbanRules"

_SKEW = timedelta(minutes=5)  # as the row rules have it
_OTHER_ID = range(3, 31)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
Params = Mapping[str, Any]
Kept = bool | None


class Record:
    """One record's values, read by the types that the schema declares."""

    def __init__(self, values: Mapping[str, Any], types: Mapping[str, str], now: datetime) -> None:
        self._values = values
        self._types = types
        self.now = now.astimezone(BEIJING)

    def has(self, name: Any) -> bool:
        """Whether a value is there."""
        return self._values.get(str(name)) is not None

    def read(self, name: Any) -> Any:
        """A value in its type; None where it is missing or cannot be read."""
        value = self._values.get(str(name))
        return None if value is None else read(value, self._types[str(name)])

    def literal(self, name: Any, value: Any) -> Any:
        """A literal of the schema in a field's type; its numbers may be JSON's own."""
        kind = self._types[str(name)]
        if kind in {"integer", "decimal"}:
            return Decimal(str(value))
        return read(value, kind)

    def type_of(self, name: Any) -> str:
        """The declared type of a field."""
        return self._types[str(name)]


def read(value: Any, kind: str) -> Any:
    """A value of the exchange form in its type, or None when it is not of that form."""
    match kind:
        case "integer":
            return Decimal(value) if isinstance(value, int) and value is not True else None
        case "decimal":
            return _decimal(value)
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _day(value)
        case "datetime":
            return _moment(value)
        case _:
            return value if isinstance(value, str) else None


def _decimal(value: Any) -> Decimal | None:
    try:
        return Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None


def _day(value: Any) -> date | None:
    if not isinstance(value, str) or re.search(DATE.replace("$", r"\Z"), value) is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or re.search(MOMENT.removesuffix("$") + r"\Z", value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def evaluate(rule: Params, record: Record) -> Kept:
    """Whether a record keeps a rule; None where the rule does not apply."""
    return _KINDS[str(rule["rule"])](rule, record)


def _text(check: Callable[[str, Params, Record], Kept]) -> Callable[[Params, Record], Kept]:
    """A rule about one text."""

    def run(rule: Params, record: Record) -> Kept:
        value = record.read(rule["field"])
        return None if value is None else check(value, rule, record)

    return run


def _shaped(kind: str, text: str) -> bool:
    return re.search(SHAPES[kind].removesuffix("$") + r"\Z", text) is not None


def _resident(text: str, rule: Params, record: Record) -> Kept:
    if rule.get("areas") is not None:
        return text[:6] in rule["areas"]
    return known.resident_id_is_valid(text, today=record.now.date())


def _credit(text: str, rule: Params, _: Record) -> Kept:
    found, part = known.credit_code(text), rule.get("part", "both")
    return found.shape and (part == "inner" or found.outer) and (part == "outer" or found.inner)


def _month(text: str, _: Params, record: Record) -> Kept:
    return _shaped("month", text) and text <= record.now.strftime("%Y-%m")


def _type(rule: Params, record: Record) -> Kept:
    return record.read(rule["field"]) is not None if record.has(rule["field"]) else None


def _range(rule: Params, record: Record) -> Kept:
    value = record.read(rule["field"])
    if value is None:
        return None
    bounds = [
        (op, record.literal(rule["field"], rule[name]))
        for op, name in ((operator.ge, "minimum"), (operator.le, "maximum"))
        if rule.get(name) is not None
    ]
    return all(op(value, bound) for op, bound in bounds)


def _not_future(rule: Params, record: Record) -> Kept:
    value = record.read(rule["field"])
    if value is None:
        return None
    if isinstance(value, datetime):
        return value <= record.now + _SKEW
    return bool(value <= record.now.date())


def _compare(rule: Params, record: Record) -> Kept:
    left = rule.get("left") or rule["field"]
    ours = record.read(left)
    right = rule.get("right")
    theirs = record.literal(left, rule["value"]) if right is None else record.read(right)
    if ours is None or theirs is None:
        return None
    if rule.get("tolerance") is not None:
        return _within(str(rule["op"]), ours - theirs, Decimal(str(rule["tolerance"])))
    if right is not None and {record.type_of(left), record.type_of(right)} == {"date", "datetime"}:
        ours, theirs = _as_day(ours), _as_day(theirs)
    return _OPERATORS[str(rule["op"])](ours, theirs)


def _as_day(value: date | datetime) -> date:
    return value.astimezone(BEIJING).date() if isinstance(value, datetime) else value


def _within(op: str, difference: Decimal, tolerance: Decimal) -> bool:
    if op in {"==", "!="}:
        return (abs(difference) <= tolerance) == (op == "==")
    return _OPERATORS[op](difference, tolerance if op.startswith("<") else -tolerance)


def _numbers(record: Record, names: Any) -> list[Any] | None:
    values = [record.read(name) for name in names]
    return None if None in values else values


def _sum(rule: Params, record: Record) -> Kept:
    values = _numbers(record, [rule["total"], *rule["parts"]])
    if values is None:
        return None
    return _within("==", values[0] - sum(values[1:]), Decimal(str(rule.get("tolerance", "0"))))


def _product(rule: Params, record: Record) -> Kept:
    values = _numbers(record, [rule["result"], *rule["factors"]])
    if values is None:
        return None
    return _within("==", values[0] - values[1] * values[2], Decimal(str(rule.get("tolerance", 0))))


def _ratio(rule: Params, record: Record) -> Kept:
    values = _numbers(record, [rule["numerator"], rule["denominator"]])
    if values is None or values[1] <= 0:
        return None
    top, bottom = (float(value) for value in values)
    return bottom * float(rule["minimum"]) <= top <= bottom * float(rule["maximum"])


def _applies(rule: Params, record: Record) -> bool:
    return all(
        record.read(name) in [record.literal(name, value) for value in values]
        for name, values in rule["when"].items()
    )


def _required_when(rule: Params, record: Record) -> Kept:
    return record.has(rule["field"]) if _applies(rule, record) else None


def _absent_when(rule: Params, record: Record) -> Kept:
    return not record.has(rule["field"]) if _applies(rule, record) else None


def _id_by_type(rule: Params, record: Record) -> Kept:
    number, kind = record.read(rule["number"]), record.read(rule["type"])
    if number is None or kind is None:
        return None
    if kind in (rule.get("credit") or []):
        return known.credit_code(number).is_valid
    if kind in (rule.get("resident") or []):
        return known.resident_id_is_valid(number, today=record.now.date())
    return len(number) in _OTHER_ID


def _in(rule: Params, record: Record) -> Kept:
    value = record.read(rule["field"])
    if value is None:
        return None
    return value in [record.literal(rule["field"], item) for item in rule["values"]]


def _expression(rule: Params, record: Record) -> Kept:
    """The same SQL, over the fields that it names, as a frame of one row."""
    import polars as pl

    condition = pl.sql_expr(str(rule["sql"]))
    columns = {
        name: pl.Series([record.read(name)], dtype=_DTYPES.get(record.type_of(name)), strict=False)
        for name in condition.meta.root_names()
    }
    result = pl.DataFrame(columns).select(condition).item()
    return None if result is None else bool(result)


def _dtypes() -> dict[str, Any]:
    import polars as pl

    return {
        "string": pl.String(),
        "month": pl.String(),
        "integer": pl.Int64(),
        "decimal": pl.Decimal(38, 6),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us", "Asia/Shanghai"),
    }


_DTYPES = _dtypes()
_KINDS: dict[str, Callable[[Params, Record], Kept]] = {
    "type": _type,
    "range": _range,
    "resident_id": _text(_resident),
    "credit_code": _text(_credit),
    "organisation_code": _text(lambda text, *_: known.organisation_code_is_valid(text)),
    "registration_no": _text(lambda text, *_: known.registration_no_is_valid(text)),
    "real_estate_unit": _text(lambda text, *_: known.real_estate_unit_is_valid(text)),
    "certificate_no": _text(lambda text, *_: certificate_is_canonical(text)),
    "licence_id": _text(lambda text, *_: known.licence_id_is_valid(text)),
    "phone": _text(lambda text, *_: _shaped("phone", text)),
    "month": _text(_month),
    "not_future": _not_future,
    "compare": _compare,
    "sum": _sum,
    "product": _product,
    "ratio_between": _ratio,
    "required_when": _required_when,
    "absent_when": _absent_when,
    "one_of_required": lambda rule, record: any(record.has(n) for n in rule["fields"]),
    "id_by_type": _id_by_type,
    "in": _in,
    "expression": _expression,
}
KINDS = frozenset(_KINDS)
