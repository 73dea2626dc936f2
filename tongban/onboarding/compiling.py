"""Compiling: everything that the catalog declares, compiled as the pipeline would, without running.

Reading and cross-checking is the kernel's part (`Catalog.check`); only compiling finds an operation
that does not exist, a SOAP call that cannot be spoken, a code table without a target's column, or a
rule with a wrong parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from connectors import check_operations
from tongban.kernel.catalog import Catalog, PushRoute
from tongban.kernel.errors import ConfigInvalid, InterfaceChanged
from tongban.normalize import example_problems
from tongban.protect import mask
from tongban.push.examples import push_example_problems
from tongban.push.payload import compile_push
from tongban.rows import compile_dataset
from tongban.validate import compile_contract


def compile_problems(catalog: Catalog) -> list[str]:
    """Compile every way in, every way out and every contract of the hub's own; one line each."""
    problems: list[str] = []
    for action in _actions(catalog):
        try:
            problems += action() or ()
        except (ConfigInvalid, InterfaceChanged) as exc:
            problems.append(str(exc))
    return list(dict.fromkeys(problems))


def _actions(catalog: Catalog) -> Iterator[Callable[[], Iterable[str] | None]]:
    """What raises its problem, or gives its problems."""
    for system in catalog.systems:
        yield partial(_speak, catalog, system)
    for route in catalog.pull_routes:
        for dataset in route.datasets:
            yield partial(_compile_in, catalog, route.system, dataset)
    for dataset in catalog.datasets:
        if not catalog.providers(dataset):
            yield partial(_compile_own, catalog, dataset)
    for push in catalog.push_routes:
        yield partial(_compile_out, catalog, push)


def _speak(catalog: Catalog, system: str) -> None:
    """Every call of a system can be made."""
    check_operations(catalog.system(system), catalog.root)


def _compile_in(catalog: Catalog, system: str, dataset: str) -> list[str]:
    """One way in, and its examples."""
    compile_dataset(catalog, system, dataset)
    mapping, contract = catalog.mapping(system, dataset), catalog.contract(dataset)
    return list(example_problems(mapping, contract, catalog.codes, root=catalog.root))


def _compile_own(catalog: Catalog, dataset: str) -> None:
    """A contract of the hub's own."""
    compile_contract(catalog.contract(dataset), catalog.codes)


def _compile_out(catalog: Catalog, route: PushRoute) -> list[str]:
    """One way out with all datasets that it reads, and its examples."""
    mapping = catalog.push_mapping(route.target, route.dataset)
    names = [mapping.dataset, *(child.dataset for child in mapping.children.values())]
    contracts = {name: catalog.contract(name) for name in names}
    compile_push(mapping, contracts, catalog.codes, mask)
    return list(push_example_problems(mapping, contracts, catalog.codes, mask, root=catalog.root))
