"""The case catalogue: organs, service groups, items and flows, read once and cross-checked.

Lies beside the data catalog and needs it only for `check`: a flow names systems and datasets that
must exist. `tongban check` prints what is wrong here with the rest, as file:line.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import Field

from tongban.cases.flows import Flow, FlowStep, Title, load_flow
from tongban.cases.items import Item, Placed, Strict, read_items, unknown
from tongban.kernel.calendar import load_calendar
from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.identifiers import credit_code
from tongban.kernel.yamlfile import YamlFile, load_yaml, parse_model

FOLDER = "cases"
_PROVIDES, _ACCEPTS, _COMPARES = "provides", "accepts", "compares"


@dataclass(frozen=True, slots=True)
class Organ:
    """A department of the city or the district."""

    code: str
    name: str
    level: str


class Group(Strict):
    """Departments that share one window (§6.3), and the datasets that they need for it."""

    title: Title
    organs: tuple[str, ...]
    datasets: tuple[str, ...] = ()


class _GroupFile(Strict):
    groups: dict[str, Group] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many items there are, by the cuts of the notice (§3(1))."""

    all: int
    power: int
    public_service: int
    city: int
    city_power: int
    city_public_service: int
    district: int
    district_power: int
    district_public_service: int


# Notice 平政办发〔2018〕179号 §3(1).
REFERENCE = Totals(1887, 1455, 432, 972, 835, 137, 915, 620, 295)


def case_problems(catalog: Catalog) -> list[str]:
    """What is wrong in the folder `cases/`, one line each; nothing where a root has none."""
    if not (catalog.root / FOLDER).is_dir():
        return []
    return CaseCatalogue(catalog.root).check(catalog)


def calendar_warnings(catalog: Catalog) -> list[str]:
    """The alarm that the official calendar ends soon, as seen on the catalog's day."""
    folder = catalog.root / "mappings" / "calendar"
    if not folder.is_dir():
        return []
    alarm = load_calendar(folder).alarm(catalog.today)
    return [str(alarm)] if alarm else []


