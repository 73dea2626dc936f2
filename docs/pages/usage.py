"""Usage: where the repository itself uses an operation or a rule, as an example for its page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from tongban.kernel.catalog import Catalog
from tongban.kernel.mappings import FieldMapping, Op


def operations_used(catalog: Catalog) -> dict[str, list[tuple[str, Op]]]:
    """Give incoming operations by name: (place, operation)."""
    found: dict[str, list[tuple[str, Op]]] = {}
    for route in catalog.pull_routes:
        for dataset in route.datasets:
            mapping = catalog.mapping(route.system, dataset)
            _collect(found, f"{route.system}/{dataset}", mapping.fields.values())
    return found


def outgoing_used(catalog: Catalog) -> dict[str, list[tuple[str, Op]]]:
    """Give outgoing operations by name: (place, operation)."""
    found: dict[str, list[tuple[str, Op]]] = {}
    for route in catalog.push_routes:
        mapping = catalog.push_mapping(route.target, route.dataset)
        place = f"{route.target}/{route.dataset}.push"
        _collect(found, place, mapping.fields.values())
        for child in mapping.children.values():
            _collect(found, place, child.fields.values())
    return found


def rules_used(catalog: Catalog) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Give rule kinds: (dataset, parameters)."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for dataset, contract in catalog.contracts().items():
        for rule in contract.rules:
            found.setdefault(rule.kind, []).append((dataset, rule.params))
    return found


def flow(value: Any) -> str:
    """Write a value in one line, as it may stand in a YAML file."""
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000
    )
    return text.removesuffix("\n").removesuffix("...").strip()


def example(found: list[tuple[str, Op]]) -> tuple[str, str]:
    """Give the shortest use of an operation, and how many there are."""
    if not found:
        return "", "0"
    shortest = min(found, key=lambda item: (len(flow(item[1].args)), item[0]))[1]
    written = shortest.name if shortest.args is None else flow({shortest.name: shortest.args})
    return f"`{written}`", str(len(found))


def _collect(
    found: dict[str, list[tuple[str, Op]]], place: str, fields: Iterable[FieldMapping]
) -> None:
    for field in fields:
        for op in field.ops:
            found.setdefault(op.name, []).append((place, op))
