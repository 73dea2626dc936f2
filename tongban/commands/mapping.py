"""Commands for mappings: map lineage, map try, map shadow."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tongban.commands.opening import console, known_database, print_json

if TYPE_CHECKING:
    from tongban.lineage import DatasetLineage
    from tongban.onboarding.difference import Difference
    from tongban.onboarding.trial import Trial

app = typer.Typer()
mapping = typer.Typer(help="One mapping: lineage, a trial, a shadow run.", no_args_is_help=True)
app.add_typer(mapping, name="map")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
MappingFile = Annotated[
    Path, typer.Argument(help="Mapping file, such as mappings/tax/deed_tax_payment.yaml.")
]
ContractFile = Annotated[
    Path | None, typer.Option("--contract", help="Contract file; the catalog's when not given.")
]


@mapping.command()
def lineage(
    dataset: Annotated[
        str | None, typer.Argument(help="Dataset; with --openlineage all when not given.")
    ] = None,
    *,
    openlineage: Annotated[
        bool, typer.Option("--openlineage", help="Print OpenLineage job events.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write each OpenLineage event to a file of this folder.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Show where each field comes from, how it is stored and to whom it goes."""
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.settings import load_settings
    from tongban.lineage import lineage_events, lineage_of

    catalog = load_catalog(load_settings().root)
    if openlineage or out is not None:
        events = list(lineage_events(catalog, dataset))
        if out is None:
            print_json(events)
            return
        out.mkdir(parents=True, exist_ok=True)
        for event in events:
            text = json.dumps(event, ensure_ascii=False, indent=2) + "\n"
            (out / f"{event['job']['name']}.json").write_text(text, encoding="utf-8")
        console.print(f"{len(events)} events in {out}", soft_wrap=True, highlight=False)
        return
    if dataset is None:
        raise typer.BadParameter("name a dataset, or give --openlineage for all of them")
    found = lineage_of(catalog, dataset)
    if json_output:
        print_json(asdict(found))
    else:
        _show_lineage(found)


@mapping.command(name="try")
def try_mapping(
    file: MappingFile,
    *,
    sample: Annotated[
        Path, typer.Option(help="A page as the department gives it, or a JSON list of records.")
    ],
    contract: ContractFile = None,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Rows to show.")] = 5,
    json_output: Json = False,
) -> None:
    """Show a sample's rows before and after the mapping, masked; nothing is stored or asked.

    Exit code 1 when a row would be quarantined, an operation failed, or there is no row.
    """
    from tongban.kernel.settings import load_settings
    from tongban.onboarding.trial import try_sample

    found = try_sample(load_settings().root, file, sample, contract_file=contract, rows=rows)
    if json_output:
        print_json(asdict(found))
    else:
        _show_trial(found)
    if not found.is_clean:
        raise typer.Exit(1)


@mapping.command()
def shadow(
    file: MappingFile,
    *,
    contract: ContractFile = None,
    transfer: Annotated[
        str | None, typer.Option(help="Transfer whose landed pages are replayed.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="Newest landings, when none is named.")] = 1,
    examples: Annotated[int, typer.Option(min=0, max=100, help="Examples to show, masked.")] = 5,
    json_output: Json = False,
) -> None:
    """Replay landed pages through a changed mapping and contract; show what would differ.

    Nothing is written, no department is asked. Exit code 1 when a row would differ.
    """
    from tongban.kernel.settings import load_settings
    from tongban.onboarding.shadow import open_shadow

    with open_shadow(known_database(load_settings())) as run:
        found = run.compare(
            file, contract_file=contract, transfer=transfer, last=last, examples=examples
        )
    if json_output:
        print_json(found.document())
    else:
        _show_difference(found)
    if not found.is_same:
        raise typer.Exit(1)


def _show_lineage(found: DatasetLineage) -> None:
    table = Table("field", "from", "operations", "stored as", "goes to")
    for item in found.fields:
        came = "\n".join(
            f"{way.system}: {', '.join((*way.sources, *way.deciding)) or '—'}"
            for way in item.incoming
        )
        done = "\n".join(" → ".join(way.operations) for way in item.incoming)
        stored = "\n".join(
            column.name if column.kind == "plain" else f"{column.name} ({column.kind})"
            for column in item.columns
        )
        goes = "\n".join(
            f"{out.target} {out.dataset}: {out.path}{' (masked)' if out.is_masked else ''}"
            for out in item.outgoing
        )
        table.add_row(*map(escape, (f"{item.field}\n{item.label}", came, done, stored, goes)))
    console.print(table)


def _show_trial(found: Trial) -> None:
    for number, row in enumerate(found.rows, 1):
        table = Table("field", "source", "before", "operations", "after", "failed, broken")
        table.title, table.title_justify = f"row {number}: {row.outcome}", "left"
        for cell in row.fields:
            before = ", ".join(value if value is not None else "—" for value in cell.before)
            after = cell.after if cell.after is not None else "—"
            wrong = ", ".join((*cell.failed, *cell.rules))
            words = (cell.field, ", ".join(cell.sources), before, " → ".join(cell.operations))
            table.add_row(*map(escape, (*words, after, wrong)))
        console.print(table)
    console.print(f"{len(found.rows)} of {found.total} rows; nothing was stored")
    if found.unknown_fields:
        names = ", ".join(found.unknown_fields)
        console.print(f"not in the mapping: {names}", style="yellow", markup=False)


def _show_difference(found: Difference) -> None:
    table = Table("rows", "count")
    for name, count in found.counts().items():
        table.add_row(name, f"{count:,}")
    for title, counts in found.details().items():
        for name, count in counts.items():
            table.add_row(escape(f"{title}: {name}"), f"{count:,}")
    console.print(table)
    for example in found.examples:
        console.print(f"{example.token} {example.what}", highlight=False, markup=False)
        for field, before, after in example.fields:
            console.print(f"    {field}: {before or '—'} → {after or '—'}", markup=False)
    console.print(f"{found.landings} landings, {found.pages} pages; nothing was written")
