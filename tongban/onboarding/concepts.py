"""Concepts: every field that our contracts know, with all names and labels it has been seen under.

Made from the live catalog: contracts give name, label, type, class and rules; mappings give the
names that departments use and the operations that clean them. A new department thus profits from
all that were connected before it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from tongban.kernel.catalog import Catalog
from tongban.kernel.contracts import CLASSIFICATIONS, Field, Rule
from tongban.kernel.errors import ConfigInvalid
from tongban.onboarding.vocabulary import WORDS

SINGLE_FIELD_RULES = frozenset(
    {
        "resident_id",
        "credit_code",
        "registration_no",
        "real_estate_unit",
        "certificate_no",
        "licence_id",
        "phone",
        "not_future",
    }
)
# Operations that clean a value whatever its source; formats and code tables are a source's own.
SAFE_OPERATIONS = frozenset(
    {
        "resident_id",
        "credit_code",
        "person_name",
        "unit_no",
        "certificate_no",
        "half_width",
        "upper",
    }
)


@dataclasses.dataclass(slots=True)
class Concept:
    """One field of ours, over all datasets that have it.

    Attributes:
        field: Its declaration in the contract that protects it most.
        datasets: Contracts that have it.
        sources: Lower-case source names → in how many mappings.
        operations: Operations that are safe to propose.
    """

    name: str
    field: Field
    labels: set[str] = dataclasses.field(default_factory=set)
    sources: Counter[str] = dataclasses.field(default_factory=Counter)
    operations: list[str] = dataclasses.field(default_factory=list)
    datasets: set[str] = dataclasses.field(default_factory=set)
    rules: dict[str, Rule] = dataclasses.field(default_factory=dict)


def concepts_of(catalog: Catalog, *, only: str | None = None) -> dict[str, Concept]:
    """All concepts of a catalog, or those of one dataset's contract alone, by name."""
    found: dict[str, Concept] = {}
    names = catalog.datasets if only is None else (only,)
    for dataset in names:
        contract = catalog.contract(dataset)
        for item in contract.fields:
            concept = found.setdefault(item.name, Concept(item.name, item))
            concept.labels.add(item.label)
            concept.datasets.add(dataset)
            if _strictness(item) > _strictness(concept.field):
                concept.field = item
        for rule in contract.rules:
            if rule.kind in SINGLE_FIELD_RULES and len(rule.fields) == 1:
                found[rule.fields[0]].rules.setdefault(rule.kind, rule)
    _learn_sources(catalog, found)
    for word, target in WORDS.items():
        if target in found:
            found[target].sources.setdefault(word, 0)
    return found


def _strictness(item: Field) -> int:
    return CLASSIFICATIONS.index(item.classification)


def _learn_sources(catalog: Catalog, found: dict[str, Concept]) -> None:
    """What departments call the fields, from every mapping of the way in."""
    every = [(name, dataset) for dataset in catalog.datasets for name in catalog.providers(dataset)]
    for provider, dataset in every:
        try:
            mapping = catalog.mapping(provider, dataset)
        except ConfigInvalid:
            continue  # another draft that is not finished yet
        for target, made in mapping.fields.items():
            if target not in found or len(made.sources) != 1:
                continue
            concept = found[target]
            concept.sources[plain(made.sources[0].rpartition(".")[2])] += 1
            safe = [op.name for op in made.ops if op.name in SAFE_OPERATIONS and not op.args]
            if safe and not concept.operations:
                concept.operations = safe


def plain(name: str) -> str:
    """A name without case, underscores and dashes."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
