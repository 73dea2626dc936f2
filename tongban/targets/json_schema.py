"""JSON Schema 2020-12: a contract's records as JSON, closed, with decimals as text.

What the standard has words for is said in them: types, required, lengths, patterns, codes, ranges
of whole numbers, conditional presence. Check characters, arithmetic and dates stand under the
declared keyword of `tongban.targets.vocabulary`; `$comment` lists those rules, so that nobody
takes a foreign validator's yes for more than it is. Warnings are listed and not asserted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.records import BEIJING
from tongban.targets.shapes import DATE, MOMENT, MONTH_TEXT, SHAPES, WHOLE, decimal_pattern
from tongban.targets.statements import Gap, Statement, statements_of, written
from tongban.targets.vocabulary import KEYWORD, URI, Record, evaluate

DRAFT = "https://json-schema.org/draft/2020-12/schema"
META = "urn:tongban:meta-schema:1"
_STANDARD = ("core", "applicator", "unevaluated", "validation", "meta-data", "format-annotation")
_TYPES = "tongbanTypes"
_SHARED = frozenset({"string", "month", "integer", "boolean", "date"})
"""Types whose values have one way to be written, so that an enum compares values."""


@dataclass(frozen=True, slots=True)
class JsonTarget:
    """A contract as JSON Schema.

    Attributes:
        schema: The schema of one record.
        gaps: Rules that only a validator of the vocabulary checks in full.
    """

    schema: dict[str, Any] = field(repr=False)
    gaps: tuple[Gap, ...]

    @property
    def text(self) -> str:
        """The schema as a file."""
        return json.dumps(self.schema, ensure_ascii=False, indent=2) + "\n"


def meta_schema() -> dict[str, Any]:
    """The dialect: 2020-12 and the vocabulary of the rules, which a validator may ignore."""
    base = "https://json-schema.org/draft/2020-12/"
    return {
        "$schema": DRAFT,
        "$id": META,
        "$vocabulary": {
            **{f"{base}vocab/{name}": True for name in _STANDARD},
            f"{base}vocab/content": True,
            URI: False,
        },
        "$dynamicAnchor": "meta",
        "allOf": [{"$ref": DRAFT}],
        "properties": {
            KEYWORD: {
                "description": "Contract rules: id, severity, kind and parameters",
                "type": "array",
                "items": {"type": "object", "required": ["id", "rule", "severity"]},
            },
            _TYPES: {"description": "Field to contract type", "type": "object"},
        },
    }


def compile_json_schema(contract: Contract, codes: CodeTables) -> JsonTarget:
    """Compile a contract to the schema of one record.

    Raises:
        ConfigInvalid: As `compile_contract`.
    """
    statements = statements_of(contract, codes)
    ours = [body for s in statements if (body := _in_vocabulary(s)) is not None]
    enforced = [body for body in ours if body["severity"] == "error"]
    schema: dict[str, Any] = {
        "$schema": DRAFT,
        "$id": f"urn:tongban:contract:{contract.dataset}:{contract.version}",
        "title": contract.label,
        "description": contract.description.get("purpose", ""),
        "$comment": (
            f"Rules that only a validator of {URI} checks in full: "
            + (", ".join(body["id"] for body in ours) or "none")
        ),
        "type": "object",
        "properties": {item.name: _property(item, statements) for item in contract.fields},
        "required": [item.name for item in contract.fields if item.required],
        "additionalProperties": False,
        "allOf": [part for s in statements if (part := _conditional(s)) is not None],
        _TYPES: {item.name: item.type for item in contract.fields},
        KEYWORD: ours,
    }
    if not schema["allOf"]:
        del schema["allOf"]
    gaps = tuple(
        Gap(body["id"], "a foreign validator checks its shape at most") for body in enforced
    )
    return JsonTarget(schema, gaps)


def _property(item: Field, statements: tuple[Statement, ...]) -> dict[str, Any]:
    """One field: its type, and what the standard can say about its values."""
    found: dict[str, Any] = {"title": item.label, **_type_of(item)}
    if not item.required:
        found["type"] = [found["type"], "null"]
    parts: list[dict[str, Any]] = []
    for statement in statements:
        if statement.is_enforced and statement.kind not in {"required", "type"}:
            parts += _said(statement, item)
    listed = [part for part in parts if "enum" in part]
    for part in listed if not item.required else []:
        part["enum"].append(None)
    for part in parts:
        if not found.keys() & part.keys():
            found |= part
        else:
            found.setdefault("allOf", []).append(part)
    return found


def _type_of(item: Field) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "integer": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        "boolean": {"type": "boolean"},
        "decimal": {
            "type": "string",
            "pattern": decimal_pattern(item.precision or 18, item.scale or 0),
            "format": "decimal",
        },
        "date": {"type": "string", "format": "date", "pattern": DATE},
        "datetime": {"type": "string", "format": "date-time", "pattern": MOMENT},
        "month": {"type": "string", "pattern": MONTH_TEXT},
    }
    return kinds.get(item.type, {"type": "string"})


def _said(s: Statement, item: Field) -> list[dict[str, Any]]:
    """What the standard's own keywords say of a rule about this one field."""
    if s.kind in {"length", "pattern", "range", "code"}:
        return _property_rule(s) if s.item is item else []
    if s.kind in SHAPES and s.item is item and s.given.rule.params.get("areas") is None:
        return [{"pattern": SHAPES[s.kind]}]
    if s.kind == "in" and s.item is item and item.type in _SHARED:
        values = s.given.values(item, s.given.get("values"))
        return [{"enum": [_json(value) for value in values]}]
    return []


