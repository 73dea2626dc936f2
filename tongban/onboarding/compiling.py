"""Compiling: everything that the catalog declares, compiled as the pipeline would, without running.

Reading and cross-checking is the kernel's part (`Catalog.check`); only compiling finds an operation
that does not exist, a SOAP call that cannot be spoken, a code table without a target's column, or a
rule with a wrong parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors import check_operations
from tongban.kernel.catalog import Catalog, PushRoute
from tongban.kernel.errors import ConfigInvalid, InterfaceChanged
from tongban.protect import mask
from tongban.push.payload import compile_push
from tongban.rows import compile_dataset
from tongban.validate import compile_contract


def compile_problems(catalog: Catalog) -> list[str]:
    """Compile every way in, every way out and every contract of the hub's own; one line each."""
    problems: list[str] = []
    for action in _actions(catalog):
        try:
            action()
        except (ConfigInvalid, InterfaceChanged) as exc:
            problems.append(str(exc))
    return list(dict.fromkeys(problems))


def _actions(catalog: Catalog) -> Iterator[Callable[[], object]]:
    for system in catalog.systems:
        yield lambda n=system: check_operations(catalog.system(n), catalog.root)  # type: ignore[misc]
    for route in catalog.pull_routes:
        for dataset in route.datasets:
            yield lambda s=route.system, d=dataset: compile_dataset(catalog, s, d)  # type: ignore[misc]
    for dataset in catalog.datasets:
        if not catalog.providers(dataset):
            yield lambda d=dataset: compile_contract(catalog.contract(d), catalog.codes)  # type: ignore[misc]
    for push in catalog.push_routes:
        yield lambda p=push: _compile_out(catalog, p)  # type: ignore[misc]


def _compile_out(catalog: Catalog, route: PushRoute) -> None:
    """One way out with all datasets that it reads."""
    mapping = catalog.push_mapping(route.target, route.dataset)
    names = [mapping.dataset, *(child.dataset for child in mapping.children.values())]
    contracts = {name: catalog.contract(name) for name in names}
    compile_push(mapping, contracts, catalog.codes, mask)
