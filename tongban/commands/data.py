"""Commands for data engineers: check, pull, push, cases, transfers — the DAGs' work by hand."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

if TYPE_CHECKING:
    from tongban.kernel.records import Window

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Provider = Annotated[
    str | None, typer.Option("--system", help="From where, when several systems provide it.")
]
Moment = Annotated[str | None, typer.Option(help="ISO 8601; Beijing time when no zone is given.")]


@app.command()
def check(*, json_output: Json = False) -> None:
    """Read and cross-check every system, mapping, contract, code table, item and flow (file:line).

    Refuses a contract that says something else than was released under its version.
    """
    from tongban.cases.catalogue import calendar_warnings, case_problems
    from tongban.changes import release_problems
    from tongban.changes.releases import unreleased
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.connections import Connections
    from tongban.kernel.settings import load_settings
    from tongban.onboarding.compiling import compile_problems
    from tongban.onboarding.plain_http import plain_warnings
    from tongban.protect.suites import NATIONAL, signatures_of, suite_of

    settings = load_settings()
    catalog = load_catalog(settings.root)
    problems = catalog.check() or case_problems(catalog)
    problems = problems or compile_problems(catalog) or release_problems(catalog)
    warnings = (
        [] if problems else list(plain_warnings(catalog, Connections(settings.connections_dir)))
    )
    warnings += [] if problems else calendar_warnings(catalog)
    counts = {
        "systems": len(catalog.systems),
        "contracts": len(catalog.datasets),
        "pulls": sum(len(route.datasets) for route in catalog.pull_routes),
        "pushes": len(catalog.push_routes),
    }
    suite = suite_of(os.environ)
    crypto = {"suite": suite.name, "signatures": signatures_of(suite)}
    if json_output:
        print_json({"problems": problems, "warnings": warnings, **counts, **crypto})
    elif problems:
        for problem in problems:
            console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    else:
        words = ", ".join(f"{count} {name}" for name, count in counts.items())
        for warning in warnings:
            console.print(warning, style="yellow", markup=False, highlight=False, soft_wrap=True)
        console.print(f"all right: {words}", style="green")
        if suite.name == NATIONAL:
            told = f"suite {suite.name}: {crypto['signatures']}"
            console.print(told, style="yellow", highlight=False, markup=False)
        if waiting := [f"{name} v{major}" for name, major in unreleased(catalog)]:
            told = f"not released as they are: {', '.join(waiting)} (`tongban contract release`)"
            console.print(told, style="yellow", soft_wrap=True, highlight=False, markup=False)
    if problems:
        raise typer.Exit(1)


@app.command()
def pull(
    dataset: str,
    *,
    system: Provider = None,
    since: Moment = None,
    until: Moment = None,
    json_output: Json = False,
) -> None:
    """Pull one dataset's next window (or a given one) and load it."""
    from tongban.pipeline import transfer

    with local_hub() as hub:
        loaded = transfer(hub, dataset, system=system, window=_window(since, until))
    if json_output:
        print_json([asdict(item) for item in loaded])
        return
    table = Table("dataset", "read", "new", "changed", "same", "quarantined", "duplicate")
    for item in loaded:
        numbers = (item.read, item.new, item.changed, item.same, item.quarantined, item.duplicate)
        table.add_row(item.dataset, *(f"{number:,}" for number in numbers))
    console.print(table)
    for item in loaded:
        if item.outcome != "stored":
            words = item.outcome.replace("_", " ")
            console.print(f"{item.dataset} {item.contract_version}: {words}", style="yellow")


@app.command()
def push(target: str, dataset: str, *, json_output: Json = False) -> None:
    """Send what waits in the outbox for one target and dataset."""
    from tongban.pipeline import push as push_rows

    with local_hub() as hub:
        done = push_rows(hub, target, dataset)
    if json_output:
        print_json(asdict(done))
        return
    table = Table("target", "dataset", "sent", "accepted", "duplicate", "rejected", "waiting")
    numbers = (done.sent, done.accepted, done.duplicate, done.rejected, done.waiting)
    table.add_row(target, dataset, *(f"{number:,}" for number in numbers))
    console.print(table)


@app.command()
def cases(*, json_output: Json = False) -> None:
    """Open and move cases as far as the stored records carry them."""
    from tongban.cases.run import advance_cases

    with local_hub() as hub:
        counts = advance_cases(hub)
    if json_output:
        print_json(counts)
        return
    table = Table(*counts)
    table.add_row(*(f"{count:,}" for count in counts.values()))
    console.print(table)


def _window(since: str | None, until: str | None) -> Window | None:
    """The window that was asked for, or None for the next one after the cursor."""
    from tongban.kernel.records import BEIJING, Window

    if since is None and until is None:
        return None
    end = moment(until) if until else datetime.now(BEIJING)
    return Window(since=moment(since) if since else None, until=end)


def moment(text: str) -> datetime:
    """An aware moment; Beijing time when the text has no zone."""
    from tongban.kernel.records import BEIJING

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected ISO 8601, such as 2026-11-24T08:00") from None
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)
