"""Variation: another record out of an example — its own key, people and moment, the rest as it is.

A record that changed takes what is no identity from the next example, as when an account is closed
or a person moves to another office. What may vary, mapping and contract say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tongban.kernel.mappings import FieldMapping
from tongban.kernel.mappings import Mapping as DatasetMapping
from tongban.onboarding.fake import people
from tongban.onboarding.fake.days import Stand
from tongban.onboarding.fake.values import first_format, written
from tongban.rows import DatasetPlan

_DIGITS = re.compile(r"[0-9]+(?=[^0-9]*$)")
Row = dict[str, Any]


class Variation:
    """Makes records of one dataset out of its examples."""

    def __init__(
        self, plan: DatasetPlan, mapping: DatasetMapping, bases: Sequence[Row], seed: int = 0
    ) -> None:
        self.bases = bases
        self._seed = seed
        self._kinds = kinds_of(plan, mapping)
        self._key = set(mapping.source_key)

    def row(self, stand: Stand, *, number: int | None = None) -> Row:
        """A record with its own key, people and moment."""
        return self._varied(stand, self._kinds, stand.number if number is None else number)

    def careful(self, stand: Stand) -> Row:
        """The same with nothing but another key and moment."""
        least = {
            n: kind for n, kind in self._kinds.items() if kind == "key" or kind[:6] == "moment"
        }
        return self._varied(stand, least, stand.number)

    def turned(self, stand: Stand, step: int = 0) -> Row:
        """The record after its changes: what is no identity comes from another example.

        Not every example fits every other (a person's and a company's); `step` tries the next one.
        """
        row = self.row(stand)
        if not stand.turn:
            return row
        other = self.bases[(stand.number + stand.turn + step) % len(self.bases)]
        for name in row.keys() | other.keys():
            if name not in self._key and name not in self._kinds:
                row[name] = other.get(name)
        return row

    def _varied(self, stand: Stand, kinds: Mapping[str, str], number: int) -> Row:
        row = dict(self.bases[number % len(self.bases)])
        for source, kind in kinds.items():
            value = row.get(source)
            if kind.startswith("moment"):
                row[source] = as_given(written(stand.changed, kind.partition(":")[2]), value)
            elif value is not None:
                # One series for all examples, or two of them would meet.
                given = self.bases[0].get(source) if kind == "key" else value
                row[source] = as_given(self._another(str(given or value), kind, number), value)
        return row

    def _another(self, value: str, kind: str, number: int) -> str:
        """A value of the same kind for another record; what is no such thing stays as it is."""
        if kind == "key":
            return numbered(value, number)
        number += self._seed
        if kind == "credit_code":
            return people.credit_code_of(number)
        if kind == "unit_no":
            return people.unit_no_of(number)
        if kind == "resident_id" and re.fullmatch(r"[0-9]{17}[0-9X]", value):
            return people.resident_id_of(number)
        if kind == "name" and 2 <= len(value.replace(" ", "")) <= 3:  # noqa: PLR2004 - a person's
            return people.name_of(number)
        return value


def kinds_of(plan: DatasetPlan, mapping: DatasetMapping) -> dict[str, str]:
    """Source field → how it differs between records; the rest stays as the example has it."""
    found: dict[str, str] = {}
    for item in mapping.fields.values():
        if len(item.sources) != 1:
            continue
        kind = _kind(plan, item)
        if kind:
            found[item.sources[0]] = kind
    fed = {source for item in mapping.fields.values() for source in item.sources}
    return found | {source: "key" for source in mapping.source_key if source not in fed}


def _kind(plan: DatasetPlan, item: FieldMapping) -> str:
    names = {op.name for op in item.ops}
    target = plan.contract.by_name[item.target]
    rules = {rule.kind for rule in plan.contract.rules if item.target in rule.fields}
    if item.target == plan.contract.changed_at:
        formats = next((op.args for op in item.ops if op.name in {"datetime", "date"}), None)
        return f"moment:{first_format(formats)}"
    if "credit_code" in rules or "credit_code" in names:
        return "credit_code"
    is_code = target.code_table or "code" in names or "in" in rules
    if target.name in plan.contract.key and not is_code and target.type in {"string", "integer"}:
        return "unit_no" if "real_estate_unit" in rules else "key"
    if names & {"resident_id", "id_by_type"} or "resident_id" in rules:
        return "resident_id"
    return "name" if "person_name" in names else ""


def as_given(text: str, value: Any) -> Any:
    """The text in the type that the example has."""
    return int(text) if type(value) is int and text.lstrip("-").isdigit() else text


def numbered(value: str, number: int) -> str:
    """The value with another number at its last digits, as long as before."""
    found = _DIGITS.search(value)
    if found is None:
        return f"{value}{number + 1}"
    digits = found.group()
    modulus = 10 ** len(digits)
    shifted = f"{(int(digits) + number) % modulus:0{len(digits)}d}"
    return value[: found.start()] + shifted + value[found.end() :]
