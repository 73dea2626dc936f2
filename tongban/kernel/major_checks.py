"""Major checks: what `tongban check` says about two versions of one contract side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tongban.kernel.contract_terms import major_name
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import load_yaml

if TYPE_CHECKING:
    from tongban.kernel.catalog import Catalog
    from tongban.kernel.contracts import Contract
    from tongban.kernel.mappings import Mapping, PushMapping


def major_problems(catalog: Catalog) -> list[str]:
    """Give every problem of names, versions and ended support as one line (file:line)."""
    problems: list[str] = []
    for name, files in catalog.contract_files.items():
        for major, path in files.items():
            try:
                contract = catalog.contract(major_name(name, major))
            except ConfigInvalid:
                continue  # said already
            problems += _wrong_names(catalog, contract, name, major, path)
            if contract.has_ended(catalog.today):
                problems += _left_over(catalog, contract)
    return problems


def check_mapping_name(mapping: Mapping | PushMapping, dataset: str, root: Path) -> None:
    """Refuse a mapping whose head names another major than its file.

    Raises:
        ConfigInvalid: With the line of the head.
    """
    if mapping.dataset != dataset:
        file = load_yaml(mapping.path, root=root)
        where = ("contract_version",) if "contract_version" in file.data else ("mapping",)
        file.fail(
            where, f"the head says {mapping.dataset}, the file's name {dataset}; make them agree"
        )


def _wrong_names(
    catalog: Catalog, contract: Contract, name: str, major: int, path: Path
) -> Iterator[str]:
    """A file's folder and name say the same as the contract in it."""
    file = load_yaml(path, root=catalog.root)
    if contract.major != major:
        yield (
            f"{file.at(('version',))}: version {contract.version} in {path.name}; a new major has "
            f"a file of its own, v{contract.major}.yaml"
        )
    elif contract.name != name:
        yield (
            f"{file.at(('schema', 0, 'name'))}: the dataset is {contract.name}, its folder is "
            f"{name}; rename one of them"
        )
    if major > 1 and major_name(name, major) in catalog.contract_files:
        twin = major_name(name, major)
        yield f"{file.shown}:1: the hub calls it {twin}, which is another dataset's name; rename it"


def _left_over(catalog: Catalog, contract: Contract) -> Iterator[str]:
    """Mappings that nobody uses any more, since the major's support is over."""
    name = contract.dataset
    folder = catalog.root / "mappings"
    for path in sorted((*folder.glob(f"*/{name}.yaml"), *folder.glob(f"*/{name}.push.yaml"))):
        yield (
            f"{path.relative_to(catalog.root)}:1: support of {contract.name} v{contract.major} "
            f"ended on {contract.supported_until}, it is neither loaded nor sent any more; delete "
            "the mapping, or set a later endOfSupport"
        )
