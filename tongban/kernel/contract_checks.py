"""Contract checks: what `tongban check` asks of a contract beyond what loading needs.

Loading takes words such as a mask's or a promise's name as they are; a misspelt one would do
nothing, silently. Here each word is held against its closed list, each bound against its twin.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from tongban.kernel.contracts import Contract
from tongban.kernel.yamlfile import Where, YamlFile, suggestion

MASKS = frozenset({"address", "amount", "code", "name", "phone", "resident_id", "text"})
INDEXES = frozenset({"subject"})
PHYSICAL_TYPES = frozenset(
    {
        "bigint", "boolean", "char", "date", "integer", "numeric", "smallint", "text", "time",
        "timestamp", "timestamptz", "varchar",
    }
)  # fmt: skip
PROMISES = frozenset(
    {
        "availability", "endOfLife", "endOfSupport", "errorRate", "freshness", "frequency",
        "generalAvailability", "latency", "retention", "throughput", "timeOfAvailability",
        "timeToDetect", "timeToNotify", "timeToRepair", "volume",
    }
)  # fmt: skip
"""ODCS 3.2's own names, and `freshness`, `timeOfAvailability` and `volume`, which tools know."""
_PAIRS = (("minimum", "maximum"), ("minLength", "maxLength"))
_PHYSICAL_NAME = re.compile(r"^\s*([A-Za-z]+)")


def check_words(file: YamlFile, contract: Contract) -> None:
    """Hold every word of a loaded contract against its closed list.

    Raises:
        ConfigInvalid: The first one that is in none; with file:line and a suggestion.
    """
    schema = file.data["schema"][0]
    for i, item in enumerate(schema.get("properties") or []):
        where: Where = ("schema", 0, "properties", i)
        _check_property(file, where, item)
    for i, promise in enumerate(file.data.get("slaProperties") or []):
        _check_promise(file, ("slaProperties", i), promise, contract, str(schema["name"]))


def _check_property(file: YamlFile, where: Where, item: dict[str, Any]) -> None:
    """Physical type, both bounds, mask and index of one property."""
    found = _PHYSICAL_NAME.match(str(item.get("physicalType") or ""))
    if found is not None:
        _one_of(file, (*where, "physicalType"), "physicalType", found[1].lower(), PHYSICAL_TYPES)
    options = item.get("logicalTypeOptions") or {}
    for low, high in _PAIRS:
        low_value, high_value = options.get(low), options.get(high)
        if low_value is not None and high_value is not None and low_value > high_value:
            file.fail((*where, "logicalTypeOptions"), f"{low} is above {high}; nothing could pass")
    for j, custom in enumerate(item.get("customProperties") or []):
        place = (*where, "customProperties", j, "value")
        for name, known in (("mask", MASKS), ("index", INDEXES)):
            if custom.get("property") == name:
                _one_of(file, place, name, str(custom.get("value")), known)


def _check_promise(
    file: YamlFile, where: Where, promise: dict[str, Any], contract: Contract, schema: str
) -> None:
    """Name and element of one promise."""
    name = str(promise.get("property"))
    _one_of(file, (*where, "property"), "slaProperties property", name, PROMISES)
    known = {schema, *(f"{schema}.{item.name}" for item in contract.fields)}
    for element in str(promise.get("element") or schema).split(","):
        _one_of(file, (*where, "element"), "element", element.strip(), known)


def _one_of(file: YamlFile, where: Where, what: str, word: str, known: Collection[str]) -> None:
    if word not in known:
        file.fail(where, f'unknown {what} "{word}"{suggestion(word, known)}')
