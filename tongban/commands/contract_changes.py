"""Commands for a contract's life: contract diff, contract release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tongban.commands.opening import console, print_json

if TYPE_CHECKING:
    from tongban.changes import Report
    from tongban.kernel.catalog import Catalog

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
COLOURS = {"major": "red", "minor": "yellow", "patch": "green"}


@app.command()
def diff(
    old: Annotated[
        str,
        typer.Argument(help="Contract file, or DATASET@VERSION; DATASET alone is its release."),
    ],
    new: Annotated[
        str | None, typer.Argument(help="The other form; the dataset's file when not given.")
    ] = None,
    *,
    json_output: Json = False,
) -> None:
    """Name each change, who breaks by it, and the version step it needs; 1 if that is too small."""
    from tongban.changes import compare
    from tongban.changes.releases import FOLDER, find_facts

    catalog = _catalog()
    is_alone = new is None and "@" not in old and not old.endswith((".yaml", ".json"))
    before = find_facts(catalog, f"{old}@{FOLDER}" if is_alone else old)
    after = find_facts(catalog, new or before.dataset)
    report = compare(before, after)
    if json_output:
        print_json(report.document())
    else:
        _show(report)
    if not report.is_accepted:
        raise typer.Exit(1)


@app.command()
def release(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Which contracts; all changed ones when not given.")
    ] = None,
    *,
    major: Annotated[
        int | None, typer.Option(help="Which major; the newest when not given.")
    ] = None,
    bump: Annotated[
        bool, typer.Option("--bump", help="Raise the version in the file as far as needed.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Record what contracts promise from now on; refuses a version that says too little."""
    from tongban.changes.releases import release as record
    from tongban.changes.releases import unreleased

    catalog = _catalog()
    wanted = [(name, major) for name in datasets or []] or unreleased(catalog)
    done = [record(catalog, name, major=at, raise_version=bump) for name, at in wanted]
    released = [item for item in done if item is not None]
    if json_output:
        print_json([{"dataset": item.dataset, "version": item.version} for item in released])
        return
    for item in released:
        path = item.path.relative_to(catalog.root)
        console.print(f"released {item.dataset}@{item.version}: {path}", style="green")
    if not released:
        console.print("nothing to release: every contract says what it promised")


def _show(report: Report) -> None:
    """Changes as a table, then the verdict."""
    table = Table("needs", "where", "change", "what it means", "breaks")
    for change in report.changes:
        word = change.bump.word
        who = ", ".join(party.value for party in change.breaks) or "nobody"
        place = report.new.at(change.where)
        cells = (change.subject, f"{change.says}\n{place}", change.effect.means, who)
        table.add_row(f"[{COLOURS[word]}]{word}[/]", *map(escape, cells))
    if report.changes:
        console.print(table)
    versions = f"{report.old.name} → {report.new.name}"
    if not report.changes:
        console.print(f"{versions}: no change", style="green")
    elif report.is_accepted:
        console.print(f"{versions}: needs a {report.needed.word} step, has it", style="green")
    else:
        console.print(
            f"{versions}: needs a {report.needed.word} step, at least {report.next_version}",
            style="red",
        )


def _catalog() -> Catalog:
    """The catalog of this installation."""
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.settings import load_settings

    return load_catalog(load_settings().root)
