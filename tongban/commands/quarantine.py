"""Commands of rectification: quarantine list, notice, notices, export, import, waive."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

if TYPE_CHECKING:
    from datetime import date

    from tongban.hub import Hub
    from tongban.kernel.calendar import WorkingDays

app = typer.Typer()
quarantine = typer.Typer(
    help="Refused rows: ask for corrections, take them back, waive.", no_args_is_help=True
)
app.add_typer(quarantine, name="quarantine")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Department = Annotated[str, typer.Argument(help="System whose rows they are.")]
By = Annotated[str, typer.Option(help="Your user name; it stands in the evidence log.")]


@quarantine.command("list")
def list_rows(
    department: Annotated[str | None, typer.Argument(help="Only this system.")] = None,
    *,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    json_output: Json = False,
) -> None:
    """Open rows: rules, fields, since when, and the notice that asks for them. No values."""
    from tongban.rectify.listing import open_rows
    from tongban.store.engine import transaction

    with local_hub() as hub, transaction(hub.engine) as connection:
        rows = [dict(row) for row in open_rows(connection, _today(), department, dataset)]
    if json_output:
        print_json(rows)
        return
    names = ("quarantine_id", "system", "dataset", "rules", "quarantined_at", "notice_no", "due_on")
    table = Table(*names)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in names))
    console.print(table, markup=False)


@quarantine.command()
def notice(
    department: Department,
    *,
    by: By,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    json_output: Json = False,
) -> None:
    """Issue correction notices (补正通知) for open rows that no notice asks for yet."""
    from tongban.rectify import issue_notices

    with local_hub() as hub:
        calendar = _calendar(hub)
        made = issue_notices(
            hub.engine, hub.catalog, calendar, department, by=by, dataset=dataset, today=_today()
        )
    if json_output:
        print_json([asdict(item) for item in made])
        return
    for item in made:
        words = f"{item.notice_no}: {item.dataset}, {item.rows:,} rows, due on {item.due_on}"
        console.print(words, markup=False, highlight=False)
    if not made:
        console.print("no open row waits for a notice")


@quarantine.command()
def notices(
    department: Annotated[str | None, typer.Argument(help="Only this system.")] = None,
    *,
    json_output: Json = False,
) -> None:
    """Correction notices, newest first, with what is still open."""
    from tongban.rectify import listed_notices
    from tongban.store.engine import transaction

    with local_hub() as hub, transaction(hub.engine) as connection:
        rows = [dict(row) for row in listed_notices(connection, department)]
    if json_output:
        print_json(rows)
        return
    names = ("notice_no", "dataset", "rows", "open_rows", "issued_by", "due_on")
    table = Table(*names)
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    console.print(table, markup=False)


@quarantine.command()
def export(
    notice_no: Annotated[str, typer.Argument(metavar="NOTICE")],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Workbook to write (.xlsx).")],
    *,
    by: By,
    reader: Annotated[
        str | None,
        typer.Option("--for", help="Another department that reads it; then it is masked."),
    ] = None,
) -> None:
    """Write the open rows of a notice as a workbook for its department; text cells only."""
    from tongban.rectify.listing import export_notice

    with local_hub() as hub:
        content, rows = export_notice(hub, notice_no, reader=reader, by=by)
    with path.open("xb") as file:  # never over another file
        path.chmod(0o600)
        file.write(content)
    console.print(f"{path}: {rows:,} rows", markup=False, highlight=False)


@quarantine.command("import")
def import_rows(
    department: Department,
    dataset: Annotated[str, typer.Argument(help="Whose rows they are.")],
    path: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    *,
    by: By,
    json_output: Json = False,
) -> None:
    """Apply corrected rows (.xlsx or .csv) in their order; what was applied before is passed over.

    Exit code 1 when a row is still refused or nobody asked for it.
    """
    from tongban.rectify import apply_corrections, read_rows

    with local_hub() as hub:
        rows = read_rows(path.read_bytes(), hub.catalog.contract(dataset))
        done = apply_corrections(hub, department, dataset, rows, by=by)
    if json_output:
        print_json(asdict(done))
    else:
        words = (
            f"{done.rows:,} rows: {done.applied:,} applied, {done.again:,} applied before, "
            f"{done.refused:,} still refused, {done.unasked:,} not asked for; "
            f"{done.closed:,} quarantine rows closed"
        )
        console.print(words, markup=False, highlight=False)
    if done.refused or done.unasked:
        raise typer.Exit(1)


@quarantine.command()
def waive(
    quarantine_id: Annotated[int, typer.Argument(metavar="ROW")],
    *,
    by: By,
    reason: Annotated[str, typer.Option(help="Why; without any person's data.")],
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day on which it holds.")
    ],
) -> None:
    """Waive the rules that one row breaks, for its record, until a date."""
    from tongban.rectify import waive as grant

    with local_hub() as hub:
        rules = grant(
            hub.engine, quarantine_id, by=by, reason=reason, until=until.date(), today=_today()
        )
    words = f"waived until {until.date()}: {', '.join(rules)}"
    console.print(words, markup=False, highlight=False)


def _today() -> date:
    """The day in Beijing."""
    from tongban.kernel.records import BEIJING

    return datetime.now(BEIJING).date()


def _calendar(hub: Hub) -> WorkingDays:
    """The city's working days."""
    from tongban.kernel.calendar import load_calendar

    return load_calendar(hub.settings.root / "mappings" / "calendar")
