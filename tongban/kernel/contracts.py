"""Contracts: the agreement between departments, read from ODCS 3.2 YAML into plain dataclasses.

Every part of the hub (rules, tables, schemas, audits) is compiled from these dataclasses, never
from the YAML itself. `tongban.kernel.odcs` runs the official JSON Schema as well; loading alone
does not, since that costs 50 ms a contract and DAG files load contracts when they are parsed.

Source: Open Data Contract Standard 3.2.0, whose JSON Schema is inside the wheel
`open-data-contract-standard`; our additions stand only under `customProperties` and under
`quality` with `engine: tongban`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tongban.kernel.contract_terms import (
    custom_properties,
    drift_of,
    key_of,
    major_name,
    major_of,
    supported_until,
)
from tongban.kernel.drifts import DriftLimits
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion

FieldType = Literal["string", "integer", "decimal", "date", "datetime", "boolean", "month"]
Severity = Literal["error", "warning"]

CLASSIFICATIONS = ("public", "internal", "restricted", "sensitive")
DIMENSIONS = (
    "accuracy",
    "completeness",
    "conformity",
    "consistency",
    "coverage",
    "timeliness",
    "uniqueness",
)
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
_TYPES: dict[str, FieldType] = {
    "string": "string",
    "integer": "integer",
    "number": "decimal",
    "date": "date",
    "timestamp": "datetime",
    "boolean": "boolean",
}
_FIELD_PROPERTIES = frozenset({"index", "mask", "codeTable", "format", "unit"})
_CONTRACT_PROPERTIES = frozenset(
    {"changeTime", "deleteLimit", "dirtyLimit", "drift", "owner", "rectificationDays"}
)
Bound = Decimal | date | None


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a dataset.

    Attributes:
        classification: public, internal, restricted (masked when shown) or sensitive (encrypted).
        index: Kind of the blind index ("subject" joins one person over all datasets), or None.
        mask: How the value is shown to people, or None where it may be shown whole.
        precision, scale: Of decimals; None otherwise.
    """

    name: str
    label: str
    type: FieldType
    required: bool = False
    classification: str = "internal"
    index: str | None = None
    mask: str | None = None
    precision: int | None = None
    scale: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: Bound = None
    maximum: Bound = None
    code_table: str | None = None

    @property
    def is_classified(self) -> bool:
        """Whether the value is encrypted at rest."""
        return self.classification == "sensitive"


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


@dataclass(frozen=True)
class Contract:
    """One dataset's contract, one major version.

    Attributes:
        dataset: This major's name in the hub; see `tongban.kernel.majors`.
        key: Primary key fields in order.
        changed_at: Field with the source's change time, or None.
        dirty_share, dirty_rows: A batch of at least `dirty_rows` rows is refused when more than
            this share of it would be quarantined.
        digest: SHA-256 of the file's text, lower hex.
        delete_share, delete_rows: A snapshot is refused when more than `delete_rows` records and
            more than this share of the stored ones are not in it.
    """

    dataset: str
    version: str
    label: str
    owner: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    changed_at: str | None
    dirty_share: float
    dirty_rows: int
    rectification_days: int
    digest: str
    path: Path
    description: dict[str, str] = field(default_factory=dict)
    delete_share: float = 0.1
    delete_rows: int = 20
    status: str = "active"
    supported_until: date | None = None
    drift: DriftLimits = field(default_factory=DriftLimits)

    @property
    def major(self) -> int:
        """Major version: names the table, and lives beside its predecessor."""
        return int(self.version.split(".", 1)[0])

    @property
    def name(self) -> str:
        """The dataset's name, which all its majors share."""
        return self.dataset.removesuffix(f"_v{self.major}") if self.major > 1 else self.dataset

    @property
    def table(self) -> str:
        """Name of the dataset's table inside the schema `data`."""
        return f"{self.name}_v{self.major}"

    def has_ended(self, today: date) -> bool:
        """Whether the last day of this major's support is over."""
        return self.supported_until is not None and self.supported_until < today

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Fields by name."""
        return {item.name: item for item in self.fields}

    def field(self, name: str) -> Field:
        """The field of that name (KeyError when there is none)."""
        return self.by_name[name]

    @property
    def classified(self) -> tuple[Field, ...]:
        """Fields that are encrypted at rest."""
        return tuple(item for item in self.fields if item.is_classified)

    @property
    def indexed(self) -> tuple[Field, ...]:
        """Fields by which a subject can be found."""
        return tuple(item for item in self.fields if item.index)


def load_contract(path: Path, *, root: Path | None = None) -> Contract:
    """Read one contract file.

    Raises:
        ConfigInvalid: Broken YAML, a missing part, an unknown rule or property, a rule on a field
            that does not exist, two rules with one id; always with file:line.
    """
    file = load_yaml(path, root=root)
    data = file.data
    schema = _one_schema(file)
    fields = tuple(
        _field(file, ("schema", 0, "properties", i), item)
        for i, item in enumerate(schema.get("properties") or [])
    )
    custom = custom_properties(file, (), data, _CONTRACT_PROPERTIES)
    limit = custom.get("dirtyLimit") or {}
    deletes = custom.get("deleteLimit") or {}
    version = str(data.get("version") or file.fail((), 'the key "version" is missing; add it'))
    contract = Contract(
        dataset=major_name(str(schema["name"]), major_of(file, version)),
        version=version,
        label=str(schema.get("businessName") or schema["name"]),
        owner=str(custom.get("owner") or file.fail((), "customProperties: owner is missing")),
        key=key_of(file, schema),
        fields=fields,
        rules=_rules(file, schema, fields),
        changed_at=custom.get("changeTime"),
        dirty_share=float(limit.get("share", 1.0)),
        dirty_rows=int(limit.get("rows", 0)),
        delete_share=float(deletes.get("share", 0.1)),
        delete_rows=int(deletes.get("rows", 20)),
        drift=drift_of(file, custom),
        rectification_days=int(custom.get("rectificationDays", 5)),
        digest=hashlib.sha256(file.text.encode()).hexdigest(),
        path=path,
        description=dict(data.get("description") or {}),
        status=str(data.get("status", "active")),
        supported_until=supported_until(file),
    )
    if contract.changed_at is not None and contract.changed_at not in contract.by_name:
        file.fail(("customProperties",), f"changeTime names no property: {contract.changed_at!r}")
    return contract


def _one_schema(file: YamlFile) -> dict[str, Any]:
    """The single schema object that a contract of ours has."""
    schema = file.data.get("schema")
    if not isinstance(schema, list) or len(schema) != 1 or "name" not in schema[0]:
        file.fail(("schema",), "expected exactly one schema object with a name")
    found: dict[str, Any] = schema[0]
    return found


def _field(file: YamlFile, where: tuple[str | int, ...], item: dict[str, Any]) -> Field:
    """One property as a Field."""
    name = str(item.get("name") or file.fail(where, "a property has no name"))
    logical = str(item.get("logicalType"))
    if logical not in _TYPES:
        word = f'unknown logicalType "{logical}"{suggestion(logical, _TYPES)}'
        file.fail((*where, "logicalType"), word)
    classification = str(item.get("classification", "internal"))
    if classification not in CLASSIFICATIONS:
        hint = suggestion(classification, CLASSIFICATIONS)
        file.fail((*where, "classification"), f'unknown classification "{classification}"{hint}')
    custom = custom_properties(file, where, item, _FIELD_PROPERTIES)
    options = item.get("logicalTypeOptions") or {}
    kind: FieldType = "month" if custom.get("format") == "month" else _TYPES[logical]
    precision, scale = _precision(str(item.get("physicalType") or ""), kind)
    return Field(
        name=name,
        label=str(item.get("businessName") or name),
        type=kind,
        required=bool(item.get("required")) or bool(item.get("primaryKey")),
        classification=classification,
        index=custom.get("index"),
        mask=custom.get("mask"),
        precision=precision,
        scale=scale,
        min_length=options.get("minLength"),
        max_length=options.get("maxLength"),
        pattern=options.get("pattern"),
        minimum=_bound(options.get("minimum"), kind),
        maximum=_bound(options.get("maximum"), kind),
        code_table=custom.get("codeTable"),
    )


def _precision(physical: str, kind: FieldType) -> tuple[int | None, int | None]:
    """Precision and scale of `numeric(p,s)`; (18, 2) where a decimal does not say."""
    if kind != "decimal":
        return None, None
    inside = physical.partition("(")[2].rstrip(")")
    if not inside:
        return 18, 2
    precision, _, scale = inside.partition(",")
    return int(precision), int(scale or 0)


def _bound(value: Any, kind: FieldType) -> Bound:
    """A minimum or maximum in the field's own type."""
    if value is None:
        return None
    if kind in {"date", "datetime"}:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    return Decimal(str(value))


