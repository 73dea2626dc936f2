"""The sandbox's command line: build the city, serve a system, disturb it, look at it, move on.

Thin: every verb calls one function of the package and prints its result. Errors of the sandbox end
with code 1 and one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar
from urllib.parse import urlsplit

import typer

from sandbox import remote
from sandbox.credentials import FIRST_PORT, load_credentials, set_port
from sandbox.datasets import DATASETS, SYSTEMS
from sandbox.errors import SandboxError
from sandbox.injection import DEFAULT_RATE
from sandbox.population import populate
from sandbox.truth import load as load_truth

app = typer.Typer(
    name="sandbox",
    help="A synthetic city and six department servers on 127.0.0.1.",
    no_args_is_help=True,
    add_completion=False,
)
CLEAR = "clear"

P = ParamSpec("P")
R = TypeVar("R")
State = Annotated[Path, typer.Option("--state", help="State folder.")]


def _known_system(value: str) -> str:
    if value not in SYSTEMS:
        raise typer.BadParameter(f"one of {', '.join(SYSTEMS)}")
    return value


System = Annotated[str, typer.Argument(callback=_known_system, help=" | ".join(SYSTEMS))]


def _one_sentence(verb: Callable[P, R]) -> Callable[P, R]:
    """Turn errors of the sandbox into one sentence and exit code 1."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except SandboxError as exc:
            typer.secho(str(exc), err=True, fg=typer.colors.RED)
            raise typer.Exit(1) from exc

    return run


@app.command()
@_one_sentence
def population(
    state: State,
    people: Annotated[int, typer.Option(min=10, help="Number of residents.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city.")] = 1,
    defects: Annotated[
        float, typer.Option(min=0, max=0.2, help="Share of records that a contract must refuse.")
    ] = DEFAULT_RATE,
    ports_from: Annotated[int, typer.Option(help="Port of the first system.")] = FIRST_PORT,
    today: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Anchor day; default today.")
    ] = None,
) -> None:
    """Build the synthetic city and write its state folder."""
    summary = populate(
        state,
        people,
        seed,
        defect_rate=defects,
        first_port=ports_from,
        today=today.date() if today else None,
    )
    for name, count in summary.records.items():
        typer.echo(f"{DATASETS[name].system:13}{name:20}{count:>9,}")
    changes = sum(summary.changes.values())
    typer.echo(
        f"{summary.total:,} records, {summary.in_flight} sales in flight,"
        f" {summary.defects:,} defects, {changes:,} prepared changes in {state}"
    )


@app.command()
@_one_sentence
def serve(
    system: System,
    state: State,
    port: Annotated[int | None, typer.Option(help="Default: the one in credentials.json.")] = None,
) -> None:
    """Serve one system until Ctrl-C."""
    from sandbox.servers.run import serve as run_server

    known = urlsplit(load_credentials(state)[system]["base_url"]).port or 0
    if port and port != known:
        set_port(state, system, port)
    run_server(system, state, known if port is None else port)


@app.command()
@_one_sentence
def fault(
    system: System,
    kind: Annotated[str, typer.Argument(help=f"Kind of fault, or {CLEAR!r} to end all faults.")],
    state: State,
    count: Annotated[int | None, typer.Option(min=1, help="For the next N calls.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, max=1, help="Share of calls.")] = None,
    match: Annotated[str | None, typer.Option(help="Only calls that contain this text.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Delay or duration.")] = None,
) -> None:
    """Plan a fault on a running server."""
    if kind == CLEAR:
        _print(remote.clear_faults(state, system))
    else:
        measures = {"count": count, "rate": rate, "match": match, "seconds": seconds}
        _print(remote.plan_fault(state, system, kind, **measures))


@app.command()
@_one_sentence
def accepted(
    system: System,
    state: State,
    dataset: Annotated[str | None, typer.Argument(help="One dataset only.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 1000,
) -> None:
    """Show the rows that a running server accepted from the hub, one JSON object a line."""
    for row in remote.accepted(state, system, dataset, limit):
        _print(row)


@app.command()
@_one_sentence
def truth(state: State) -> None:
    """Show the defects that hold now, one JSON object a line."""
    for line in load_truth(state):
        _print(asdict(line))


@app.command()
@_one_sentence
def advance(
    state: State,
    changes: Annotated[
        int | None, typer.Option(min=1, help="Over all systems; default 1 % of the records.")
    ] = None,
) -> None:
    """Let some time pass: apply the next prepared changes at the running servers."""
    for system, count in remote.advance(state, changes).items():
        typer.echo(f"{system:13}{count:>6} changes")


def _print(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
