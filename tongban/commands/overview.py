"""Command transfers: where every route, every table, the quarantine and the outbox stand."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

app = typer.Typer()

ROUTE_NUMBERS = ("read", "accepted", "quarantined", "duplicate", "pushed", "acknowledged")


@app.command()
def transfers(
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show every route's counts, whether tables match them, and what waits; 1 if any does not."""
    from tongban.store import summary

    with local_hub() as hub:
        routes = summary.route_summaries(hub.engine)
        balances = summary.dataset_balances(hub.engine, list(hub.catalog.contracts().values()))
        quarantine = [dict(row) for row in summary.open_quarantine_counts(hub.engine)]
        outbox = [dict(row) for row in summary.outbox_counts(hub.engine)]
    off = [item for item in balances if not item.in_balance]
    if json_output:
        print_json(
            {
                "routes": [asdict(item) for item in routes],
                "tables_off": [asdict(item) for item in off],
                "quarantine": quarantine,
                "outbox": outbox,
            }
        )
    else:
        _print(routes, quarantine, outbox)
        for item in off:
            console.print(f"✗ {item.dataset}: the table does not match its counts", style="red")
    if off or not all(item.in_balance for item in routes):
        raise typer.Exit(1)


def _print(
    routes: list[Any], quarantine: list[dict[str, Any]], outbox: list[dict[str, Any]]
) -> None:
    """Three tables, the last two only where there is something to show."""
    table = Table("system", "dataset", "direction", *ROUTE_NUMBERS, "state", "balance")
    for item in routes:
        numbers = [f"{getattr(item, name):,}" for name in ROUTE_NUMBERS]
        mark = "✓" if item.in_balance else "✗"
        table.add_row(item.system, item.dataset, item.direction, *numbers, item.state, mark)
    console.print(table)
    for title, rows in (("open quarantine", quarantine), ("outbox", outbox)):
        if rows:
            found = Table(*rows[0], title=title)
            for row in rows:
                found.add_row(*("—" if value is None else str(value) for value in row.values()))
            console.print(found)