class CaseCatalogue:
    """Everything of the folder `cases/`.

    Args:
        root: The folder that holds contracts/, mappings/ and cases/.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / FOLDER

    @cached_property
    def organs(self) -> dict[str, Organ]:
        """Organs by credit code."""
        path = self._folder / "organs.csv"
        shown = f"{FOLDER}/{path.name}"
        found: dict[str, Organ] = {}
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                where, code = f"{shown}:{reader.line_num}", row["code"]
                if not credit_code(code).is_valid:
                    raise ConfigInvalid(f"{where}: not a valid credit code")
                if code in found:
                    raise ConfigInvalid(f"{where}: the organ stands twice; keep one line")
                found[code] = Organ(code, row["name"], row["level"])
        return found

    @cached_property
    def _groups(self) -> tuple[dict[str, Group], YamlFile]:
        file = load_yaml(self._folder / "service_groups.yaml", root=self.root)
        return parse_model(file, _GroupFile).groups, file

    @property
    def groups(self) -> dict[str, Group]:
        """The groups that share a window, by name."""
        return self._groups[0]

    @cached_property
    def _items(self) -> dict[tuple[str, int], Placed]:
        found: dict[tuple[str, int], Placed] = {}
        for placed in read_items(self._folder / "items", self.root):
            key = (placed.item.code, placed.item.version)
            if key in found:
                raise ConfigInvalid(
                    f"{placed.place}: version {key[1]} of this item also stands in "
                    f"{found[key].place}; keep one or raise the version"
                )
            found[key] = placed
        return found

    @cached_property
    def items(self) -> dict[str, Item]:
        """Items by code, each in its newest version."""
        ordered = sorted(self._items.items())
        return {code: placed.item for (code, _), placed in ordered}

    def item(self, code: str, version: int | None = None) -> Item:
        """One item; its newest version unless one is given.

        Raises:
            ConfigInvalid: There is none.
        """
        if version is not None and (code, version) in self._items:
            return self._items[code, version].item
        if version is not None or code not in self.items:
            which = f" in version {version}" if version is not None else ""
            raise ConfigInvalid(f"no item has the code {code}{which}; see `tongban items`")
        return self.items[code]

    @cached_property
    def _flows(self) -> dict[str, tuple[Flow, YamlFile]]:
        paths = sorted((self._folder / "flows").glob("*.yaml"))
        return {path.stem: load_flow(path, root=self.root) for path in paths}

    @cached_property
    def flows(self) -> dict[str, Flow]:
        """Flows by name."""
        return {name: flow for name, (flow, _) in self._flows.items()}

    def totals(self) -> Totals:
        """Count the items by the cuts of the notice."""
        count: Counter[str] = Counter()
        for item in self.items.values():
            count.update(("all", item.type, item.level, f"{item.level}_{item.type}"))
        return Totals(**{name: count[name] for name in Totals.__slots__})

    def check(self, catalog: Catalog) -> list[str]:
        """Read and cross-check everything; one line per problem (file:line)."""
        problems: list[str] = []

        def attempt(action: Callable[[], object]) -> bool:
            try:
                action()
            except ConfigInvalid as exc:
                problems.append(str(exc))
                return False
            return True

        read = [
            attempt(lambda name=name: getattr(self, name))  # type: ignore[misc]
            for name in ("organs", "_groups", "_items", "_flows")
        ]
        if not all(read):
            return problems
        for action in (*self._group_checks(catalog), *self._item_checks(catalog)):
            attempt(action)
        for flow, file in self._flows.values():
            attempt(lambda f=flow, at=file: self._check_flow(f, at, catalog))  # type: ignore[misc]
        return problems

    def _group_checks(self, catalog: Catalog) -> Iterable[Callable[[], None]]:
        groups, file = self._groups
        for name, group in groups.items():
            yield lambda n=name, g=group: self._check_group(file, n, g, catalog)  # type: ignore[misc]

    def _check_group(self, file: YamlFile, name: str, group: Group, catalog: Catalog) -> None:
        for at, code in enumerate(group.organs):
            if code not in self.organs:
                file.fail(("groups", name, "organs", at), unknown(code, self.organs, "organ"))
        for at, dataset in enumerate(group.datasets):
            if dataset not in catalog.datasets:
                where = ("groups", name, "datasets", at)
                file.fail(where, unknown(dataset, catalog.datasets, "dataset"))

    def _item_checks(self, catalog: Catalog) -> Iterable[Callable[[], None]]:
        for placed in self._items.values():
            yield lambda p=placed: self._check_item(p, catalog)  # type: ignore[misc]

    def _check_item(self, placed: Placed, catalog: Catalog) -> None:
        item, place = placed.item, placed.place
        if item.organ not in self.organs:
            raise ConfigInvalid(f"{place}: {unknown(item.organ, self.organs, 'organ')}")
        if self.organs[item.organ].level != item.level:
            raise ConfigInvalid(f"{place}: its organ is of another level than the item")
        if item.group is not None and item.group not in self.groups:
            raise ConfigInvalid(f"{place}: {unknown(item.group, self.groups, 'service group')}")
        for material in item.materials:
            name = material.from_dataset
            if name is not None and name not in catalog.datasets:
                raise ConfigInvalid(f"{place}: {unknown(name, catalog.datasets, 'dataset')}")
        if item.flow is not None:
            if item.flow not in self.flows:
                raise ConfigInvalid(f"{place}: {unknown(item.flow, self.flows, 'flow')}")
            if self.flows[item.flow].item != item.code:
                raise ConfigInvalid(f"{place}: the flow {item.flow} handles another item")

    def _check_flow(self, flow: Flow, file: YamlFile, catalog: Catalog) -> None:
        if flow.item not in self.items:
            file.fail(("item",), "no item has this code; see `tongban items`")
        if flow.lead not in self.organs:
            file.fail(("lead",), unknown(flow.lead, self.organs, "organ"))
        item = self.items[flow.item]
        if item.flow != flow.flow:
            file.fail(("item",), f"the item does not name this flow; add `flow: {flow.flow}` to it")
        if flow.longest_days() > item.promise_days:
            file.fail(
                ("steps",),
                f"the longest way takes {flow.longest_days()} working days, the item promises "
                f"{item.promise_days}",
            )
        for code, step in flow.steps.items():
            self._check_step(file, ("steps", code), step, catalog)

    def _check_step(
        self, file: YamlFile, where: tuple[str, str], step: FlowStep, catalog: Catalog
    ) -> None:
        if step.department is not None and step.department not in self.organs:
            file.fail((*where, "department"), unknown(step.department, self.organs, "organ"))
        if step.system is None:
            return
        if step.system not in catalog.systems:
            file.fail((*where, "system"), unknown(step.system, catalog.systems, "system"))
        system = catalog.systems[step.system]
        offers = {
            "pull": (_PROVIDES, set(system.datasets)),
            "push": (_ACCEPTS, set(system.accepts)),
            "compare": (_COMPARES, set(system.compares)),
        }
        if step.mode in offers and step.dataset is not None:
            verb, known = offers[step.mode]
            if step.dataset not in known:
                hint = unknown(step.dataset, known, "dataset")
                file.fail((*where, "dataset"), f"{hint}; {step.system} {verb} none of that name")
