"""Commands for contracts: contract lint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongban.commands.contract_changes import app as changes
from tongban.commands.contract_targets import app as targets
from tongban.commands.opening import console, print_json

if TYPE_CHECKING:
    from tongban.kernel.catalog import Catalog

app = typer.Typer()
contract = typer.Typer(help="One data contract: check it, show it to others.", no_args_is_help=True)
contract.add_typer(changes)
contract.add_typer(targets)
app.add_typer(contract, name="contract")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@contract.command()
def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Contract files; every contract when not given.")
    ] = None,
    *,
    json_output: Json = False,
) -> None:
    """Hold contracts against ODCS 3.2 and our own vocabulary; file:line of each problem, then 1."""
    from tongban.targets.lint import lint_file

    catalog = _catalog()
    paths = files or sorted((catalog.root / "contracts").glob("*/v*.yaml"))
    problems = {
        str(path): lint_file(path.absolute(), catalog.codes, root=catalog.root) for path in paths
    }
    found = [line for lines in problems.values() for line in lines]
    if json_output:
        print_json({"files": len(problems), "problems": found})
    else:
        for line in found:
            console.print(f"✗ {line}", style="red", soft_wrap=True, highlight=False, markup=False)
        if not found:
            console.print(f"✓ contracts read: {len(problems)}; no problem", style="green")
    if found:
        raise typer.Exit(1)


def _catalog() -> Catalog:
    """The catalog of this installation."""
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.settings import load_settings

    return load_catalog(load_settings().root)
