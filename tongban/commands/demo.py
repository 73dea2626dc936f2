"""Command demo: the whole job on one machine, with progress, a table, and a verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tongban.commands.stack import declared_pools
from tongban.kernel.settings import Settings, load_settings

if TYPE_CHECKING:
    from tongban.local.demo import Finished
    from tongban.local.results import Results

app = typer.Typer()

NUMBERS = (
    "read",
    "accepted",
    "quarantined",
    "duplicate",
    "pushed",
    "acknowledged",
    "compared",
)


@app.command()
def demo(
    people: Annotated[
        int | None, typer.Option(min=10, help="Size of the city when it is made (20000).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the city when it is made.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running.")] = False,  # noqa: FBT002
) -> None:
    """Pull from all systems, check, store, push, handle cases, audit; then say if it is right.

    Exit code 1 if any count does not balance, any push is unacknowledged, any question is
    unanswered, the quarantine differs from the sandbox's truth, the substation differs from what
    was pushed, a record of a fake department is missing, or a DAG failed. May be interrupted at any
    time: the next demo goes on, and a demo after that moves what has changed.
    """
    from tongban.commands.progress import ConsoleListener
    from tongban.local import demo as whole_job
    from tongban.local import results, stack

    settings = load_settings()
    with ConsoleListener() as listener:
        finished = whole_job.run(
            settings,
            people=people,
            seed=seed,
            pools=lambda: declared_pools(settings),
            listener=listener,
        )
        listener.step("reading the results")
        found = results.read(finished.settings, finished.since, finished.until)
    if not keep:
        stack.down(settings)
    if as_json:
        typer.echo(json.dumps(_document(finished, found), ensure_ascii=False, indent=2))
    else:
        _show(finished, found, is_running=keep)
    if not found.is_right or finished.failed:
        raise typer.Exit(1)


def _urls(settings: Settings) -> dict[str, str]:
    """Addresses to open; the report is a file."""
    base = f"http://127.0.0.1:{settings.airflow_port}"
    reports = sorted((settings.home / "reports").glob("**/*.html"), key=lambda p: p.stat().st_mtime)
    return {
        "airflow": base,
        "transfers": f"{base}/plugin/tongban-transfers",
        "report": reports[-1].as_uri() if reports else "",
    }


def _document(finished: Finished, found: Results) -> dict[str, Any]:
    """The object that --json prints."""
    return {
        "transfers": found.transfers,
        "balanced": found.balanced,
        "unacknowledged": found.unacknowledged,
        "unanswered": found.unanswered,
        "quarantine_matches_truth": found.quarantine_matches_truth,
        "substation_matches": found.substation_matches,
        "fakes_match": found.fakes_match,
        "differences": found.differences,
        "failed": list(finished.failed),
        "urls": _urls(finished.settings),
        "seconds": finished.seconds,
    }


def _show(finished: Finished, found: Results, *, is_running: bool) -> None:
    """One table, the verdict, the addresses."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"What moved in {finished.seconds:.0f} s", title_justify="left")
    for name in ("system", "dataset", "direction", "protocol"):
        table.add_column(name, overflow="fold")
    for name in (*NUMBERS, "seconds"):
        table.add_column(name, justify="right")
    for row in found.transfers:
        figures = (f"{row[name]:,}" for name in NUMBERS)
        words = (row["system"], row["dataset"], row["direction"], row["protocol"])
        table.add_row(*words, *figures, f"{row['seconds']:.1f}")
    console = Console(width=max(Console().width, 132))
    console.print(table)
    verdicts = {
        "all counts balance": found.balanced,
        f"every push is acknowledged ({found.unacknowledged} open)": found.unacknowledged == 0,
        f"every question is answered ({found.unanswered} open)": found.unanswered == 0,
        "quarantine is exactly what the sandbox spoiled": found.quarantine_matches_truth,
        "the substation holds exactly what was pushed": found.substation_matches,
        "everything that the fake departments hold is stored": found.fakes_match,
        f"all DAG runs succeeded {' '.join(finished.failed)}".rstrip(): not finished.failed,
    }
    for text, holds in verdicts.items():
        console.print(f"[green]✓[/] {text}" if holds else f"[red]✗ {text}[/]")
    for line in found.differences:
        console.print(f"  {line}")
    for name, address in _urls(finished.settings).items():
        console.print(f"{name:10} {address}", soft_wrap=True)
    if is_running:
        users = finished.settings.home / "airflow" / "passwords.json"
        console.print(f"users      admin, operator, auditor; passwords in {users}", soft_wrap=True)
        console.print("still running; stop it with `bin/tongban down`")
