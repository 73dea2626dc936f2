"""Facts: a contract's document taken apart into what can be compared, one fact a name.

The document is read as ODCS itself, not through the hub's dataclasses, so that nothing of it is
overlooked: what no fact covers is kept under `other`, and a difference there counts as well.
Facts say the same of two spellings of one thing (left-out defaults, order, comments, dates).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tongban.kernel.codes import CodeTables
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import Where, YamlFile, load_yaml

Document = Mapping[str, Any]
Codes = dict[str, dict[str, tuple[str, ...]]]

TEXTS = frozenset(
    {
        "authoritativeDefinitions",
        "businessImpact",
        "businessName",
        "contractCreatedTs",
        "context",
        "dataGranularityDescription",
        "dataProduct",
        "description",
        "domain",
        "examples",
        "id",
        "method",
        "price",
        "roles",
        "semanticType",
        "support",
        "synonyms",
        "tags",
        "team",
        "tenant",
        "transformDescription",
        "transformLogic",
        "transformSourceObjects",
    }
)
"""Keys that explain and oblige nobody."""

UNITS = ("万元", "亿元", "元", "分", "平方米", "公顷", "亩", "㎡", "%", "％", "千克", "吨")
_UNIT = re.compile(r"(?:(?<=[，,（(：:、 ])|\A)(" + "|".join(UNITS) + r")(?![一-鿿])")
_PHYSICAL = re.compile(r"^\s*([a-zA-Z ]+?)\s*(?:\(([^)]*)\))?\s*$")
_VERSION = re.compile(r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$")
_OPTIONS = {
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
}
_FIELD_KEYS = TEXTS | {
    "name",
    "logicalType",
    "logicalTypeOptions",
    "physicalType",
    "required",
    "unique",
    "primaryKey",
    "primaryKeyPosition",
    "classification",
    "customProperties",
    "enum",
    "relationships",
    "quality",
    "deprecated",
}
_RULE_KEYS = {"id", "name", "type", "engine", "dimension", "severity", "implementation"} | TEXTS
_SCHEMA_KEYS = TEXTS | {"name", "logicalType", "physicalType", "properties", "quality"}
_TOP_KEYS = TEXTS | {
    "apiVersion",
    "kind",
    "name",
    "version",
    "status",
    "schema",
    "slaProperties",
    "customProperties",
}


@dataclass(frozen=True)
class Facts:
    """One form of a contract, taken apart.

    Attributes:
        version: Major, minor, patch.
        key: Primary key fields in order.
        fields: Field → its facts, in the contract's order.
        rules: Rule id → its facts.
        promises: (SLA property, element) → value and unit.
        terms: Everything else that obliges: owner, limits, policies, status.
        codes: Code table → code → label, first and last day (again for each further time).
        texts: Everything that only explains.
        places: (kind, name) → place in the file.
    """

    file: YamlFile = field(repr=False)
    dataset: str
    version: tuple[int, int, int]
    key: tuple[str, ...]
    fields: dict[str, dict[str, Any]]
    rules: dict[str, dict[str, Any]]
    promises: dict[tuple[str, str], dict[str, Any]]
    terms: dict[str, Any]
    codes: Codes
    texts: dict[str, Any]
    document: Document = field(repr=False)
    places: dict[tuple[str, str], Where] = field(repr=False)

    @property
    def name(self) -> str:
        """`<dataset>@<version>`."""
        return f"{self.dataset}@{version_text(self.version)}"

    def place(self, kind: str, name: str) -> Where:
        """Where something stands; the nearest parent when it is not there."""
        return self.places.get((kind, name), ())

    def at(self, where: Where) -> str:
        """`file:line` of a place."""
        return self.file.at(where)


def version_text(version: tuple[int, int, int]) -> str:
    """`1.2.3`."""
    return ".".join(map(str, version))


def version_of(file: YamlFile, document: Document) -> tuple[int, int, int]:
    """A contract's version.

    Raises:
        ConfigInvalid: It is not `major.minor.patch`.
    """
    found = _VERSION.match(str(document.get("version")))
    if found is None:
        file.fail(("version",), "expected a version such as 1.2.0 (major.minor.patch)")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def read_facts(path: Path, codes: CodeTables | Codes, *, root: Path | None = None) -> Facts:
    """The facts of a contract file.

    Args:
        path: An ODCS document.
        codes: The code tables that it names, or what they were when it was released.
        root: Folder that messages name files from.

    Raises:
        ConfigInvalid: No YAML, no single schema object, or no version of three numbers.
    """
    file = load_yaml(path, root=root)
    return facts_of(file, file.data, codes)


def facts_of(file: YamlFile, document: Document, codes: CodeTables | Codes) -> Facts:
    """The facts of a contract's document, wherever it came from."""
    plain: Document = _plain(document)
    schemas = plain.get("schema")
    if not isinstance(schemas, list) or len(schemas) != 1 or "name" not in schemas[0]:
        file.fail(("schema",), "expected exactly one schema object with a name")
    schema = schemas[0]
    fields: dict[str, dict[str, Any]] = {}
    rules: dict[str, dict[str, Any]] = {}
    places: dict[tuple[str, str], Where] = {}
    for i, item in enumerate(schema.get("properties") or []):
        where: Where = ("schema", 0, "properties", i)
        fields[str(item.get("name"))] = _field(item, i)
        places["field", str(item.get("name"))] = where
        _add_rules(rules, places, item.get("quality"), where, own=str(item.get("name")))
    _add_rules(rules, places, schema.get("quality"), ("schema", 0), own=None)
    for name in ("version", "status", "slaProperties", "customProperties"):
        places["part", name] = (name,)
    keys = [name for name, facts in fields.items() if facts["key"]]
    return Facts(
        file=file,
        dataset=str(schema["name"]),
        version=version_of(file, plain),
        key=tuple(sorted(keys, key=lambda name: int(fields[name]["key"]))),
        fields=fields,
        rules=rules,
        promises={_promise_name(p): _promise(p) for p in plain.get("slaProperties") or []},
        terms=_terms(plain, schema),
        codes=_codes(fields, codes),
        texts=_texts(plain) | {"schema": _texts(schema), "name": plain.get("name")},
        document=plain,
        places=places,
    )