def _property_rule(s: Statement) -> list[dict[str, Any]]:
    item = s.item
    if s.kind == "length":
        bounds: dict[str, Any] = {"minLength": item.min_length, "maxLength": item.max_length}
    elif s.kind == "pattern":
        return [{"pattern": item.pattern}]
    elif s.kind == "code":
        return [{"enum": list(s.known_codes())}]
    elif item.type == "integer":
        bounds = {
            "minimum": None if item.minimum is None else _number(item.minimum),
            "maximum": None if item.maximum is None else _number(item.maximum),
        }
    else:
        return []
    return [{name: bound for name, bound in bounds.items() if bound is not None}]


def _number(value: Any) -> int | float:
    return int(value) if value == int(value) else float(value)


def _json(value: Any) -> Any:
    return value if isinstance(value, bool | int | str) else written(value)


def _conditional(s: Statement) -> dict[str, Any] | None:
    """Conditional presence in the standard's words."""
    if not s.is_enforced:
        return None
    present = {"not": {"type": "null"}}
    if s.kind == "one_of_required":
        names = [item.name for item in s.listed("fields")]
        return {"anyOf": [{"required": [n], "properties": {n: present}} for n in names]}
    if s.kind not in {"required_when", "absent_when"} or not _is_shared(s):
        return None
    conditions = {
        item.name: {"enum": [_json(value) for value in values]} for item, values in s.conditions()
    }
    then: dict[str, Any] = {"properties": {s.item.name: {"type": "null"}}}
    if s.kind == "required_when":
        then = {"required": [s.item.name], "properties": {s.item.name: present}}
    return {"if": {"properties": conditions, "required": list(conditions)}, "then": then}


def _is_shared(s: Statement) -> bool:
    return all(item.type in _SHARED for item, _ in s.conditions())


def _in_vocabulary(s: Statement) -> dict[str, Any] | None:
    """A rule for the keyword, or None when the standard's words say all of it."""
    if s.field is not None:
        if s.kind == "type" and s.item.type in {"date", "datetime"}:
            return {"id": s.id, "rule": "type", "severity": s.severity, "field": s.item.name}
        if s.kind == "range" and s.item.type != "integer":
            bounds = {"minimum": s.item.minimum, "maximum": s.item.maximum}
            said = {name: _bound(s.item, b) for name, b in bounds.items() if b is not None}
            head = {"id": s.id, "rule": "range", "severity": s.severity}
            return {**head, "field": s.item.name, **said}
        return None
    if s.is_enforced and _is_native(s):
        return None
    params = {name: _plain(value) for name, value in s.given.rule.params.items()}
    if s.kind == "resident_id" and params.get("areas") is not None:
        params["areas"] = sorted(s.codes.known(str(params["areas"])))
    return {"id": s.id, "rule": s.kind, "severity": s.severity, **params}


def _is_native(s: Statement) -> bool:
    if s.kind in WHOLE or s.kind == "one_of_required":
        return True
    if s.kind == "in":
        return s.item.type in _SHARED
    return s.kind in {"required_when", "absent_when"} and _is_shared(s)


def _bound(item: Field, bound: Decimal | date) -> str:
    if item.type == "datetime":
        return f"{bound.isoformat()}T00:00:00+08:00" if isinstance(bound, date) else str(bound)
    return written(bound)


def _plain(value: Any) -> Any:
    """A parameter as JSON: numbers that are compared exactly become text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) else _json(value)


def validator(schema: dict[str, Any], *, now: datetime | None = None) -> Any:
    """A validator of 2020-12 that knows the vocabulary; each error carries the rule's id.

    Args:
        schema: From `compile_json_schema`, or anything that refers to such schemas.
        now: The moment against which "not in the future" is meant; now by default.

    Returns:
        A validator of `jsonschema`; `error.validator == KEYWORD` marks the vocabulary's errors,
        whose `error.validator_value` is the rule's id. No message of these quotes a value.
    """
    import jsonschema

    moment = now or datetime.now(BEIJING)

    def rules(_: Any, listed: Any, instance: Any, whole: Any) -> Iterator[Any]:
        if not isinstance(instance, dict):
            return
        record = Record(instance, whole[_TYPES], moment)
        for rule in listed:
            if rule["severity"] == "error" and evaluate(rule, record) is False:
                error = jsonschema.ValidationError(f"the rule {rule['id']} is broken")
                error.validator_value = rule["id"]
                yield error

    kind = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, {KEYWORD: rules, "pattern": _pattern}
    )
    return kind(schema, format_checker=jsonschema.FormatChecker(["date"]))


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    """As ECMAScript means it: Python's `$` also stands before a last line feed."""
    import jsonschema

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield jsonschema.ValidationError("the text does not match its pattern")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)
