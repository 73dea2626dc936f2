"""Chain: one dataset's fields, each from its sources to every place that it reaches.

Operations are named in the order in which they run; their arguments stand in the mapping, whose
file and line are given. A source that only decides how another one is read (the kind of paper
beside its number) is told apart from one whose value arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tongban.kernel.catalog import Catalog
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.mappings import FieldMapping, Mapping, PushMapping
from tongban.store.datasets import DATA, INDEX_SUFFIX

ColumnKind = Literal["plain", "encrypted", "blind_index"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """How one system's record makes a field.

    Attributes:
        sources: Source paths whose values arrive, in order; none for a constant.
        deciding: Source paths that only decide how these are read.
        operations: Names in order.
        where: `file:line` of the mapping.
    """

    system: str
    sources: tuple[str, ...]
    deciding: tuple[str, ...]
    operations: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the hub's table in which a field lies."""

    table: str
    name: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A field of an outgoing document that is made from a field.

    Attributes:
        dataset: Dataset that is pushed; another one where this one's rows are its children.
        path: Dotted path in the target's record.
        is_masked: Whether the target gets it masked only.
    """

    target: str
    dataset: str
    path: str
    operations: tuple[str, ...]
    is_masked: bool
    where: str


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """One field of a contract, with everything before and behind it."""

    field: str
    label: str
    classification: str
    incoming: tuple[Incoming, ...]
    columns: tuple[Column, ...]
    outgoing: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class DatasetLineage:
    """All fields of a dataset, in the contract's order."""

    dataset: str
    version: str
    label: str
    fields: tuple[ColumnLineage, ...]


def lineage_of(catalog: Catalog, dataset: str) -> DatasetLineage:
    """The lineage of one dataset.

    Raises:
        ConfigInvalid: There is no such dataset, or a mapping of it cannot be read.
    """
    contract = catalog.contract(dataset)
    mappings = [catalog.mapping(system, dataset) for system in catalog.providers(dataset)]
    pushes = [catalog.push_mapping(route.target, route.dataset) for route in catalog.push_routes]
    return DatasetLineage(
        dataset=dataset,
        version=contract.version,
        label=contract.label,
        fields=tuple(
            ColumnLineage(
                field=item.name,
                label=item.label,
                classification=item.classification,
                incoming=tuple(
                    _incoming(mapping, mapping.fields[item.name])
                    for mapping in mappings
                    if item.name in mapping.fields
                ),
                columns=columns_of(contract, item),
                outgoing=tuple(out for push in pushes for out in _outgoing(push, dataset, item)),
            )
            for item in contract.fields
        ),
    )


def columns_of(contract: Contract, item: Field) -> tuple[Column, ...]:
    """Where a field is stored: one column, and beside a sealed one its blind index."""
    table = f"{DATA}.{contract.table}"
    if not item.is_classified:
        return (Column(table, item.name, "plain"),)
    sealed = Column(table, item.name, "encrypted")
    if not item.index:
        return (sealed,)
    return sealed, Column(table, item.name + INDEX_SUFFIX, "blind_index")


def _incoming(mapping: Mapping, made: FieldMapping) -> Incoming:
    return Incoming(
        system=mapping.system,
        sources=made.sources,
        deciding=made.deciding,
        operations=tuple(op.name for op in made.ops),
        where=made.where,
    )


def _outgoing(push: PushMapping, dataset: str, item: Field) -> Iterator[Outgoing]:
    """Every field of one push mapping that reads this field."""
    if push.dataset == dataset:
        yield from _readers(push, push.fields, item, "")
    for path, child in push.children.items():
        if child.dataset == dataset:
            yield from _readers(push, child.fields, item, f"{path}.")


def _readers(
    push: PushMapping, fields: dict[str, FieldMapping], item: Field, prefix: str
) -> Iterator[Outgoing]:
    for target, made in fields.items():
        if item.name in made.sources:
            names = tuple(op.name for op in made.ops)
            yield Outgoing(
                target=push.target,
                dataset=push.dataset,
                path=f"{prefix}{target}",
                operations=names,
                is_masked="mask" in names,
                where=made.where,
            )
