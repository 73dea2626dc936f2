"""Terms of a contract beside its fields and rules: key, version, support, our own properties.

Read for `tongban.kernel.contracts`; a wrong one is refused with its file:line.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tongban.kernel.drifts import DriftLimits, drift_limits
from tongban.kernel.yamlfile import YamlFile, suggestion

END_OF_SUPPORT = "endOfSupport"


def major_name(name: str, major: int) -> str:
    """What one major of a dataset is called everywhere in the hub; see `tongban.kernel.majors`."""
    return name if major == 1 else f"{name}_v{major}"


def major_of(file: YamlFile, version: str) -> int:
    """The first number of a version."""
    major = version.partition(".")[0]
    if not major.isdecimal():
        file.fail(("version",), "expected a version such as 1.2.0 (major.minor.patch)")
    return int(major)


def supported_until(file: YamlFile) -> date | None:
    """The last day of this major's support, or None while no end is announced."""
    for i, item in enumerate(file.data.get("slaProperties") or []):
        if item.get("property") == END_OF_SUPPORT:
            try:
                return date.fromisoformat(str(item.get("value")))
            except ValueError:
                where = ("slaProperties", i, "value")
                file.fail(where, f"{END_OF_SUPPORT}: expected a day such as 2027-06-30")
    return None


def custom_properties(
    file: YamlFile, where: tuple[str | int, ...], owner: dict[str, Any], known: frozenset[str]
) -> dict[str, Any]:
    """CustomProperties as a dict, each name checked."""
    found: dict[str, Any] = {}
    for i, item in enumerate(owner.get("customProperties") or []):
        name = str(item.get("property"))
        place = (*where, "customProperties", i, "property")
        if name not in known:
            file.fail(place, f'unknown custom property "{name}"{suggestion(name, known)}')
        found[name] = item.get("value")
    return found


def drift_of(file: YamlFile, custom: dict[str, Any]) -> DriftLimits:
    """The drift limits, with their place in the file."""
    if "drift" not in custom:
        return DriftLimits()
    listed = file.data["customProperties"]
    place = next(i for i, item in enumerate(listed) if item.get("property") == "drift")
    return drift_limits(file, ("customProperties", place, "value"), custom["drift"])


def key_of(file: YamlFile, schema: dict[str, Any]) -> tuple[str, ...]:
    """Names of the primary key properties in their declared order."""
    parts = [p for p in schema.get("properties") or [] if p.get("primaryKey")]
    if not parts:
        file.fail(("schema", 0, "properties"), "no property has primaryKey: true; mark the key")
    parts.sort(key=lambda p: int(p.get("primaryKeyPosition", 1)))
    return tuple(str(p["name"]) for p in parts)
