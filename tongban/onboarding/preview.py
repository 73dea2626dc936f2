"""Preview: a few rows of a system on their way source → mapping → contract, masked, never stored.

What a contract masks is masked on both sides: a source value is shown as the strictest of the
fields that it feeds. Source values that feed nothing are not read at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tongban.kernel.catalog import Catalog
from tongban.kernel.connections import Connection
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.ledger import Ledger
from tongban.kernel.mappings import Mapping as DatasetMapping
from tongban.kernel.records import Window
from tongban.normalize import apply
from tongban.onboarding.asking import asking, first_page
from tongban.protect import mask
from tongban.rows import DatasetPlan, compile_dataset
from tongban.validate import Validated, check, explain

HIDDEN_KIND = "text"  # for a classified field whose contract names no mask


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row: as it came, as it became, and what its contract says; values masked.

    Attributes:
        outcome: accepted, warned, or quarantined.
        findings: Broken rules: id, field and severity.
    """

    source: dict[str, str | None]
    target: dict[str, str | None]
    outcome: str
    findings: list[dict[str, str | None]]


@dataclass(frozen=True, slots=True)
class Preview:
    """What one short page gave.

    Attributes:
        declared_total: The source's own count of the window, where it gives one.
        unknown_fields: Names in the answer that the mapping neither uses nor ignores.
        labels: Contract field → its Chinese name.
        sources: Contract field → source fields that it is made from.
    """

    system: str
    dataset: str
    declared_total: int | None
    unknown_fields: list[str]
    rows: list[PreviewRow]
    labels: dict[str, str]
    sources: dict[str, list[str]]


def preview(
    catalog: Catalog,
    system: str,
    dataset: str,
    connection: Connection,
    window: Window,
    *,
    rows: int = 5,
    ledger: Ledger | None = None,
) -> Preview:
    """Read one short page and show its rows; the call counts in the ledger, where one is given.

    Raises:
        ConfigInvalid: Mapping, contract or code tables do not fit together.
        TongbanError: Whatever the call ended with.
    """
    plan = compile_dataset(catalog, system, dataset)
    mapping = catalog.mapping(system, dataset)
    labels = {item.name: item.label for item in plan.contract.fields}
    sources = {name: list(made.sources) for name, made in mapping.fields.items()}
    declared = catalog.system(system)
    with asking(declared, connection, catalog.root, rows=rows, ledger=ledger) as asked:
        page = first_page(asked.connector, dataset, window)
        if page is None:
            return Preview(system, dataset, None, [], [], labels, sources)
        decoded = asked.connector.decode(dataset, page.body, plan.shape)
    return Preview(
        system=system,
        dataset=dataset,
        declared_total=page.declared_total,
        unknown_fields=sorted(decoded.unknown_fields),
        rows=judged(plan, mapping, decoded.frame.head(rows)),
        labels=labels,
        sources=sources,
    )


def judged(plan: DatasetPlan, mapping: DatasetMapping, given: pl.DataFrame) -> list[PreviewRow]:
    """Rows of text columns through mapping and contract, masked."""
    normalized = apply(plan.normalize, given)
    found = check(plan.validate, normalized, refuse_dirty=False)
    masks = source_masks(mapping, plan.contract)
    rows = []
    for number, (before, after) in enumerate(
        zip(given.to_dicts(), normalized.frame.to_dicts(), strict=True)
    ):
        findings = _findings(plan, found, number)
        rows.append(
            PreviewRow(
                source={name: _shown(masks.get(name), before[name]) for name in given.columns},
                target={
                    item.name: _shown(mask_of(item), after.get(item.name))
                    for item in plan.contract.fields
                },
                outcome=_outcome(findings),
                findings=findings,
            )
        )
    return rows


def mask_of(field: Field) -> str | None:
    """The mask that a field is shown with; classified fields always have one."""
    if field.mask is not None:
        return field.mask
    return HIDDEN_KIND if field.classification in {"sensitive", "restricted"} else None


def source_masks(mapping: DatasetMapping, contract: Contract) -> Mapping[str, str]:
    """Source field → mask; one that feeds differently masked fields is not shown at all."""
    found: dict[str, str] = {}
    for target, made in mapping.fields.items():
        field = contract.by_name.get(target)
        kind = mask_of(field) if field is not None else HIDDEN_KIND
        if kind is None:
            continue
        for source in made.sources:
            known = found.setdefault(source, kind)
            found[source] = kind if known == kind and len(made.sources) == 1 else HIDDEN_KIND
    fed = {source for made in mapping.fields.values() for source in made.sources}
    for source in mapping.shape.fields:  # keys that no field is made from: nobody classified them
        if source not in fed:
            found[source] = HIDDEN_KIND
    return found


def _findings(plan: DatasetPlan, found: Validated, row: int) -> list[dict[str, str | None]]:
    broken = explain(plan.validate, *(int(word[row]) for word in found.masks))
    rules = [plan.validate.rule(rule_id) for rule_id in broken]
    return [
        {
            "rule": rule.id,
            "field": rule.fields[0] if rule.fields else None,
            "severity": rule.severity,
        }
        for rule in rules
    ]


def _outcome(findings: list[dict[str, str | None]]) -> str:
    if any(item["severity"] == "error" for item in findings):
        return "quarantined"
    return "warned" if findings else "accepted"


def _shown(kind: str | None, value: Any) -> str | None:
    if value is None:
        return None
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if kind is None else mask(kind, text)