def _rules(file: YamlFile, schema: dict[str, Any], fields: tuple[Field, ...]) -> tuple[Rule, ...]:
    """Rules of all properties and of the schema, ids unique, fields existing."""
    names = {item.name for item in fields}
    found: list[Rule] = []
    for i, item in enumerate(schema.get("properties") or []):
        for j, quality in enumerate(item.get("quality") or []):
            where = ("schema", 0, "properties", i, "quality", j)
            found.append(_rule(file, where, quality, names, own=str(item["name"])))
    for j, quality in enumerate(schema.get("quality") or []):
        found.append(_rule(file, ("schema", 0, "quality", j), quality, names, own=None))
    seen: set[str] = set()
    for rule in found:
        if rule.id in seen:
            file.fail(("schema", 0), f'two rules have the id "{rule.id}"; rename one')
        seen.add(rule.id)
    return tuple(found)


def _rule(
    file: YamlFile,
    where: tuple[str | int, ...],
    quality: dict[str, Any],
    names: set[str],
    *,
    own: str | None,
) -> Rule:
    """One quality entry of our engine as a Rule."""
    body = quality.get("implementation")
    if quality.get("engine") != "tongban" or not isinstance(body, dict):
        file.fail(where, "expected a quality entry with engine: tongban and an implementation")
    kind = str(body.get("rule"))
    if kind not in RULE_KINDS:
        place = (*where, "implementation", "rule")
        file.fail(place, f'unknown rule "{kind}"{suggestion(kind, RULE_KINDS)}')
    params = {name: value for name, value in body.items() if name != "rule"}
    if own is not None and "field" not in params:
        params["field"] = own
    used = tuple(dict.fromkeys(_fields_of(params)))
    for name in used:
        if name not in names:
            place = (*where, "implementation")
            file.fail(place, f'the rule names the field "{name}"{suggestion(name, names)}')
    severity = quality.get("severity", "error")
    if severity not in {"error", "warning"}:
        file.fail((*where, "severity"), 'severity is "error" or "warning"')
    dimension = str(quality.get("dimension", "conformity"))
    if dimension not in DIMENSIONS:
        hint = suggestion(dimension, DIMENSIONS)
        file.fail((*where, "dimension"), f'unknown dimension "{dimension}"{hint}')
    return Rule(
        id=str(quality.get("id") or quality.get("name") or file.fail(where, "a rule has no id")),
        kind=kind,
        fields=used,
        params=params,
        severity=severity,
        dimension=dimension,
        description=str(quality.get("description") or kind),
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
