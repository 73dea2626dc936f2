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
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tongban.kernel.contract_rules import DIMENSIONS, RULE_KINDS, Rule, Severity, read_rules
from tongban.kernel.contract_terms import (
    custom_properties,
    days_of,
    drift_of,
    key_of,
    limit_of,
    major_name,
    major_of,
    retention_of,
    supported_until,
)
from tongban.kernel.cross_rules import CrossRule, read_cross_rules
from tongban.kernel.drifts import DriftLimits
from tongban.kernel.retention import Retention
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion

FieldType = Literal["string", "integer", "decimal", "date", "datetime", "boolean", "month"]

__all__ = [
    "CLASSIFICATIONS",
    "DIMENSIONS",
    "RULE_KINDS",
    "Contract",
    "Field",
    "FieldType",
    "Rule",
    "Severity",
    "load_contract",
]

CLASSIFICATIONS = ("public", "internal", "restricted", "sensitive")
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
    {"changeTime", "deleteLimit", "dirtyLimit", "drift", "owner", "rectificationDays", "retention"}
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


@dataclass(frozen=True)
class Contract:
    """One dataset's contract, one major version.

    Attributes:
        dataset: This major's name in the hub; see `tongban.kernel.majors`.
        key: Primary key fields in order.
        changed_at: Field with the source's change time, or None.
        dirty_share, dirty_rows: A batch of at least `dirty_rows` rows is refused when more than
            this share of it would be quarantined.
        rules: What one row must keep, by itself.
        cross_rules: What only several datasets together show; the audit's business.
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
    retention: Retention = field(default_factory=Retention)
    cross_rules: tuple[CrossRule, ...] = ()

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
    dirty = limit_of(file, custom, "dirtyLimit", 1.0, 0)
    deletes = limit_of(file, custom, "deleteLimit", 0.1, 20)
    version = str(data.get("version") or file.fail((), 'the key "version" is missing; add it'))
    contract = Contract(
        dataset=major_name(str(schema["name"]), major_of(file, version)),
        version=version,
        label=str(schema.get("businessName") or schema["name"]),
        owner=str(custom.get("owner") or file.fail((), "customProperties: owner is missing")),
        key=key_of(file, schema),
        fields=fields,
        rules=read_rules(file, schema, {item.name for item in fields}),
        cross_rules=read_cross_rules(file, schema, {item.name for item in fields}),
        changed_at=custom.get("changeTime"),
        dirty_share=dirty[0],
        dirty_rows=dirty[1],
        delete_share=deletes[0],
        delete_rows=deletes[1],
        drift=drift_of(file, custom),
        retention=retention_of(file, custom),
        rectification_days=days_of(file, custom, "rectificationDays", 5),
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
    try:
        precision, scale = _precision(str(item.get("physicalType") or ""), kind)
    except ValueError:
        file.fail((*where, "physicalType"), "expected a physicalType such as numeric(12,2)")
    try:
        bounds = [_bound(options.get(name), kind) for name in ("minimum", "maximum")]
    except (ValueError, InvalidOperation):
        file.fail((*where, "logicalTypeOptions"), f"minimum and maximum must be {kind}")
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
        minimum=bounds[0],
        maximum=bounds[1],
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
