"""Values: one plausible source value for one contract field, when no example shows any.

The mapping says how the value will be read (formats, units, words, code tables), the contract what
it must be. A field whose rules cannot be met by this still gets a value; the fake says how many of
its records pass their own contract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.templates import format_moment
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import FieldMapping
from tongban.onboarding.fake import people

_CLASS = re.compile(r"(\[[^\]]+\]|\\?[^\[\]{}()|*+?])(?:\{([0-9]+)(?:,[0-9]*)?\})?")
_SIMPLE = re.compile(r"^\^?(?:(?:\[[^\]]+\]|[\w.-])(?:\{[0-9]+(?:,[0-9]*)?\})?)+\$?$")
_NANOSECONDS = ".fffffffff"


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes values for the fields of one dataset."""

    contract: Contract
    codes: CodeTables
    system: str

    def value(self, made: FieldMapping, number: int, moment: datetime) -> Any:
        """The source value of record `number` for a mapped field."""
        field = self.contract.by_name[made.target]
        operations = {op.name: op.args for op in made.ops}
        if field.type in {"date", "datetime"}:
            return written(moment, first_format(operations.get(field.type)))
        if field.type == "month":
            pattern = (operations.get("month") or {}).get("formats", ["yyyyMM"])[0]
            return written(moment, pattern)
        if field.type == "boolean":
            return (operations.get("boolean") or {}).get("true", ["true"])[0]
        if field.type == "integer":
            return str(_least(field) + number) if self._is_key(field) else str(_least(field))
        if field.type == "decimal":
            return _decimal(field, operations)
        return self._text(field, operations, number)

    def _is_key(self, field: Field) -> bool:
        return field.name in self.contract.key

    def _text(self, field: Field, operations: dict[str, Any], number: int) -> str:
        known = self._known_kind(field, operations, number)
        if known is not None:
            return known
        allowed = self._allowed(field, operations)
        if allowed:
            return allowed[number % len(allowed)]
        if field.pattern and _SIMPLE.match(field.pattern):
            return from_pattern(field.pattern, number)
        text = f"{field.label}{number + 1}"
        return text[: field.max_length] if field.max_length else text

    def _known_kind(self, field: Field, operations: dict[str, Any], number: int) -> str | None:
        """Values with check digits, and names."""
        kinds = {r.kind for r in self.contract.rules if field.name in r.fields}
        if kinds & {"resident_id", "id_by_type"} or "resident_id" in operations:
            return people.resident_id_of(number)
        if "credit_code" in kinds or "credit_code" in operations:
            return people.credit_code_of(number)
        if "real_estate_unit" in kinds or "unit_no" in operations:
            return people.unit_no_of(number)
        if "phone" in kinds or field.mask == "phone":
            return people.phone_of(number)
        if "person_name" in operations or field.mask == "name":
            return people.name_of(number)
        return None

    def _allowed(self, field: Field, operations: dict[str, Any]) -> list[str]:
        """Codes that the mapping or the contract knows."""
        table = (operations.get("code") or {}).get("table")
        try:
            if table is not None:
                return sorted(self.codes.to_hub(str(table), self.system))
            if field.code_table is not None:
                return sorted(self.codes.known(field.code_table))
        except ConfigInvalid:
            return []
        for rule in self.contract.rules:
            if rule.kind == "in" and field.name in rule.fields:
                return [str(value) for value in rule.params.get("values", ())]
        return []


def first_format(arguments: Any) -> str:
    """The first format that an operation reads."""
    formats = arguments.get("formats") if isinstance(arguments, dict) else arguments
    return str(formats[0]) if isinstance(formats, list) and formats else "iso"


def written(moment: datetime, pattern: str) -> str:
    """A moment as the mapping reads it."""
    if pattern.endswith(_NANOSECONDS):
        return format_moment(moment, pattern.removesuffix(_NANOSECONDS)) + ".000000000"
    return format_moment(moment, pattern)


def from_pattern(pattern: str, number: int) -> str:
    """A text that fits a pattern of classes and counts, different for different numbers."""
    pieces: list[tuple[str, int]] = []
    for piece, count in _CLASS.findall(pattern.strip("^$")):
        pieces.append((piece, int(count or 1)))
    letters: list[str] = []
    for piece, count in reversed(pieces):
        choices = _members(piece)
        for _ in range(count):
            number, at = divmod(number, len(choices))
            letters.append(choices[at])
    return "".join(reversed(letters))


def _members(piece: str) -> str:
    """The characters of a class, or the character itself."""
    if not piece.startswith("["):
        return piece.removeprefix("\\")
    inside, found, at = piece[1:-1], "", 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            found += "".join(map(chr, range(ord(inside[at]), ord(inside[at + 2]) + 1)))
            at += 3
        else:
            found += inside[at]
            at += 1
    return found


def _least(field: Field) -> int:
    return int(field.minimum) if isinstance(field.minimum, Decimal) else 1


def _decimal(field: Field, operations: dict[str, Any]) -> str:
    least = field.minimum if isinstance(field.minimum, Decimal) else Decimal(0)
    most = field.maximum if isinstance(field.maximum, Decimal) else Decimal(1000)
    value = min(least + 100, most) if most >= 1 else most
    scale = field.scale if field.scale is not None else 2
    unit = (operations.get("money") or {}).get("unit")
    if unit == "万元":
        return f"{value:.4f}"
    return f"{value:.{scale}f}"
