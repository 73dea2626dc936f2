"""Drift limits: from when on a change of a source's habits counts, and what a contract accepts.

Written in a contract as the custom property `drift`; what it does not say has the defaults below.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from tongban.kernel.yamlfile import Where, YamlFile, suggestion

KINDS = {
    "new_field": "warning",
    "missing_optional": "warning",
    "missing_required": "frozen",
    "type_change": "frozen",
    "became_nested": "frozen",
    "became_list": "frozen",
    "renamed_field": "warning",
    "repeated_name": "frozen",
    "field_order": "warning",
    "new_code": "quarantine",
    "date_format": "warning",
    "unit_change": "frozen",
    "null_rate": "warning",
    "constant": "warning",
    "garbage": "frozen",
    "volume": "held",
    "old_batch": "warning",
}
"""Every kind of drift, with the hardest thing that is done about it (docs: drift.md)."""


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """When a change counts.

    Attributes:
        rows: A batch with fewer rows is not judged by shares.
        history: So many earlier batches are needed before habits are compared.
        type_share: More values of a field than this share that cannot be read freeze the batch.
        garbage_share: More cells than this share with broken characters freeze the batch.
        null_jump: So much more than usual of a field is empty.
        volume_share: So far from the median the number of rows may be.
        volume_rows: Below this median the number of rows is not judged.
        unit_factor: A median of amounts that moves by this factor looks like another unit.
        old_days: So much older than the last batch's newest change is an old batch.
        accept: Kinds that this dataset's department may do without being asked.
    """

    rows: int = 10
    history: int = 5
    type_share: float = 0.05
    garbage_share: float = 0.01
    null_jump: float = 0.3
    volume_share: float = 0.5
    volume_rows: int = 200
    unit_factor: float = 1000.0
    old_days: int = 30
    accept: tuple[str, ...] = ()


DRIFT_NAMES = {
    "".join(part if i == 0 else part.title() for i, part in enumerate(f.name.split("_"))): f.name
    for f in fields(DriftLimits)
}
"""Keys of the custom property → fields of `DriftLimits`."""

_SHARES = frozenset({"type_share", "garbage_share", "null_jump", "volume_share"})


def drift_limits(file: YamlFile, where: Where, value: Any) -> DriftLimits:
    """Read the custom property `drift` of a contract.

    Raises:
        ConfigInvalid: An unknown key or kind, a share that is none, a number below zero; with
            file:line.
    """
    if not isinstance(value, dict):
        file.fail(where, "drift: expected keys with numbers, such as {typeShare: 0.05}")
    found: dict[str, Any] = {}
    for key, number in value.items():
        place = (*where, str(key))
        if key not in DRIFT_NAMES:
            file.fail(place, f'drift: unknown key "{key}"{suggestion(str(key), DRIFT_NAMES)}')
        name = DRIFT_NAMES[key]
        found[name] = (
            _accepted(file, place, number)
            if name == "accept"
            else _number(file, place, name, number)
        )
    return DriftLimits(**found)


def _accepted(file: YamlFile, place: Where, kinds: Any) -> tuple[str, ...]:
    """The kinds that are accepted, each one known."""
    if not isinstance(kinds, list):
        file.fail(place, "drift: accept is a list of kinds")
    for kind in kinds:
        if kind not in KINDS:
            file.fail(place, f'drift: unknown kind "{kind}"{suggestion(str(kind), KINDS)}')
    return tuple(str(kind) for kind in kinds)


def _number(file: YamlFile, place: Where, name: str, value: Any) -> float | int:
    """A number in its range."""
    whole = isinstance(getattr(DriftLimits(), name), int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        file.fail(place, f"drift: expected a {'whole ' if whole else ''}number")
    if name in _SHARES and not 0 <= value <= 1:
        file.fail(place, "drift: a share is between 0 and 1")
    lowest = 1 if name == "history" else 0
    if value < lowest or (name == "unit_factor" and value <= 1):
        file.fail(place, "drift: the number is too small")
    number: float | int = int(value) if whole else float(value)
    return number