def custom(owner: Document) -> dict[str, Any]:
    """The customProperties of a document's part, by name."""
    return {str(c.get("property")): c.get("value") for c in owner.get("customProperties") or []}


def _plain(data: Any) -> Any:
    """YAML dates as text, so that a copy in JSON says the same."""
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return data.isoformat() if isinstance(data, date) else data


def _texts(owner: Document) -> dict[str, Any]:
    return {key: value for key, value in owner.items() if key in TEXTS}


def _other(owner: Document, known: frozenset[str] | set[str]) -> dict[str, Any]:
    return {key: value for key, value in owner.items() if key not in known}


def _field(item: Document, position: int) -> dict[str, Any]:
    """One property's facts."""
    options = item.get("logicalTypeOptions") or {}
    properties = custom(item)
    physical, arguments = _physical(str(item.get("physicalType") or ""))
    is_decimal = item.get("logicalType") == "number"
    lengths = [n for n in (options.get("maxLength"), *arguments[:1]) if n is not None]
    is_key = bool(item.get("primaryKey"))
    return {
        "texts": _texts(item),
        "type": (str(item.get("logicalType")), properties.get("format"), physical),
        "precision": (arguments[0] if arguments else 18) if is_decimal else None,
        "scale": (arguments[1] if len(arguments) > 1 else 0 if arguments else 2)
        if is_decimal
        else None,
        "unit": properties.get("unit") or _unit_in(item),
        "required": bool(item.get("required")) or is_key,
        "unique": bool(item.get("unique")) or is_key,
        "key": int(item.get("primaryKeyPosition", 1)) if is_key else 0,
        "classification": str(item.get("classification", "internal")),
        "index": properties.get("index"),
        "mask": properties.get("mask"),
        "code_table": properties.get("codeTable"),
        "values": item.get("enum"),
        "min_length": options.get("minLength"),
        "max_length": None if is_decimal or not lengths else min(map(int, lengths)),
        "pattern": options.get("pattern"),
        "bounds": {name: value for name, value in options.items() if "imum" in name.lower()},
        "references": sorted(str(r.get("to")) for r in item.get("relationships") or []),
        "deprecated": bool(item.get("deprecated")),
        "position": position,
        "other": _other(item, _FIELD_KEYS)
        | _other(options, _OPTIONS)
        | _other(properties, {"format", "unit", "index", "mask", "codeTable"}),
    }


