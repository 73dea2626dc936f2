"""Commands for one department system: system new, check, try, fake."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tongban.commands.opening import console, known_database, print_json

if TYPE_CHECKING:
    from tongban.onboarding.drafting import Draft
    from tongban.onboarding.fake.department import Answer
    from tongban.onboarding.preview import PreviewRow

app = typer.Typer()
system = typer.Typer(help="One department system: draft, check, try, fake.", no_args_is_help=True)
app.add_typer(system, name="system")

Name = Annotated[str, typer.Argument(help="Name of the system, as its YAML is called.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Days = Annotated[
    int | None, typer.Option(min=1, help="Only rows changed in so many days; all when not given.")
]

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}
ALONE = "the hub's database does not answer: this command counted its calls by itself alone"
SURE = 0.8  # confidence from which a match is shown in green
OUTCOMES = {"accepted": "green", "warned": "yellow", "quarantined": "red"}


@system.command()
def check(name: Name, *, days: Days = None, json_output: Json = False) -> None:
    """Reach a system, authenticate, compare WSDL, clock and charset, decode a row of each dataset.

    Asks for one short page per dataset, inside the budget. Exit code 1 when a point failed.
    """
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.connections import Connections
    from tongban.kernel.settings import load_settings
    from tongban.onboarding.asking import window
    from tongban.onboarding.budgeting import shared_ledger
    from tongban.onboarding.checking import Checked, check_system

    settings = load_settings()
    catalog = load_catalog(settings.root)
    connections = Connections(settings.connections_dir)
    with shared_ledger(known_database(settings)) as (ledger, is_shared):
        steps = list(check_system(catalog, name, connections, window(days), ledger=ledger))
    checked = Checked(name, steps)
    if json_output:
        taken = [asdict(step) for step in checked.steps]
        document = {"system": name, "is_right": checked.is_right, "shares_budget": is_shared}
        print_json({**document, "steps": taken})
    else:
        table = Table("point", "dataset", "state", "found")
        for step in checked.steps:
            state = f"[{COLOURS[step.state]}]{step.state}[/]"
            table.add_row(step.name, step.dataset, state, _plain(step.detail))
        console.print(table)
        if not is_shared:
            console.print(ALONE, style="yellow")
    if not checked.is_right:
        raise typer.Exit(1)


@system.command(name="try")
def try_rows(
    name: Name,
    dataset: Annotated[str, typer.Argument(help="Dataset that the system's YAML declares.")],
    *,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Rows to show.")] = 5,
    days: Days = None,
    json_output: Json = False,
) -> None:
    """Show some rows, masked, from source through mapping and contract; nothing is stored.

    Exit code 1 when no row came or the contract accepts none of them.
    """
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.connections import Connections
    from tongban.kernel.settings import load_settings
    from tongban.onboarding.asking import window
    from tongban.onboarding.budgeting import shared_ledger
    from tongban.onboarding.preview import preview

    settings = load_settings()
    catalog = load_catalog(settings.root)
    connection = Connections(settings.connections_dir).get(catalog.system(name).connection)
    with shared_ledger(known_database(settings)) as (ledger, is_shared):
        asked = window(days)
        found = preview(catalog, name, dataset, connection, asked, rows=rows, ledger=ledger)
    if json_output:
        print_json({**asdict(found), "shares_budget": is_shared})
    else:
        if not is_shared:
            console.print(ALONE, style="yellow")
        for number, row in enumerate(found.rows, 1):
            console.print(_row_table(number, row, found.labels, found.sources))
        total = "" if found.declared_total is None else f" of {found.declared_total:,}"
        console.print(f"{len(found.rows)} rows{total}; nothing was stored")
        if found.unknown_fields:
            names = ", ".join(found.unknown_fields)
            console.print(f"not in the mapping: {names}", style="yellow", markup=False)
    if not any(row.outcome != "quarantined" for row in found.rows):
        raise typer.Exit(1)


@system.command()
def new(
    name: Name,
    *,
    wsdl: Annotated[str | None, typer.Option(help="WSDL: a file or an http address.")] = None,
    openapi: Annotated[str | None, typer.Option(help="OpenAPI: a file or an http address.")] = None,
    sample: Annotated[
        str | None,
        typer.Option(help="A real answer (JSON or XML) where the description is silent."),
    ] = None,
    operation: Annotated[
        str | None, typer.Option(help="Call to draft; the likeliest query when not given.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Name of the dataset; one with a contract is mapped onto it.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Draft a system, a contract and a mapping from a WSDL or an OpenAPI file; overwrites nothing.

    Exit code 1 when the drafts need something filled in before `tongban check` accepts them.
    """
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.settings import load_settings
    from tongban.onboarding.drafting import draft, write
    from tongban.onboarding.openapi import read_openapi
    from tongban.onboarding.sample import read_sample
    from tongban.onboarding.sources import read_source
    from tongban.onboarding.wsdl import read_wsdl

    given = wsdl or openapi
    if given is None or (wsdl and openapi):
        raise typer.BadParameter("give either --wsdl or --openapi")
    source = read_source(given)
    settings = load_settings()
    found = draft(
        load_catalog(settings.root),
        name,
        read_wsdl(source) if wsdl else read_openapi(source),
        origin=source.name,
        operation=operation,
        dataset=dataset,
        sample=read_sample(read_source(sample)) if sample else None,
    )
    write(settings.root, found)
    if json_output:
        print_json(_drafted(found))
    else:
        _show_draft(found)
    if found.problems:
        raise typer.Exit(1)


