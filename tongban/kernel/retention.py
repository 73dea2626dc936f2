"""Retention: how long what is over is kept, in days, as a contract's custom property says it.

    - {property: retention, value: {history: 1095, quarantine: 180, landing: 30}}

A key that is left out keeps its kind for ever (landings: the maintenance DAG's own term). Only what
is over is meant: the newest version of a record and an open refused row never expire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tongban.kernel.yamlfile import Where, YamlFile, suggestion

RETENTION_KEYS = ("history", "quarantine", "landing")


@dataclass(frozen=True, slots=True)
class Retention:
    """Terms in days; None keeps.

    Attributes:
        history: From the day on which a version was replaced; its body goes, id and digest stay.
        quarantine: From the day on which a refused row was closed; its body goes, findings stay.
        landing: From the end of the last transfer that read the pages.
    """

    history: int | None = None
    quarantine: int | None = None
    landing: int | None = None


def read_retention(file: YamlFile, where: Where, value: Any) -> Retention:
    """Read the custom property.

    Raises:
        ConfigInvalid: An unknown key, or a term that is no whole number of days; with file:line.
    """
    if not isinstance(value, dict):
        file.fail(where, "retention: expected terms in days, such as {history: 1095}")
    for name, days in value.items():
        if name not in RETENTION_KEYS:
            hint = suggestion(str(name), RETENTION_KEYS)
            file.fail((*where, str(name)), f'retention: unknown key "{name}"{hint}')
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            place = (*where, str(name))
            file.fail(place, f"retention: {name}: expected a whole number of days, at least 1")
    return Retention(**value)
