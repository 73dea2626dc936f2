"""Majors: two versions of one contract side by side, each with a name of its own in the hub.

Version 1 of `sale_contract` is the dataset `sale_contract`, version 2 is `sale_contract_v2`: its
own table, mapping, counts, cursor, quarantine, outbox and evidence. Both come from the same pages,
so a department is asked once. A name never changes hands: what is stored under it stays true.
A major is loaded until the last day of its support.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tongban.kernel.systems import AcceptedDataset, PulledDataset, System

_MAJOR_FILE = re.compile(r"^v([1-9][0-9]*)$")
Majors = Callable[[str], tuple[str, ...]]
"""Gives the majors of a dataset that are loaded today, oldest first, by their names."""


def contract_files(root: Path) -> dict[str, dict[int, Path]]:
    """Every contract file below a root, by dataset and major, both ascending."""
    found: dict[str, dict[int, Path]] = {}
    for path in (root / "contracts").glob("*/v*.yaml"):
        match = _MAJOR_FILE.match(path.stem)
        if match is not None:
            found.setdefault(path.parent.name, {})[int(match[1])] = path
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def with_majors(system: System, root: Path, majors: Majors) -> System:
    """A system with one entry per major: what it gives feeds them all.

    The oldest loaded major takes the declared place; newer ones share its pages. What a system
    accepts is an entry for every major that has a mapping to it.
    """
    datasets = _pulled(system.datasets, majors)
    accepts = _accepted(system, root, majors)
    if datasets == system.datasets and accepts == system.accepts:
        return system
    return system.model_copy(update={"datasets": datasets, "accepts": accepts})


def _pulled(declared: dict[str, PulledDataset], majors: Majors) -> dict[str, PulledDataset]:
    """Entries of what is read; a dataset none of whose majors is loaded any more is left out."""
    found: dict[str, PulledDataset] = {}
    for name, item in declared.items():
        first, parent = _first(name, majors), item.shares_pages_of
        holder = first if parent is None else _first(parent, majors)
        if first is None or holder is None:
            continue
        found[first] = item if parent is None else _sharing(holder)
        for newer in majors(name)[1:]:
            found[newer] = _sharing(holder if parent is not None else first)
    return found


def _first(name: str, majors: Majors) -> str | None:
    """The oldest loaded major."""
    return next(iter(majors(name)), None)


def _sharing(parent: str) -> PulledDataset:
    """The same rows, from the pages of another entry."""
    return PulledDataset(shares_pages_of=parent)


def _accepted(system: System, root: Path, majors: Majors) -> dict[str, AcceptedDataset]:
    """Entries of what is sent: the majors that a mapping of this target reads."""
    found: dict[str, AcceptedDataset] = {}
    for name, item in system.accepts.items():
        loaded = majors(name)
        wanted = [m for m in loaded if push_mapping_file(root, system.system, m).is_file()]
        for major in wanted or loaded[:1]:
            found[major] = item
    return found


def push_mapping_file(root: Path, target: str, dataset: str) -> Path:
    """The mapping of the way out."""
    return root / "mappings" / target / f"{dataset}.push.yaml"
