"""Contract rules: the explicit rules of a contract, read from its `quality` entries.

The vocabulary is closed: a new kind is code and tests, never YAML alone. What only several
datasets together can show is read by `tongban.kernel.cross_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tongban.kernel.yamlfile import Where, YamlFile, suggestion

Severity = Literal["error", "warning"]
DIMENSIONS = (
    "accuracy",
    "completeness",
    "conformity",
    "consistency",
    "coverage",
    "timeliness",
    "uniqueness",
)
CROSS_KINDS = frozenset({"agrees_with", "among", "at_most_one", "parts_sum"})
"""Kinds that read other datasets as well."""
RULE_KINDS = frozenset(
    {
        "resident_id",
        "credit_code",
        "organisation_code",
        "registration_no",
        "real_estate_unit",
        "certificate_no",
        "licence_id",
        "phone",
        "month",
        "not_future",
        "compare",
        "sum",
        "product",
        "ratio_between",
        "required_when",
        "absent_when",
        "one_of_required",
        "id_by_type",
        "in",
        "expression",
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One explicit rule; rules that follow from a property have no Rule of their own."""

    id: str
    kind: str
    fields: tuple[str, ...]
    params: dict[str, Any]
    severity: Severity
    dimension: str
    description: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One `quality` entry: where it stands, and what it says.

    Attributes:
        own: The property that it stands under, or None below the schema.
    """

    where: Where
    quality: dict[str, Any]
    body: dict[str, Any]
    kind: str
    id: str
    own: str | None
    severity: Severity
    dimension: str

    @property
    def description(self) -> str:
        """What people read."""
        return str(self.quality.get("description") or self.kind)


def read_rules(file: YamlFile, schema: dict[str, Any], names: set[str]) -> tuple[Rule, ...]:
    """Rules that read one row, ids unique over all rules, fields existing.

    Raises:
        ConfigInvalid: With file:line and a suggestion.
    """
    found: list[Rule] = []
    seen: dict[str, Where] = {}
    for entry in entries(file, schema):
        if entry.id in seen:
            other = file.at(seen[entry.id])  # lines cost 10 ms a file, so only to refuse it
            text = f'two rules have the id "{entry.id}", the other one in {other}; rename one'
            file.fail(entry.where, text)
        seen[entry.id] = entry.where
        if entry.kind in RULE_KINDS:
            found.append(_rule(file, entry, names))
    return tuple(found)


def entries(file: YamlFile, schema: dict[str, Any]) -> Iterator[Entry]:
    """Every `quality` entry of all properties and of the schema, in file order."""
    for i, item in enumerate(schema.get("properties") or []):
        for j, quality in enumerate(item.get("quality") or []):
            where = ("schema", 0, "properties", i, "quality", j)
            yield _entry(file, where, quality, str(item["name"]))
    for j, quality in enumerate(schema.get("quality") or []):
        yield _entry(file, ("schema", 0, "quality", j), quality, None)


def _entry(file: YamlFile, where: Where, quality: dict[str, Any], own: str | None) -> Entry:
    """One entry of our engine, its words checked."""
    body = quality.get("implementation")
    if quality.get("engine") != "tongban" or not isinstance(body, dict):
        file.fail(where, "expected a quality entry with engine: tongban and an implementation")
    place = (*where, "implementation")
    if "rule" not in body:
        file.fail(place, 'the key "rule" is missing; name the kind of rule')
    kind = str(body["rule"])
    known = RULE_KINDS | CROSS_KINDS
    if kind not in known:
        file.fail((*place, "rule"), f'unknown rule "{kind}"{suggestion(kind, known)}')
    severity = quality.get("severity", "error")
    if severity not in {"error", "warning"}:
        file.fail((*where, "severity"), 'severity is "error" or "warning"')
    dimension = str(quality.get("dimension", "conformity"))
    if dimension not in DIMENSIONS:
        hint = suggestion(dimension, DIMENSIONS)
        file.fail((*where, "dimension"), f'unknown dimension "{dimension}"{hint}')
    name = quality.get("id") or quality.get("name") or file.fail(where, "a rule has no id")
    return Entry(where, quality, body, kind, str(name), own, severity, dimension)


def _rule(file: YamlFile, entry: Entry, names: set[str]) -> Rule:
    """One entry as a Rule."""
    params = {name: value for name, value in entry.body.items() if name != "rule"}
    if entry.own is not None and "field" not in params:
        params["field"] = entry.own
    used = tuple(dict.fromkeys(_fields_of(params)))
    for name in used:
        if name not in names:
            place = (*entry.where, "implementation")
            file.fail(place, f'the rule names the field "{name}"{suggestion(name, names)}')
    return Rule(
        id=entry.id,
        kind=entry.kind,
        fields=used,
        params=params,
        severity=entry.severity,
        dimension=entry.dimension,
        description=entry.description,
    )


_FIELD_PARAMS = ("field", "left", "right", "total", "result", "numerator", "denominator")
_FIELD_LIST_PARAMS = ("fields", "parts", "factors")


def _fields_of(params: dict[str, Any]) -> list[str]:
    """Every field name that a rule's parameters mention, in order."""
    found = [str(params[name]) for name in _FIELD_PARAMS if params.get(name) is not None]
    for name in _FIELD_LIST_PARAMS:
        found += [str(item) for item in params.get(name) or []]
    when = params.get("when") or {}
    found += [str(item) for item in when]
    found += [str(params[name]) for name in ("number", "type") if params.get(name) is not None]
    return found
