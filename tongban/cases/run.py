"""Run: advance all cases and send what changed on its way, as the `cases` DAG and the CLI do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from tongban.cases.catalogue import CaseCatalogue
from tongban.cases.engine import advance, mark_told, untold
from tongban.cases.tell import acceptance_rows, process_rows, result_rows
from tongban.kernel.calendar import load_calendar
from tongban.protect import open_column

if TYPE_CHECKING:
    from tongban.pipeline import Hub

FLOW = "house_sale"
_APPLICANT = ("applicant_name", "applicant_id_no")
NEEDED = (
    "online_application",
    "service_item",
    "sale_contract",
    "sale_contract_party",
    "deed_tax_payment",
    "real_estate_right",
)


def advance_cases(hub: Hub) -> dict[str, int]:
    """Open and move cases, then store what changed as the three case datasets.

    Returns:
        `opened`, one count per event, `told` (cases) and `new`/`changed` rows of the datasets.
    """
    from tongban.pipeline import ingest

    contracts = {name: hub.catalog.contract(name) for name in NEEDED}
    catalogue = CaseCatalogue(hub.catalog.root)
    calendar = load_calendar(hub.catalog.root / "mappings" / "calendar")
    steps = catalogue.flows[FLOW].told
    done = advance(hub.engine, contracts, calendar, catalogue)
    counts = {"opened": done.opened, **{k.lower(): v for k, v in done.moved.items()}}
    counts |= {"told": 0, "new": 0, "changed": 0}
    for telling in untold(hub.engine, contracts):
        cases = _open_applicants(hub, telling.cases)
        for dataset, make in (
            ("case_acceptance", acceptance_rows),
            ("case_process", partial(process_rows, steps=steps)),
            ("case_result", result_rows),
        ):
            rows = make(cases, hub.catalog.contract(dataset))
            if rows.height:
                stored = ingest(hub, dataset, rows)
                counts["new"] += stored.new
                counts["changed"] += stored.changed
        mark_told(hub.engine, telling.marks)
        counts["told"] += len(telling.marks)
    return counts


def _open_applicants(hub: Hub, cases: pl.DataFrame) -> pl.DataFrame:
    """The applicants' classified fields, opened from the application that they came with."""
    keys = cases["application_id"].to_list()
    opened = [
        pl.Series(
            name,
            open_column(hub.keyring, cases[name].to_list(), "online_application", name, keys),
            dtype=pl.String,
        )
        for name in _APPLICANT
    ]
    return cases.with_columns(opened)
