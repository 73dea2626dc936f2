"""Commands for a contract's life: contract new, contract diff, contract release."""

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


@app.command()
def new(
    dataset: Annotated[str, typer.Argument(help="Name; of one with a contract the next major.")],
    *,
    owner: Annotated[str, typer.Option(help="Department that answers for the records.")] = "hub",
    title: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="A field, as the department calls it; may repeat.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(help="A real answer (JSON or XML) whose records show the fields.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Draft a contract with a comment beside every guess, or the next major beside a living one."""
    from tongban.onboarding.contract_draft import draft_contract, write_contract
    from tongban.onboarding.sample import read_sample
    from tongban.onboarding.sources import read_source

    catalog = _catalog()
    shown = read_sample(read_source(sample)) if sample else None
    found = draft_contract(
        catalog, dataset, owner=owner, title=title, names=field or (), sample=shown
    )
    write_contract(catalog.root, found)
    if json_output:
        print_json(
            {"files": list(found.files), "to_fill": found.to_fill, "problems": found.problems}
        )
    else:
        for path in found.files:
            console.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)
        for text in found.to_fill:
            console.print(f"fill: {text}", style="yellow", soft_wrap=True, markup=False)
        for text in found.problems:
            console.print(f"not yet accepted: {text}", style="red", soft_wrap=True, markup=False)
    if found.problems:
        raise typer.Exit(1)


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
