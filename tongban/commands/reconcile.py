"""Commands of reconciliation: reconcile, statements — step 7 of a record's path by hand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json
from tongban.kernel.errors import TongbanError

if TYPE_CHECKING:
    from tongban.hub import Hub
    from tongban.reconcile import Reconciled

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Target = Annotated[str | None, typer.Option("--target", help="Only this receiver.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="Only this dataset.")]
Day = Annotated[
    datetime | None,
    typer.Option("--day", formats=["%Y-%m-%d"], help="Only what was delivered on that day."),
]
MOST_LISTED = 100
DIFFERENCE: tuple[str, ...] = (
    "record_id",
    "kind",
    "our_version",
    "their_version",
    "receipt_no",
    "their_receipt_no",
    "is_contradiction",
    "action",
)
STATEMENT: tuple[str, ...] = (
    "statement_id",
    "target",
    "dataset",
    "asked_at",
    "state",
    "ours_rows",
    "theirs_rows",
    "contradictions",
    "requeued_rows",
)
HELD = "too many to send again unasked; look at them, then repeat with --all"


@app.command()
def reconcile(
    *,
    target: Target = None,
    dataset: Dataset = None,
    day: Day = None,
    repair: Annotated[
        bool, typer.Option("--repair/--no-repair", help="Send again what the target lacks.")
    ] = True,
    everything: Annotated[bool, typer.Option("--all", help="Send it however much it is.")] = False,
    json_output: Json = False,
) -> None:
    """Compare what was delivered with what each receiver says it has, and mend the difference.

    Exit code 1 when a receiver did not answer or a difference needs a person.
    """
    from tongban.reconcile import routes_of

    results: list[Reconciled] = []
    failed: list[dict[str, str]] = []
    with local_hub() as hub:
        for route in routes_of(hub, target, dataset):
            try:
                found = _one(hub, route, day.date() if day else None, repair, everything)
            except TongbanError as exc:  # the other routes are compared all the same
                failed.append({"route": route.name, "code": exc.code, "message": str(exc)})
            else:
                results.append(found)
    if json_output:
        print_json({"compared": [_document(item) for item in results], "failed": failed})
    else:
        _show(results, failed)
    if failed or any(_needs_a_person(item) for item in results):
        raise typer.Exit(1)


@app.command()
def statements(
    statement_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    *,
    target: Target = None,
    dataset: Dataset = None,
    json_output: Json = False,
) -> None:
    """The newest statements (对账单); with an ID the records that differ, with both receipts."""
    from tongban.reconcile import differences_of, listed, read_sheet
    from tongban.store.engine import transaction

    with local_hub() as hub, transaction(hub.engine) as connection:
        if statement_id is None:
            rows = [dict(row) for row in listed(connection, target, dataset, MOST_LISTED)]
            head: Any = None
        else:
            asked = _id_of(statement_id)
            sheet = read_sheet(connection, asked)
            if sheet is None:
                raise typer.BadParameter("there is no such statement; `tongban statements` lists")
            head = {name: _shown(value) for name, value in sheet.items()}
            rows = [dict(row) for row in differences_of(connection, asked, MOST_LISTED)]
    shown = [{name: _shown(value) for name, value in row.items()} for row in rows]
    if json_output:
        print_json({"statement": head, "differences": shown} if head else shown)
        return
    if head:
        console.print(head["document"], markup=False, highlight=False, soft_wrap=True)
        names = DIFFERENCE
    else:
        names = STATEMENT
    table = Table(*names)
    for row in shown:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in names))
    console.print(table, markup=False)


def _one(hub: Hub, route: Any, day: date | None, repair: bool, everything: bool) -> Reconciled:  # noqa: FBT001 - the command's own options
    """Compare one route and send what was queued again."""
    from tongban.pipeline import push
    from tongban.reconcile import reconcile as compare

    found = compare(hub, route, day=day, repairs=repair, all_of_it=everything)
    if found.requeued_rows:
        push(hub, route.target, route.dataset)
    return found


def _needs_a_person(found: Reconciled) -> bool:
    """Whether something was left that sending did not mend."""
    return found.state == "differs" and (
        found.requeued_rows < sum(found.differences.values())
        or found.foreign_rows > 0
        or found.mode == "counted"
    )


def _document(found: Reconciled) -> dict[str, Any]:
    """A result for programs."""
    return {**asdict(found), "differences": dict(found.differences), "state": found.state}


def _show(results: list[Reconciled], failed: list[dict[str, str]]) -> None:
    """Results for people."""
    table = Table("target", "dataset", "ours", "theirs", "state", "differences", "sent again")
    for item in results:
        words = ", ".join(f"{count:,} {kind}" for kind, count in item.differences.items())
        if item.contradictions:
            words += f" ({item.contradictions:,} against the target's own receipts)"
        if item.foreign_rows:
            words += f"; {item.foreign_rows:,} foreign keys"
        theirs = "" if item.theirs_rows is None else f"{item.theirs_rows:,}"
        cells = (item.target, item.dataset, f"{item.ours_rows:,}", theirs, item.state, words)
        table.add_row(*cells, f"{item.requeued_rows:,}")
    console.print(table, markup=False)
    for item in results:
        if item.is_held:
            console.print(f"{item.target} {item.dataset}: {HELD}", style="yellow", markup=False)
    for line in failed:
        text = f"{line['route']}: {line['code']}: {line['message']}"
        console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _shown(value: Any) -> Any:
    """Bytes as hex; the rest as it is."""
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _id_of(text: str) -> UUID:
    """The id, or wrong usage."""
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter("expected an id of `tongban statements`") from None
