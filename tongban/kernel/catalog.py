"""The catalog: every system, mapping, contract and code table, loaded once and cross-checked.

DAG files ask it for routes when they are parsed, so the parts are read lazily; `check` reads
everything and is what `tongban check` and the tests run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from tongban.kernel.agreements import agreement_problems, check_codes
from tongban.kernel.codes import CodeTables
from tongban.kernel.contract_terms import END_OF_SUPPORT, major_name
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.major_checks import check_mapping_name, major_problems
from tongban.kernel.majors import contract_files, push_mapping_file, with_majors
from tongban.kernel.mappings import (
    Mapping,
    PushMapping,
    check_mapping,
    check_push_mapping,
    load_mapping,
    load_push_mapping,
)
from tongban.kernel.odcs import check_contract
from tongban.kernel.records import BEIJING
from tongban.kernel.systems import System, load_system
from tongban.kernel.yamlfile import suggestion

DRAFTS = frozenset({"draft", "proposed"})
HUB = "hub"  # owner of the datasets that the hub itself makes


@dataclass(frozen=True, slots=True)
class PullRoute:
    """One pull DAG: the dataset whose pages are fetched, and all datasets inside those pages.

    Attributes:
        datasets: Children first, then newer majors of the main dataset, itself last, so that a
            parent's Asset finds its children stored.
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
    """All declared systems, contracts, mappings and code tables below one root folder.

    A dataset's majors have names of their own (`tongban.kernel.majors`); `dataset` below is such a
    name, which for version 1 is the dataset's own.

    Args:
        root: Folder with contracts/, mappings/ and connectors/systems/.
        today: Day that ends of support are held against; the present one when not given.
    """

    def __init__(self, root: Path, today: date | None = None) -> None:
        self.root = root
        self.today = today or datetime.now(BEIJING).date()
        self.codes = CodeTables(root / "mappings" / "codes")
        self._contracts: dict[str, Contract] = {}
        self._mappings: dict[tuple[str, str], Mapping] = {}
        self._push_mappings: dict[tuple[str, str], PushMapping] = {}

    @cached_property
    def systems(self) -> dict[str, System]:
        """Every system of connectors/systems/, by name, with an entry for each loaded major."""
        folder = self.root / "connectors" / "systems"
        found: dict[str, System] = {}
        for path in sorted(folder.glob("*.yaml")):
            system = load_system(path, root=self.root)
            if system.system != path.stem:
                raise ConfigInvalid(
                    f"{path.name}:1: system is {system.system!r}, expected the file's name "
                    f"{path.stem!r}; rename one of them"
                )
            found[system.system] = with_majors(system, self.root, self.majors)
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
    def contract_files(self) -> dict[str, dict[int, Path]]:
        """Every contract file, by the dataset's own name and major."""
        return contract_files(self.root)

    @cached_property
    def _paths(self) -> dict[str, tuple[str, Path]]:
        """Every major by its name in the hub: the dataset's own name, and the file."""
        return {
            major_name(name, major): (name, path)
            for name, files in self.contract_files.items()
            for major, path in files.items()
        }

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that has a contract, each major by its name; no draft of a newer one."""
        return tuple(sorted(m for name in self.contract_files for m in self._agreed(name)))

    def _agreed(self, name: str) -> tuple[str, ...]:
        """The majors of a dataset that are no drafts beside an older one, oldest first."""
        files = self.contract_files.get(name, {})
        majors = [major_name(name, major) for major in files]
        return tuple(m for m in majors if m == majors[0] or self.contract(m).status not in DRAFTS)

    def majors(self, name: str) -> tuple[str, ...]:
        """The majors of a dataset that are loaded today, oldest first; itself where it has none."""
        if name not in self.contract_files:
            return (name,)
        files, agreed = self.contract_files[name], self._agreed(name)
        if list(files) == [1]:
            ends = END_OF_SUPPORT in files[1].read_text(encoding="utf-8")
            return agreed if not ends or not self._has_ended(name) else ()
        return tuple(m for m in agreed if not self._has_ended(m))

    def _has_ended(self, dataset: str) -> bool:
        return self.contract(dataset).has_ended(self.today)

    def name_of(self, dataset: str) -> str:
        """The dataset's own name, which its majors share."""
        return self._paths[dataset][0] if dataset in self._paths else dataset

    def contract(self, dataset: str) -> Contract:
        """The contract of one major of a dataset, which for version 1 has the dataset's own name.

        Raises:
            ConfigInvalid: There is none; with a suggestion.
        """
        if dataset not in self._contracts:
            if dataset not in self._paths:
                hint = suggestion(dataset, self._paths)
                raise ConfigInvalid(f'no contract for dataset "{dataset}"{hint}')
            self._contracts[dataset] = load_contract(self._paths[dataset][1], root=self.root)
        return self._contracts[dataset]

    def contracts(self) -> dict[str, Contract]:
        """The contract of every dataset, those included whose support has ended."""
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
            path = push_mapping_file(self.root, target, dataset)
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
                own = self.name_of(dataset)
                children = sorted(
                    (self.name_of(other) == own, other)
                    for other, item in system.datasets.items()
                    if item.shares_pages_of == dataset
                )
                is_sole = len(self.providers(dataset)) == 1
                routes.append(
                    PullRoute(
                        system=name,
                        dataset=dataset,
                        datasets=(*(other for _, other in children), dataset),
                        protocol=system.protocol,
                        schedule=declared.schedule,
                        name=own if is_sole else f"{name}_{own}",
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
        if not providers and dataset in self.contract_files:  # the name that its majors share
            dataset = next(iter(self.majors(dataset)), dataset)
            providers = self.providers(dataset)
        if not providers:
            known = dict.fromkeys(name for route in self.pull_routes for name in route.datasets)
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

    def parts(self, route: PullRoute, dataset: str) -> tuple[str, ...]:
        """The datasets whose records are part of a record of a route's main dataset.

        Of each, the major that goes with this one: the newest that is not newer, else the oldest.
        """
        own = self.name_of(route.dataset)
        if self.name_of(dataset) != own:
            return ()
        most = self.contract(dataset).major
        found: dict[str, str] = {}
        for other in sorted(route.datasets, key=lambda name: self.contract(name).major):
            name = self.name_of(other)
            if name != own and (name not in found or self.contract(other).major <= most):
                found[name] = other
        return tuple(found[name] for name in sorted(found))

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
        for dataset, (_, path) in self._paths.items():
            attempt(lambda path=path: check_contract(path, root=self.root))  # type: ignore[misc]
            attempt(lambda dataset=dataset: check_codes(self, dataset))  # type: ignore[misc]
        problems += major_problems(self)
        problems += agreement_problems(self)
        for route in self.pull_routes:
            for dataset in route.datasets:
                attempt(lambda s=route.system, d=dataset: self._check_in(s, d))  # type: ignore[misc]
        attempt(self._check_names)
        for push in self.push_routes:
            attempt(lambda push=push: self._check_out(push))  # type: ignore[misc]
        return list(dict.fromkeys(problems))

    def _check_in(self, system: str, dataset: str) -> None:
        """A pulled dataset has a mapping that fits its contract."""
        mapping = self.mapping(system, dataset)
        check_mapping_name(mapping, dataset, self.root)
        check_mapping(mapping, self.contract(dataset), root=self.root)
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
        check_mapping_name(mapping, route.dataset, self.root)
        check_push_mapping(mapping, self.contracts(), self.codes, root=self.root)


def load_catalog(root: Path) -> Catalog:
    """The catalog of a root folder; parts are read when they are asked for."""
    return Catalog(root)
