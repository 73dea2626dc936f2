"""Facets: what XML Schema 1.0 itself can say about one field's value.

Patterns of one restriction step are alternatives in XML Schema, so every rule gets a step of its
own. The patterns of a contract's dialect are anchored; XML Schema's always are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lxml import etree

from tongban.kernel.contracts import Field
from tongban.targets.shapes import DATE, MOMENT, MONTH_TEXT, SHAPES, WHOLE, decimal_pattern
from tongban.targets.statements import Statement, written

XS = "{http://www.w3.org/2001/XMLSchema}"
_BASES = {
    "integer": ("long", "^[+-]?[0-9]+$"),
    "date": ("date", DATE),
    "datetime": ("dateTime", MOMENT),
    "boolean": ("boolean", "^(?:true|false)$"),
    "month": ("string", MONTH_TEXT),
}
_FACETS = frozenset({"length", "pattern", "range", "code"})
Facet = tuple[str, str]


def facet_kinds(statement: Statement) -> bool:
    """Whether facets, or the element's own declaration, say all of a rule."""
    if statement.field is not None:
        return statement.kind != "range" or statement.item.type != "datetime"
    if not statement.is_enforced:
        return False
    if statement.kind == "in":
        return statement.item.type in {"string", "month"}
    return statement.kind in WHOLE or statement.kind == "certificate_no"


def xsd_pattern(pattern: str) -> str:
    """A pattern of the contract's dialect in that of XML Schema."""
    text = pattern.removeprefix("^").removesuffix("$").replace("(?:", "(")
    return text.replace(r"\/", "/").replace(r"\$", "$")


def field_type(item: Field, statements: Iterable[Statement]) -> etree._Element:
    """The simple type of a field: one restriction step for each thing that is said of it."""
    base, pattern = _BASES.get(item.type, ("string", ""))
    if item.type == "decimal":
        base, pattern = "decimal", decimal_pattern(item.precision or 18, item.scale or 0)
    steps: list[list[Facet]] = [[("pattern", xsd_pattern(pattern))]] if pattern else []
    for statement in statements:
        if statement.is_enforced:
            steps += _steps(statement, item)
    made: etree._Element | None = None
    for step in steps or [[]]:
        made = restricted(made, base, step)
    assert made is not None  # noqa: S101 - at least one step
    return made


def restricted(inner: etree._Element | None, base: str, facets: list[Facet]) -> etree._Element:
    """One restriction step over a built-in type or over another step."""
    kind = etree.Element(f"{XS}simpleType")
    restriction = etree.SubElement(kind, f"{XS}restriction")
    if inner is None:
        restriction.set("base", f"xs:{base}")
    else:
        restriction.append(inner)
    for name, value in facets:
        etree.SubElement(restriction, f"{XS}{name}", value=value)
    return kind


def _steps(s: Statement, item: Field) -> list[list[Facet]]:
    """Facets of one rule, if it is about this field alone."""
    if s.field is not None:
        is_said = s.kind in _FACETS and s.item is item and facet_kinds(s)
        return [_property_facets(s)] if is_said else []
    if s.kind in SHAPES and s.item is item and s.given.rule.params.get("areas") is None:
        return [[("pattern", xsd_pattern(SHAPES[s.kind]))]]
    if s.kind == "in" and s.item is item and item.type in {"string", "month"}:
        values: list[Any] = s.given.values(item, s.given.get("values"))
        return [[("enumeration", str(value)) for value in values]]
    return []


def _property_facets(s: Statement) -> list[Facet]:
    item = s.item
    if s.kind == "pattern":
        return [("pattern", xsd_pattern(str(item.pattern)))]
    if s.kind == "code":
        return [("enumeration", code) for code in s.known_codes()]
    if s.kind == "length":
        bounds: dict[str, Any] = {"minLength": item.min_length, "maxLength": item.max_length}
        return [(name, str(bound)) for name, bound in bounds.items() if bound is not None]
    edges = {"minInclusive": item.minimum, "maxInclusive": item.maximum}
    return [(name, written(edge)) for name, edge in edges.items() if edge is not None]
