"""Commands for who answers: approvals, approve — what waits for a person, and the decision.

The same questions stand in Airflow's list of required actions; either place decides.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def approvals(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    json_output: Json = False,
) -> None:
    """What waits for a person's decision: refused batches, mass deletes, contract versions."""
    from tongban.store import approvals as store
    from tongban.store.engine import transaction

    with local_hub() as hub, transaction(hub.engine) as connection:
        rows = store.listed(connection) if everything else store.waiting(connection)
    if json_output:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        console.print("nothing waits for a decision")
        return
    table = Table("id", "kind", "subject", "owner", "asked", "reason", "state")
    for row in rows:
        asked = row["asked_at"].strftime("%m-%d %H:%M")
        words = row["state"] + (f" by {row['decided_by']}" if row["decided_by"] else "")
        cells = (row["kind"], row["subject"], row["owner"], asked, row["reason"], words)
        table.add_row(str(row["approval_id"]), *cells)
    console.print(table, markup=False)


@app.command()
def approve(
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    by: Annotated[str, typer.Option(help="Your user name; it stands in the evidence log.")],
    note: Annotated[str | None, typer.Option(help="Why; without any person's data.")] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
) -> None:
    """Decide one question, once; what was approved is carried out at once."""
    from tongban.approved import carry_out
    from tongban.evidence.log import append_approval
    from tongban.store import approvals as store
    from tongban.store.engine import transaction

    wanted: store.Decision = "rejected" if reject else "approved"
    with local_hub() as hub:
        with transaction(hub.engine) as connection:
            decided = store.decide(
                connection,
                _id_of(approval_id),
                wanted,
                by=by,
                note=note,
                evidence=append_approval,
            )
        words = f"{wanted}: {decided['kind']} {decided['subject']}"
        console.print(words, markup=False, highlight=False)
        for loaded in [] if reject else carry_out(hub, decided["kind"], decided["subject"]):
            counts = f"{loaded.read} read, {loaded.new} new, {loaded.changed} changed"
            console.print(f"loaded {loaded.dataset}: {counts}, {loaded.quarantined} quarantined")


def _id_of(text: str) -> UUID:
    """The id, or wrong usage."""
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter("expected an id of `tongban approvals`") from None
