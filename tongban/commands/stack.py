"""Commands up, down, status: the local stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tongban.kernel.settings import Settings, load_settings

if TYPE_CHECKING:
    from tongban.local.stack import Component

app = typer.Typer()

COLOURS = {"running": "green", "stopped": "dim", "broken": "red"}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    only: Annotated[
        list[str] | None,
        typer.Option(help="postgres, sandbox, fakes, airflow; all if not given."),
    ] = None,
    people: Annotated[
        int | None, typer.Option(min=10, help="Size of the city, when it is made.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the city, when it is made.")] = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer reads it
) -> None:
    """Start PostgreSQL, the sandbox, fake departments and Airflow; wait until they answer."""
    from tongban.local import stack

    settings = load_settings()
    stack.up(
        settings,
        only=only or (),
        people=people,
        seed=seed,
        pools=lambda: declared_pools(settings),
        report=lambda line: typer.echo(line, err=True),
    )
    _show(settings, stack.status(settings), as_json=as_json)


@app.command()
def down() -> None:
    """Stop everything of this home; no process is left behind, no data is lost."""
    from tongban.local import stack

    stopped = stack.down(load_settings(), report=lambda line: typer.echo(line, err=True))
    typer.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(as_json: AsJson = False) -> None:  # noqa: FBT002 - typer reads it
    """Show what runs, where, and what is not well; exit code 1 if anything is not running."""
    from tongban.local import stack

    settings = load_settings()
    lines = stack.status(settings)
    _show(settings, lines, as_json=as_json)
    if any(line.state != stack.RUNNING for line in lines):
        raise typer.Exit(1)


@app.command()
def install() -> None:
    """Make databases, tables, pools and keys for servers of your own (docker/compose.yaml)."""
    from tongban.local import installation

    settings = load_settings()
    installation.install(settings, declared_pools(settings), report=typer.echo)


def declared_pools(settings: Settings) -> list[dict[str, object]]:
    """Give the Airflow pools that the DAGs of this catalog name."""
    from tongban.kernel.catalog import load_catalog
    from tongban.orchestration.pools import pools

    return [dict(pool) for pool in pools(load_catalog(settings.root))]


def _show(settings: Settings, lines: list[Component], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([line.as_dict() for line in lines], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Tongban at {settings.home}", title_justify="left")
    for name in ("component", "state", "process", "address", "look at"):
        table.add_column(name, overflow="fold")
    for line in lines:
        state = f"[{COLOURS[line.state]}]{line.state}[/]"
        table.add_row(line.name, state, str(line.pid or ""), line.address, line.detail)
    Console(width=max(Console().width, 120)).print(table)