def _physical(text: str) -> tuple[str, list[int]]:
    """`numeric(16,2)` as its name and its numbers; no length counts as no limit."""
    found = _PHYSICAL.match(text)
    if found is None:
        return text, []
    numbers = [int(part) for part in (found[2] or "").split(",") if part.strip().isdigit()]
    name = found[1].lower()
    return {"varchar": "text", "character varying": "text", "decimal": "numeric"}.get(
        name, name
    ), numbers


def _unit_in(item: Document) -> str | None:
    """The unit that a number's description names, as our contracts do it (`应纳税额，元`)."""
    if item.get("logicalType") not in {"number", "integer"}:
        return None
    found = _UNIT.findall(str(item.get("description") or ""))
    return found[0] if found else None


def _add_rules(
    rules: dict[str, dict[str, Any]],
    places: dict[tuple[str, str], Where],
    entries: Any,
    parent: Where,
    *,
    own: str | None,
) -> None:
    """Quality entries as facts by rule id."""
    for i, entry in enumerate(entries or []):
        body = dict(entry.get("implementation") or {})
        name = str(entry.get("id") or entry.get("name") or f"rule {i + 1} of {own or 'the row'}")
        kind = body.pop("rule", None)
        if own is not None:
            body.setdefault("field", own)
        rules[name] = {
            "kind": kind,
            "params": body,
            "severity": str(entry.get("severity", "error")),
            "dimension": str(entry.get("dimension", "conformity")),
            "texts": _texts(entry),
            "other": _other(entry, _RULE_KEYS),
        }
        places["rule", name] = (*parent, "quality", i)


def _promise_name(item: Document) -> tuple[str, str]:
    return str(item.get("property")), str(item.get("element") or "")


def _promise(item: Document) -> dict[str, Any]:
    return {
        "value": item.get("value"),
        "unit": item.get("unit"),
        "other": _other(item, TEXTS | {"property", "element", "value", "unit", "driver"}),
    }


def _terms(plain: Document, schema: Document) -> dict[str, Any]:
    """What obliges beside fields, rules and promises; names as in the document."""
    found: dict[str, Any] = {"status": str(plain.get("status", "active"))}
    found |= custom(plain)
    obliging = _other(schema, _SCHEMA_KEYS)
    major = str(plain.get("version")).partition(".")[0]
    if obliging.get("physicalName") == f"{schema['name']}_v{major}":
        del obliging["physicalName"]  # follows from the name and the major
    found |= {f"schema.{name}": value for name, value in obliging.items()}
    return found | _other(plain, _TOP_KEYS)


def _codes(fields: dict[str, dict[str, Any]], codes: CodeTables | Codes) -> Codes:
    """The codes of every table that a field names."""
    names = sorted({str(f["code_table"]) for f in fields.values() if f["code_table"]})
    if not isinstance(codes, CodeTables):
        return {name: codes[name] for name in names if name in codes}
    found: Codes = {}
    for name in names:
        try:
            table = codes.table(name)
        except ConfigInvalid:
            continue  # `tongban check` says it with a suggestion
        found[name] = {}
        for item in table:
            days = (str(day) if day else "" for day in (item.valid_from, item.valid_to))
            found[name][item.code] = (
                *found[name].get(item.code, ()),
                item.label_zh,
                *days,
            )
    return found
