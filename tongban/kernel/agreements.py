"""Agreements: what contracts say about each other, about code tables and about their owners.

One contract can be right by itself and still lead to a dataset, a code table or a department that
does not exist. `tongban check` asks it of all of them together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tongban.kernel.cross_rules import check_cross_rules
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.relationships import check_links, circles
from tongban.kernel.yamlfile import Where, load_yaml, suggestion

if TYPE_CHECKING:
    from tongban.kernel.catalog import Catalog


def agreement_problems(catalog: Catalog) -> list[str]:
    """Every problem of relationships, rules over several datasets and owners (file:line)."""
    problems: list[str] = []

    def attempt(action: Callable[[], object]) -> None:
        try:
            action()
        except ConfigInvalid as exc:
            problems.append(str(exc))

    try:
        contracts = catalog.contracts()
    except ConfigInvalid:
        return []  # a contract that cannot be read was told already
    for contract in contracts.values():
        attempt(lambda c=contract: check_links(c, contracts, root=catalog.root))  # type: ignore[misc]
        attempt(lambda c=contract: check_cross_rules(c, contracts, catalog.codes))  # type: ignore[misc]
        attempt(lambda d=contract.dataset: _check_owner(catalog, d))  # type: ignore[misc]
    return problems or list(circles(contracts, root=catalog.root))


def check_codes(catalog: Catalog, dataset: str) -> None:
    """Every code table that a contract names exists and can be read.

    Raises:
        ConfigInvalid: With the file:line of the property that names it.
    """
    contract = catalog.contract(dataset)
    for item in contract.fields:
        if item.code_table is None:
            continue
        try:
            catalog.codes.table(item.code_table)
        except ConfigInvalid as exc:
            if "table" not in exc.context:
                raise  # it has a place of its own
            file = load_yaml(contract.path, root=catalog.root)
            place = next(
                i
                for i, found in enumerate(file.data["schema"][0]["properties"])
                if found.get("name") == item.name
            )
            where: Where = ("schema", 0, "properties", place, "customProperties")
            file.fail(where, str(exc))


def _check_owner(catalog: Catalog, dataset: str) -> None:
    """The department that answers for a dataset is a declared system, or the hub."""
    contract = catalog.contract(dataset)
    known = {*catalog.systems, "hub"}
    if contract.owner not in known:
        file = load_yaml(contract.path, root=catalog.root)
        listed = file.data["customProperties"]
        place = next(i for i, item in enumerate(listed) if item.get("property") == "owner")
        where: Where = ("customProperties", place, "value")
        file.fail(where, f'unknown owner "{contract.owner}"{suggestion(contract.owner, known)}')
