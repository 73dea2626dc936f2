"""Command of the single window: where a number is known."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def subject(
    number: Annotated[
        str,
        typer.Argument(
            help="Resident ID, credit code or unit number; `-` asks for it, so that neither the "
            "list of processes nor the shell's history has it."
        ),
    ],
    *,
    purpose: Annotated[str, typer.Option(help="Why it is asked; goes into the evidence log.")],
    json_output: Json = False,
) -> None:
    """Show, masked, where one number is known in all stored datasets."""
    from tongban.subjects import find_subject

    wanted = typer.prompt("number", hide_input=True, err=True) if number == "-" else number
    with local_hub() as hub:
        answer = find_subject(hub, wanted, purpose=purpose)
        titles = {name: system.title.zh for name, system in hub.catalog.systems.items()}
    if json_output:
        print_json(asdict(answer))
        return
    if not answer.known:
        console.print(f"known nowhere in {len(answer.searched)} datasets (查无记录)")
        return
    table = Table("department", "dataset", "as", "local key", "facts", "as of")
    for item in answer.known:
        facts = "；".join(f"{label} {value}" for label, value in item.facts.items())
        as_of = item.as_of.strftime("%Y-%m-%d %H:%M") if item.as_of else "—"
        department = titles.get(item.system, item.system)
        table.add_row(department, item.label, item.held_in_label, item.local_key, facts, as_of)
    console.print(table)
    if answer.is_cut:
        console.print("only the newest 50 records of a dataset are shown", style="yellow")
