"""Terms of a contract beside its fields and rules: key, version, support, our own properties.

Read for `tongban.kernel.contracts`; a wrong one is refused with its file:line.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tongban.kernel.drifts import DriftLimits, drift_limits
from tongban.kernel.retention import Retention, read_retention
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
    where = ("customProperties", _place(file, "drift"), "value")
    return drift_limits(file, where, custom["drift"])


def retention_of(file: YamlFile, custom: dict[str, Any]) -> Retention:
    """The terms after which what is over goes."""
    if "retention" not in custom:
        return Retention()
    where = ("customProperties", _place(file, "retention"), "value")
    return read_retention(file, where, custom["retention"])


def limit_of(
    file: YamlFile, custom: dict[str, Any], name: str, share: float, rows: int
) -> tuple[float, int]:
    """Share and rows of a limit, by default those that are given here."""
    value = custom.get(name)
    if value is None:
        return share, rows
    where = ("customProperties", _place(file, name), "value")
    if not isinstance(value, dict):
        file.fail(where, f"{name}: expected a share and rows, such as {{share: 0.2, rows: 50}}")
    for word in value:
        if word not in {"share", "rows"}:
            hint = suggestion(str(word), ("share", "rows"))
            file.fail((*where, str(word)), f'{name}: unknown key "{word}"{hint}')
    given, most = value.get("share", share), value.get("rows", rows)
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 <= given <= 1:
        file.fail((*where, "share"), f"{name}: expected a share from 0 to 1")
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        file.fail((*where, "rows"), f"{name}: expected a whole number of rows")
    return float(given), most


def days_of(file: YamlFile, custom: dict[str, Any], name: str, default: int) -> int:
    """A term in days."""
    value = custom.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        place = ("customProperties", _place(file, name), "value")
        file.fail(place, f"{name}: expected a whole number of days, at least 1")
    return value


def _place(file: YamlFile, name: str) -> int:
    """Position of a contract's own custom property."""
    listed = file.data["customProperties"]
    return next(i for i, item in enumerate(listed) if item.get("property") == name)


def key_of(file: YamlFile, schema: dict[str, Any]) -> tuple[str, ...]:
    """Names of the primary key properties in their declared order."""
    parts = [p for p in schema.get("properties") or [] if p.get("primaryKey")]
    if not parts:
        file.fail(("schema", 0, "properties"), "no property has primaryKey: true; mark the key")
    parts.sort(key=lambda p: int(p.get("primaryKeyPosition", 1)))
    return tuple(str(p["name"]) for p in parts)
