"""Commands for cases: where one stands, when it is due and why, and what can be asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from tongban.commands.opening import console, local_hub, print_json
from tongban.kernel.errors import ConfigInvalid

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tongban.cases.clock import Clocks

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Number = Annotated[
    str, typer.Argument(help="Acceptance number, or any department's number of the case.")
]

_INTERNAL = frozenset({"applicant_index", "application_id", "is_told"})


class ShowsByDefault(TyperGroup):
    """`case NUMBER` means `case show NUMBER`."""

    default = "show"

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put `show` before a first word that is no command."""
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else [self.default, *args])


app = typer.Typer()
case = typer.Typer(
    cls=ShowsByDefault,
    help="One case: `case NUMBER` shows where it stands, `case clock NUMBER` when it is due.",
    no_args_is_help=True,
)
app.add_typer(case, name="case")


@case.command()
def show(number: Number, *, json_output: Json = False) -> None:
    """Show where one case stands in all departments."""
    from tongban.cases.engine import case_row
    from tongban.store.engine import transaction

    with local_hub() as hub:
        with transaction(hub.engine) as conn:
            accept_no = _one_case(conn, number)
        row = case_row(hub.engine, accept_no) or {}
    shown = {name: value for name, value in row.items() if name not in _INTERNAL}
    if json_output:
        print_json(shown)
        return
    table = Table("field", "value", show_header=False)
    for name, value in shown.items():
        table.add_row(name, "—" if value is None else str(value))
    console.print(table)


@case.command()
def clock(
    number: Number,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Every interval, with its rule and law.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Show when one case is due: promise, legal limit, pre-check, delivery and steps."""
    from datetime import datetime

    from tongban.cases.catalogue import CaseCatalogue
    from tongban.cases.clock_store import clocks_of
    from tongban.kernel.calendar import load_calendar
    from tongban.kernel.records import BEIJING
    from tongban.store.engine import transaction

    with local_hub() as hub:
        root = hub.catalog.root
        calendar = load_calendar(root / "mappings" / "calendar")
        today = datetime.now(BEIJING).date()
        with transaction(hub.engine) as conn:
            accept_no = _one_case(conn, number)
            catalogue = CaseCatalogue(root)
            found = clocks_of(conn, [accept_no], catalogue, calendar, today=today)[accept_no]
    alarm = calendar.alarm(today)
    if json_output:
        print_json(_document(accept_no, found, str(alarm) if alarm else None))
        return
    console.print(_states(found))
    if explain:
        console.print(_intervals(found))
        for remark in found.remarks:
            console.print(f"{remark.on}  {remark.event}: {remark.code}", style="yellow")
    console.print(f"calendar {found.calendar_revision}; ≈ may move with the next official notice")
    if alarm:
        console.print(str(alarm), style="yellow", markup=False, highlight=False)


@app.command()
def items(
    *,
    group: Annotated[str | None, typer.Option(help="Only the items of one service group.")] = None,
    json_output: Json = False,
) -> None:
    """Count the service items by the cuts of the notice, and list those with steps or a flow."""
    from tongban.cases.catalogue import REFERENCE, CaseCatalogue
    from tongban.cases.items import unknown
    from tongban.kernel.settings import load_settings

    catalogue = CaseCatalogue(load_settings().root)
    if group is not None and group not in catalogue.groups:
        raise ConfigInvalid(unknown(group, catalogue.groups, "service group"))
    found = [i for i in catalogue.items.values() if group is None or i.group == group]
    totals, notice = asdict(catalogue.totals()), asdict(REFERENCE)
    if json_output:
        documents = [item.model_dump(mode="json") for item in found]
        print_json({"totals": totals, "notice": notice, "items": documents})
        return
    cuts = Table("cut", "items", "notice §3(1)")
    for name, count in totals.items():
        cuts.add_row(name, f"{count:,}", f"{notice[name]:,}")
    console.print(cuts)
    table = Table("item", "kind", "group", "promise", "legal", "flow or steps")
    for item in found:
        if item.flow or item.steps:
            way = item.flow or " → ".join(step.name for step in item.steps)
            days = ("—" if item.legal_days is None else str(item.legal_days),)
            name = f"{item.name}\n{item.code}"
            row = (name, item.kind, item.group or "—", str(item.promise_days))
            table.add_row(*row, *days, way)
    console.print(table)


def _one_case(conn: Connection, number: str) -> str:
    """The case that a number means.

    Raises:
        ConfigInvalid: None does, or several do.
    """
    from tongban.cases.aliases import cases_of
    from tongban.cases.number import LENGTH, is_accept_no

    found = cases_of(conn, number)
    if not found and len(number) == LENGTH and number.isdigit() and not is_accept_no(number):
        raise ConfigInvalid(
            "this is no acceptance number: its check digits are wrong; read it again"
        )
    if not found:
        raise ConfigInvalid("no case has this number, in no department")
    if len(found) > 1:
        raise ConfigInvalid(f"{len(found)} cases have this number: {', '.join(found)}; name one")
    return found[0]


def _states(found: Clocks) -> Table:
    table = Table("clock", "state", "used", "limit", "left", "due", "epoch")
    for state in found.states:
        due = "—" if state.due_on is None else f"{'≈' * state.is_provisional}{state.due_on}"
        limit = f"{state.limit}" + (f" (+{state.extended})" if state.extended else "")
        word = f"{state.state}, overdue" if state.is_overdue else state.state
        row = (state.clock, word, str(state.used), limit, str(state.remaining), due)
        table.add_row(*row, str(state.epoch), style="red" if state.is_overdue else None)
    return table


def _intervals(found: Clocks) -> Table:
    table = Table("clock", "epoch", "from", "to", "days", "rule", "law")
    for item in found.intervals:
        days = str(item.days) if item.counts else "not counted"
        rule = f"{item.rule.zh}\n{item.rule.en}"
        ends = str(item.ended_on or "…")
        row = (item.clock, str(item.epoch), str(item.began_on), ends, days, rule)
        table.add_row(*row, item.rule.law)
    return table


def _document(accept_no: str, found: Clocks, alarm: str | None) -> dict[str, Any]:
    states = [{**asdict(state), "remaining": state.remaining} for state in found.states]
    return {"accept_no": accept_no, **asdict(found), "states": states, "calendar_alarm": alarm}
