"""Native checks: which expectations PostgreSQL itself can answer, as a second opinion.

Only columns that are not classified, and only rules that follow from a field's properties: not
null, in the code table, between bounds. Nothing of our validator takes part in counting them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.records import BEIJING


@dataclass(frozen=True, slots=True)
class NativeCheck:
    """One expectation on one column, and the rule whose count it must give."""

    rule: str
    column: str
    expectation: str
    parameters: dict[str, Any] = field(default_factory=dict)


def native_checks(contract: Contract, codes: CodeTables) -> list[NativeCheck]:
    """Every native check of a contract, in the order of its fields."""
    found: list[NativeCheck] = []
    for item in contract.fields:
        if item.is_classified:
            continue
        if item.required:
            found.append(_check(item, "required", "ExpectColumnValuesToNotBeNull"))
        if item.code_table is not None:
            known = sorted(codes.known(item.code_table))
            found.append(_check(item, "code", "ExpectColumnValuesToBeInSet", value_set=known))
        if item.minimum is not None or item.maximum is not None:
            bounds = {
                "min_value": _bound(item, item.minimum),
                "max_value": _bound(item, item.maximum),
            }
            found.append(_check(item, "range", "ExpectColumnValuesToBeBetween", **bounds))
    return found


def _check(item: Field, kind: str, expectation: str, **parameters: Any) -> NativeCheck:
    return NativeCheck(f"{item.name}.{kind}", item.name, expectation, parameters)


def _bound(item: Field, bound: Decimal | date | None) -> float | int | date | datetime | None:
    """A bound in a type that Great Expectations takes."""
    if isinstance(bound, Decimal):
        return int(bound) if bound == bound.to_integral_value() else float(bound)
    if bound is not None and item.type == "datetime":
        return datetime.combine(bound, time(), tzinfo=BEIJING)
    return bound