@system.command()
def fake(
    name: Name,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; a free one when 0.")] = 0,
    rows: Annotated[int, typer.Option(min=1, max=100000, help="Records of each dataset.")] = 200,
    json_output: Json = False,
) -> None:
    """Serve a declared system on 127.0.0.1 from its own description, until Ctrl-C.

    Synthetic records (area code 620899) in the declared envelopes and pages; pushes are answered
    record by record. Writes a connection file for it and never touches the real one.
    """
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.settings import load_settings
    from tongban.local.private_files import write_private
    from tongban.onboarding.fake.department import Department
    from tongban.onboarding.fake.server import open_server, url_of

    settings = load_settings()
    department = Department(load_catalog(settings.root), name, rows=rows)
    server = open_server(department, port, None if json_output else _heard)
    folder = settings.home / "fake"
    path = folder / f"{name}.json"
    account = department.open_account(url_of(server), folder)
    write_private(path, json.dumps(account, indent=2))
    datasets = {n: holding.accepted for n, holding in department.holdings.items()}
    if json_output:
        document = {"url": account["base_url"], "connection": str(path), "accepted": datasets}
        print(json.dumps({**document, "rows": rows}), flush=True)  # noqa: T201
    else:
        console.print(f"{name} at {account['base_url']}, until Ctrl-C", style="green")
        for dataset, accepted in datasets.items():
            console.print(f"  {dataset}: {rows} records, {accepted} pass their own contract")
        variable = f"TONGBAN_CONN_{department.system.connection.upper()}"
        use = f'export {variable}="$(cat {path})"'
        console.print(f"in another shell: {use}", soft_wrap=True, highlight=False, markup=False)
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()


def _heard(request: str, answer: Answer) -> None:
    """One line per request; no query and no body."""
    line = f"{answer.status} {request} {answer.what}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _drafted(found: Draft) -> dict[str, object]:
    """A draft as one document."""
    fields = [
        {
            "source": item.path,
            "target": item.target or None,
            "type": item.type,
            "classification": item.classification,
            "confidence": item.confidence,
            "why": item.why,
        }
        for item in found.proposals
    ]
    return {
        "system": found.system,
        "dataset": found.dataset,
        "operation": found.operation,
        "files": list(found.files),
        "fields": fields,
        "to_fill": found.to_fill,
        "notes": list(found.notes),
        "problems": found.problems,
    }


def _show_draft(found: Draft) -> None:
    """Files, matches, and what is left to do."""
    table = Table("source", "label", "field", "type", "class", "how sure, and why")
    for item in found.proposals:
        colour = "green" if item.confidence >= SURE else "yellow" if item.confidence else "dim"
        words = (item.path, item.node.label, item.target, item.type, item.classification)
        table.add_row(*map(_plain, words), f"[{colour}]{_plain(item.why)}[/]")
    console.print(table)
    for path in found.files:
        console.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)
    for text in (*found.to_fill, *found.notes):
        console.print(f"fill: {text}", style="yellow", soft_wrap=True, markup=False)
    for text in found.problems:
        console.print(f"not yet accepted: {text}", style="red", soft_wrap=True, markup=False)
    if not found.problems:
        console.print("`tongban check` accepts the drafts as they are", style="green")


def _row_table(
    number: int, row: PreviewRow, labels: dict[str, str], sources: dict[str, list[str]]
) -> Table:
    """One row as a table: where each field came from, what it became, what is wrong with it."""
    colour = OUTCOMES[row.outcome]
    title = f"row {number}: [{colour}]{row.outcome}[/]"
    table = Table("field", "label", "source", "as it came", "as it is", "findings", title=title)
    table.title_justify = "left"
    wrong: dict[str | None, list[str]] = {}
    for item in row.findings:
        wrong.setdefault(item["field"], []).append(str(item["rule"]))
    for field, value in row.target.items():
        came = [_shown(row.source.get(source)) for source in sources.get(field, [])]
        names = ", ".join(sources.get(field, []))
        found = ", ".join(wrong.get(field, []))
        cells = (field, labels.get(field, ""), names, ", ".join(came), _shown(value), found)
        table.add_row(*map(_plain, cells))
    return table


def _shown(value: str | None) -> str:
    return "—" if value is None else value


def _plain(text: str) -> str:
    """Text of others in a table of ours: no markup of theirs is obeyed."""
    from rich.markup import escape

    return escape(text)
