"""The catalog: every system, mapping, contract and code table, loaded once and cross-checked.

DAG files ask it for routes when they are parsed, so the parts are read lazily; `check` reads
everything and is what `tongban check` and the tests run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import (
    Mapping,
    PushMapping,
    check_mapping,
    check_push_mapping,
    load_mapping,
    load_push_mapping,
)
from tongban.kernel.odcs import check_contract
from tongban.kernel.systems import System, load_system
from tongban.kernel.yamlfile import suggestion

HUB = "hub"  # owner of the datasets that the hub itself makes


@dataclass(frozen=True, slots=True)
class PullRoute:
    """One pull DAG: the dataset whose pages are fetched, and all datasets inside those pages.

    Attributes:
        datasets: Children first, the main dataset last, so that a parent's Asset finds its
            children stored.
        name: The dataset; `<system>_<dataset>` where several systems provide it.
    """

    system: str
    dataset: str
    datasets: tuple[str, ...]
    protocol: str
    schedule: str | None
    name: str

    @property
    def dag_id(self) -> str:
        """The DAG that pulls it."""
        return f"pull_{self.name}"


@dataclass(frozen=True, slots=True)
class PushRoute:
    """One push DAG: a dataset on its way to one target."""

    target: str
    dataset: str
    protocol: str

    @property
    def name(self) -> str:
        """`<target>_<dataset>`, unique among push routes."""
        return f"{self.target}_{self.dataset}"


class Catalog:
    """All declared systems, contracts, mappings and code tables below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.codes = CodeTables(root / "mappings" / "codes")
        self._contracts: dict[str, Contract] = {}
        self._mappings: dict[tuple[str, str], Mapping] = {}
        self._push_mappings: dict[tuple[str, str], PushMapping] = {}

    @cached_property
    def systems(self) -> dict[str, System]:
        """Every system of connectors/systems/, by name."""
        folder = self.root / "connectors" / "systems"
        found: dict[str, System] = {}
        for path in sorted(folder.glob("*.yaml")):
            system = load_system(path, root=self.root)
            if system.system != path.stem:
                raise ConfigInvalid(
                    f"{path.name}:1: system is {system.system!r}, expected the file's name "
                    f"{path.stem!r}; rename one of them"
                )
            found[system.system] = system
        return found

    def system(self, name: str) -> System:
        """The system of that name.

        Raises:
            ConfigInvalid: There is none; with a suggestion.
        """
        if name not in self.systems:
            raise ConfigInvalid(f'no system "{name}"{suggestion(name, self.systems)}')
        return self.systems[name]

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that has a contract, by name."""
        return tuple(sorted(p.parent.name for p in (self.root / "contracts").glob("*/v1.yaml")))

    def contract(self, dataset: str) -> Contract:
        """The current contract of a dataset (its highest major version).

        Raises:
            ConfigInvalid: There is none; with a suggestion.
        """
        if dataset not in self._contracts:
            folder = self.root / "contracts" / dataset
            versions = sorted(folder.glob("v*.yaml"), key=lambda p: int(p.stem[1:]))
            if not versions:
                hint = suggestion(dataset, self.datasets)
                raise ConfigInvalid(f'no contract for dataset "{dataset}"{hint}')
            self._contracts[dataset] = load_contract(versions[-1], root=self.root)
        return self._contracts[dataset]

    def contracts(self) -> dict[str, Contract]:
        """Every dataset's current contract."""
        return {name: self.contract(name) for name in self.datasets}

    def mapping(self, system: str, dataset: str) -> Mapping:
        """The mapping of the way in (ConfigInvalid when there is no such file)."""
        key = (system, dataset)
        if key not in self._mappings:
            path = self.root / "mappings" / system / f"{dataset}.yaml"
            self._mappings[key] = load_mapping(path, root=self.root)
        return self._mappings[key]

    def push_mapping(self, target: str, dataset: str) -> PushMapping:
        """The mapping of the way out (ConfigInvalid when there is no such file)."""
        key = (target, dataset)
        if key not in self._push_mappings:
            path = self.root / "mappings" / target / f"{dataset}.push.yaml"
            self._push_mappings[key] = load_push_mapping(path, root=self.root)
        return self._push_mappings[key]

    @cached_property
    def pull_routes(self) -> tuple[PullRoute, ...]:
        """One route per dataset that is fetched by itself, ordered by system and dataset."""
        routes = []
        for name, system in sorted(self.systems.items()):
            for dataset, declared in sorted(system.datasets.items()):
                if declared.shares_pages_of is not None:
                    continue
                children = tuple(
                    other
                    for other, item in sorted(system.datasets.items())
                    if item.shares_pages_of == dataset
                )
                is_sole = len(self.providers(dataset)) == 1
                routes.append(
                    PullRoute(
                        system=name,
                        dataset=dataset,
                        datasets=(*children, dataset),
                        protocol=system.protocol,
                        schedule=declared.schedule,
                        name=dataset if is_sole else f"{name}_{dataset}",
                    )
                )
        return tuple(routes)

    @cached_property
    def push_routes(self) -> tuple[PushRoute, ...]:
        """One route per (target, dataset) that a system accepts, ordered by both."""
        return tuple(
            PushRoute(target=name, dataset=dataset, protocol=system.protocol)
            for name, system in sorted(self.systems.items())
            for dataset in sorted(system.accepts)
        )

    def pull_route(self, dataset: str, system: str | None = None) -> PullRoute:
        """The route that brings a dataset, itself or inside another's pages.

        Args:
            dataset: What is wanted.
            system: From where; needed only where several systems provide it.

        Raises:
            ConfigInvalid: Nobody provides it, the named system does not, or several do and none
                was named.
        """
        providers = self.providers(dataset)
        if not providers:
            known = [name for route in self.pull_routes for name in route.datasets]
            raise ConfigInvalid(
                f'no system provides the dataset "{dataset}"{suggestion(dataset, known)}'
            )
        if system is None and len(providers) > 1:
            raise ConfigInvalid(
                f'{len(providers)} systems provide the dataset "{dataset}": '
                f"{', '.join(providers)}; name the one that is meant"
            )
        wanted = system or providers[0]
        for route in self.pull_routes:
            if route.system == wanted and dataset in route.datasets:
                return route
        raise ConfigInvalid(
            f'{wanted} does not provide the dataset "{dataset}"; '
            f"{', '.join(providers)} {'does' if len(providers) == 1 else 'do'}"
        )

    def push_route(self, target: str, dataset: str) -> PushRoute:
        """The route of a dataset to a target."""
        for route in self.push_routes:
            if (route.target, route.dataset) == (target, dataset):
                return route
        known = [route.name for route in self.push_routes]
        name = f"{target}_{dataset}"
        raise ConfigInvalid(f'{target} does not accept "{dataset}"{suggestion(name, known)}')

    def providers(self, dataset: str) -> tuple[str, ...]:
        """The systems that a dataset comes from, ordered; none where the hub makes it itself."""
        return tuple(
            name for name, item in sorted(self.systems.items()) if dataset in item.datasets
        )

    def subscribers(self, dataset: str) -> tuple[str, ...]:
        """Targets to which a dataset is pushed, ordered."""
        return tuple(r.target for r in self.push_routes if r.dataset == dataset)

    def check(self) -> list[str]:
        """Read and cross-check everything; give every problem found as one line (file:line)."""
        problems: list[str] = []

        def attempt(action: Callable[[], object]) -> None:
            try:
                action()
            except ConfigInvalid as exc:
                problems.append(str(exc))

        attempt(lambda: self.systems)
        if problems:
            return problems
        for dataset in self.datasets:
            for path in sorted((self.root / "contracts" / dataset).glob("v*.yaml")):
                attempt(lambda path=path: check_contract(path, root=self.root))  # type: ignore[misc]
            attempt(lambda dataset=dataset: self._check_codes(dataset))  # type: ignore[misc]
        for route in self.pull_routes:
            for dataset in route.datasets:
                attempt(lambda s=route.system, d=dataset: self._check_in(s, d))  # type: ignore[misc]
        attempt(self._check_names)
        for push in self.push_routes:
            attempt(lambda push=push: self._check_out(push))  # type: ignore[misc]
        return list(dict.fromkeys(problems))

    def _check_codes(self, dataset: str) -> None:
        """Every code table that a contract names exists."""
        for item in self.contract(dataset).fields:
            if item.code_table is not None:
                self.codes.table(item.code_table)

    def _check_in(self, system: str, dataset: str) -> None:
        """A pulled dataset has a mapping that fits its contract."""
        check_mapping(self.mapping(system, dataset), self.contract(dataset), root=self.root)
        self._check_mark(system, dataset)

    def _check_mark(self, system: str, dataset: str) -> None:
        """Records of several providers can never be taken for each other.

        Fields of the key are constants in each mapping, and no two providers have the same ones.
        """
        providers = self.providers(dataset)
        if len(providers) < 2:  # noqa: PLR2004 - nobody to be mistaken for
            return
        mapping, key = self.mapping(system, dataset), self.contract(dataset).key
        mark = self._constants(mapping, key)
        twin = next(
            (
                other
                for other in providers
                if other != system and self._constants(self.mapping(other, dataset), key) == mark
            ),
            None,
        )
        if not mark or twin:
            raise ConfigInvalid(
                f"{mapping.path.relative_to(self.root)}:1: {len(providers)} systems provide "
                f"{dataset}, so one field of its key must be a constant of this system; found "
                + (f"the same as {twin}'s" if mark else "none")
            )

    def _check_names(self) -> None:
        """No two pulls have one name, and so one DAG."""
        names = [route.name for route in self.pull_routes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigInvalid(
                f"two pulls are named {', '.join(twice)}; rename a system or a dataset"
            )

    @staticmethod
    def _constants(mapping: Mapping, key: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Fields of the key that a mapping fills with a constant, and with which."""
        return tuple(
            (name, str(op.args["value"] if isinstance(op.args, dict) else op.args))
            for name in key
            if name in mapping.fields and not mapping.fields[name].sources
            for op in mapping.fields[name].ops
            if op.name == "constant"
        )

    def _check_out(self, route: PushRoute) -> None:
        """A pushed dataset has an outgoing mapping that fits its contracts."""
        mapping = self.push_mapping(route.target, route.dataset)
        wanted = [mapping.dataset, *(child.dataset for child in mapping.children.values())]
        contracts = {name: self.contract(name) for name in wanted}
        check_push_mapping(mapping, contracts, root=self.root)


def load_catalog(root: Path) -> Catalog:
    """The catalog of a root folder; parts are read when they are asked for."""
    return Catalog(root)
