"""Relationships: what contracts say about each other's keys, held against each other.

A relationship `to: dataset.field` becomes a foreign key where both tables stand in one database,
so it has to lead to a field that exists, of the same type, and never back to where it began: no
order of loading could satisfy a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tongban.kernel.contracts import Contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion


@dataclass(frozen=True, slots=True)
class Link:
    """One declared relationship.

    Attributes:
        dataset, field: Where it begins.
        to_dataset, to_field: Where it leads.
        where: `file:line`.
    """

    dataset: str
    field: str
    to_dataset: str
    to_field: str
    where: str


def links_of(contract: Contract, *, root: Path | None = None) -> tuple[Link, ...]:
    """The relationships of one contract, in file order."""
    file = load_yaml(contract.path, root=root)
    return tuple(_links(file, contract.dataset))


def _links(file: YamlFile, dataset: str) -> Iterator[Link]:
    for i, item in enumerate(file.data["schema"][0].get("properties") or []):
        for j, link in enumerate(item.get("relationships") or []):
            to_dataset, _, to_field = str(link.get("to") or "").rpartition(".")
            where = file.at(("schema", 0, "properties", i, "relationships", j))
            yield Link(dataset, str(item.get("name")), to_dataset, to_field, where)


def check_links(contract: Contract, others: Mapping[str, Contract], *, root: Path) -> None:
    """Hold one contract's relationships against the contracts that they lead to.

    Raises:
        ConfigInvalid: To a contract or a field that does not exist, to itself, or to another type.
    """
    for link in links_of(contract, root=root):
        target = others.get(link.to_dataset)
        if target is None:
            hint = suggestion(link.to_dataset, others)
            raise ConfigInvalid(f'{link.where}: no contract "{link.to_dataset}"{hint}')
        if link.to_field not in target.by_name:
            hint = suggestion(link.to_field, target.by_name)
            raise ConfigInvalid(
                f'{link.where}: the contract {link.to_dataset} has no field "{link.to_field}"{hint}'
            )
        ours, theirs = contract.field(link.field), target.field(link.to_field)
        if ours.type != theirs.type:
            raise ConfigInvalid(
                f"{link.where}: {link.field} is {ours.type}, but {link.to_dataset}.{link.to_field} "
                f"is {theirs.type}; both ends of a relationship have one type"
            )


def circles(contracts: Mapping[str, Contract], *, root: Path) -> Iterator[str]:
    """Every circle of relationships once, as one line with the file:line of one of its links."""
    links = {name: links_of(item, root=root) for name, item in contracts.items()}
    done: set[str] = set()
    for start in links:
        way: list[Link] = []
        yield from _walk(start, links, way, done)


def _walk(
    name: str, links: Mapping[str, tuple[Link, ...]], way: list[Link], done: set[str]
) -> Iterator[str]:
    """Depth first; what is done leads into no circle that was not told already."""
    if name in done:
        return
    for link in links.get(name, ()):
        way.append(link)
        path = [step.dataset for step in way]
        if link.to_dataset in path:
            round_ = [*path[path.index(link.to_dataset) :], link.to_dataset]
            yield (
                f"{link.where}: the relationships go in a circle: {' → '.join(round_)}; "
                "a reference leads from the part to the whole, take one of them away"
            )
        else:
            yield from _walk(link.to_dataset, links, way, done)
        way.pop()
    done.add(name)
