"""Commands for single deliveries: replay a landing, show one record's receipts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from tongban.commands.data import Json, Moment, Provider, moment
from tongban.commands.opening import console, local_hub, print_json

app = typer.Typer()

Landing = Annotated[
    str | None, typer.Option("--landing", help="One landing, by its id on the transfers page.")
]


@app.command()
def replay(
    dataset: str,
    *,
    landing: Landing = None,
    since: Moment = None,
    system: Provider = None,
    json_output: Json = False,
) -> None:
    """Load landings of a dataset again, without asking the department; older never wins."""
    from tongban.replay import landings_since
    from tongban.replay import replay as load_again

    if (landing is None) == (since is None):
        raise typer.BadParameter("give --landing or --since")
    with local_hub() as hub:
        chosen = [landing] if landing else []
        if since is not None:
            chosen = landings_since(hub, dataset, moment(since), system=system)
        done = [load_again(hub, item) for item in chosen]
    if json_output:
        print_json([asdict(item) for item in done])
        return
    table = Table("landing", "dataset", "read", "new", "changed", "same", "quarantined")
    for item in done:
        for part in item.loaded:
            numbers = (part.read, part.new, part.changed, part.same, part.quarantined)
            table.add_row(item.landing_id, part.dataset, *(f"{n:,}" for n in numbers))
    console.print(table)


@app.command()
def receipt(
    dataset: str,
    key: Annotated[list[str], typer.Argument(help="The record's key fields, in their order.")],
    *,
    json_output: Json = False,
) -> None:
    """Show how far each version of one record came at each target, with its receipt."""
    from tongban.receipts import receipts_of

    with local_hub() as hub:
        found = receipts_of(hub, dataset, key)
    if json_output:
        print_json([asdict(item) for item in found])
        return
    table = Table("target", "version", "rung", "receipt", "code", "sent", "closed", "tries")
    for item in found:
        table.add_row(
            item.target,
            str(item.version),
            item.rung,
            item.receipt_no or "–",
            item.code or "–",
            item.sent_at[:19] if item.sent_at else "–",
            item.closed_at[:19] if item.closed_at else "–",
            str(item.attempts),
        )
    console.print(table)
    if not found:
        console.print("no target was ever to get this record", style="yellow")
        raise typer.Exit(1)
