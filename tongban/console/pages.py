"""Pages: what each page shows, as a template's name and its context. No HTML here, no SQL.

Each function takes the hub, the reader's language and the address's parts.
"""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import Any
from uuid import UUID

from starlette.exceptions import HTTPException

from tongban.console import labels, queries
from tongban.console.filters import STATES, Filter
from tongban.console.texts import Language
from tongban.console.view import HubView
from tongban.kernel.catalog import HUB, Catalog

Page = tuple[str, dict[str, Any]]
TROUBLE = ("failed", "refused")
NOT_FOUND = 404


def routes(catalog: Catalog) -> list[queries.Route]:
    """Every route of the catalog: children of shared pages and what the hub makes included."""
    pulls = [("pull", r.system, d) for r in catalog.pull_routes for d in r.datasets]
    own = [("pull", HUB, d) for d in catalog.datasets if not catalog.providers(d)]
    return pulls + own + [("push", r.target, r.dataset) for r in catalog.push_routes]


def dressed(catalog: Catalog, row: dict[str, Any], language: Language) -> dict[str, Any]:
    """A transfer with the words and sums that pages show."""
    system = catalog.systems.get(row["system"])
    word, off = labels.balance(row)
    return row | {
        "system_label": labels.system_label(catalog, row["system"], language),
        "dataset_label": labels.dataset_label(catalog, row["dataset"], language),
        "protocol": system.protocol if system else "–",
        "accepted_rows": row["new_rows"] + row["changed_rows"] + row["same_rows"],
        "balance": word,
        "balance_off": off,
        "has_reasons": bool(row["quarantined_rows"] or row["rejected_rows"] or row["error_code"]),
    }


def home(hub: HubView, language: Language) -> Page:
    """Five numbers, the transfers that need a person, one line per department."""
    catalog = hub.catalog
    with queries.reading(hub.engine) as connection:
        day = queries.day(connection)
        last = [
            dressed(catalog, row, language) for row in queries.latest(connection, routes(catalog))
        ]
        refused = queries.quarantine_by_dataset(connection)
        waiting = queries.outbox_open(connection)
        parked = [r for r in queries.outbox_refused(connection) if r["state"] == "parked"]
    trouble = [
        row
        for row in last
        if row["state"] in TROUBLE or row["balance"] in {"unbalanced", "declared_off"}
    ]
    systems = _departments(catalog, language, last, trouble, refused, waiting)
    numbers = [
        ("n_transfers", day["transfers"], "transfers", {"view": "all"}),
        ("n_stored", day["stored"], "datasets", {}),
        ("n_quarantine", sum(refused.values()), "quarantine", {}),
        ("n_outbox", sum(r["rows"] for r in waiting), "outbox", {}),
        ("n_attention", len(trouble) + sum(r["rows"] for r in parked), "transfers", {}),
    ]
    return "home.html", {
        "title": "home",
        "numbers": numbers,
        "trouble": trouble,
        "systems": systems,
    }


def _departments(
    catalog: Catalog,
    language: Language,
    last: list[dict[str, Any]],
    trouble: list[dict[str, Any]],
    refused: dict[tuple[str, str], int],
    waiting: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """One line per department: its last transfers and what waits for a person or a push."""
    return [
        {
            "name": name,
            "label": labels.system_label(catalog, name, language),
            "department": system.department.name,
            "protocol": system.protocol,
            "pull": _last(last, name, "pull"),
            "push": _last(last, name, "push"),
            "quarantined": sum(n for (owner, _), n in refused.items() if owner == name),
            "waiting": sum(r["rows"] for r in waiting if r["target"] == name),
            "trouble": sum(row["system"] == name for row in trouble),
        }
        for name, system in sorted(catalog.systems.items())
    ]


def _last(rows: list[dict[str, Any]], system: str, direction: str) -> dict[str, Any] | None:
    """The newest of a system's transfers in one direction."""
    own = [r for r in rows if r["system"] == system and r["direction"] == direction]
    return max(own, key=itemgetter("started_at"), default=None)


def transfers(hub: HubView, language: Language, wanted: Filter) -> Page:
    """The last transfer of each route, or the whole history, narrowed."""
    catalog = hub.catalog
    with queries.reading(hub.engine) as connection:
        if wanted.is_history:
            found = queries.history(
                connection,
                system=wanted.system,
                dataset=wanted.dataset,
                direction=wanted.direction,
                state=wanted.state,
                before=wanted.before,
            )
        else:
            last = queries.latest(connection, routes(catalog))
            found = [row for row in last if wanted.accepts(row)]
    more = wanted.is_history and len(found) > queries.PAGE_SIZE
    shown = found[: queries.PAGE_SIZE] if wanted.is_history else found
    return "transfers.html", {
        "title": "transfers",
        "rows": [dressed(catalog, row, language) for row in shown],
        "wanted": wanted,
        "older": replace(wanted, before=None).query()
        | {"before": shown[-1]["started_at"].isoformat()}
        if more
        else None,
        "systems": [
            (name, labels.system_label(catalog, name, language))
            for name in (*sorted(catalog.systems), HUB)
        ],
        "datasets": [
            (name, labels.dataset_label(catalog, name, language)) for name in catalog.datasets
        ],
        "states": STATES,
    }


def transfer(hub: HubView, language: Language, transfer_id: UUID) -> Page:
    """One transfer: counts, findings, receipts, errors.

    Raises:
        HTTPException: 404 when there is none.
    """
    catalog = hub.catalog
    with queries.reading(hub.engine) as connection:
        row = queries.transfer(connection, transfer_id)
        if row is None:
            raise HTTPException(NOT_FOUND)
        found = queries.findings(connection, transfer_id)
        related = queries.relatives(connection, row) if row["direction"] == "pull" else []
        receipts = queries.receipts(connection, row) if row["direction"] == "push" else []
    contract = labels.contract_of(catalog, row["dataset"])
    return "transfer.html", {
        "title": "transfer",
        "row": dressed(catalog, row, language),
        "findings": [
            item | {"label": labels.rule_label(contract, item["rule"], language)} for item in found
        ],
        "receipts": receipts,
        "related": [dressed(catalog, item, language) for item in related],
    }


def quarantine(
    hub: HubView, language: Language, system: str | None, dataset: str | None, rule: str | None
) -> Page:
    """Open rows by department, dataset and rule; with a dataset, its latest rows as references."""
    catalog = hub.catalog
    with queries.reading(hub.engine) as connection:
        groups = queries.quarantine_groups(connection, system=system, dataset=dataset)
        rows = queries.quarantine_rows(connection, dataset=dataset, rule=rule) if dataset else []
    for group in groups:
        contract = labels.contract_of(catalog, group["dataset"])
        group["label"] = labels.rule_label(contract, group["rule"] or "", language)
        group["dataset_label"] = labels.dataset_label(catalog, group["dataset"], language)
        group["system_label"] = labels.system_label(catalog, group["system"], language)
    contract = labels.contract_of(catalog, dataset) if dataset else None
    for row in rows:
        row["broken"] = [
            {
                "label": labels.rule_label(contract, str(item.get("rule", "")), language),
                "rule": item.get("rule", ""),
                "field": labels.field_label(contract, str(item.get("field") or ""), language),
            }
            for item in row["findings"]
        ]
    return "quarantine.html", {
        "title": "quarantine",
        "groups": groups,
        "most": max((g["rows"] for g in groups), default=0),
        "rows": rows,
        "system": system,
        "dataset": dataset,
        "rule": rule,
    }


def outbox(hub: HubView, language: Language, target: str | None) -> Page:
    """What waits for each target, since when, and what was refused with which code."""
    catalog = hub.catalog
    with queries.reading(hub.engine) as connection:
        opened = queries.outbox_open(connection)
        refused = queries.outbox_refused(connection)
        totals = queries.pushed_totals(connection)
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for route in catalog.push_routes:
        lines[route.target, route.dataset] = _empty_line(route.target, route.dataset)
    for row in (*opened, *refused):
        key = (row["target"], row["dataset"])
        line = lines.setdefault(key, _empty_line(*key))
        line[row["state"]] += row["rows"]
        if row.get("oldest"):
            line["oldest"] = min(filter(None, (line["oldest"], row["oldest"])))
    for key, line in lines.items():
        line.update(totals.get(key, {"acknowledged": 0, "last": None}))
        line["target_label"] = labels.system_label(catalog, line["target"], language)
        line["dataset_label"] = labels.dataset_label(catalog, line["dataset"], language)
    for row in refused:
        row["target_label"] = labels.system_label(catalog, row["target"], language)
        row["dataset_label"] = labels.dataset_label(catalog, row["dataset"], language)
    return "outbox.html", {
        "title": "outbox",
        "lines": [line for key, line in sorted(lines.items()) if target in {None, key[0]}],
        "refused": [row for row in refused if target in {None, row["target"]}],
        "target": target,
        "targets": sorted({(t, labels.system_label(catalog, t, language)) for t, _ in lines}),
    }


def _empty_line(target: str, dataset: str) -> dict[str, Any]:
    states = ("queued", "sent", "waiting_parent", "rejected", "parked")
    return {"target": target, "dataset": dataset, "oldest": None} | dict.fromkeys(states, 0)


def datasets(hub: HubView, language: Language) -> Page:
    """The catalog: what exists, whose it is, who gets it, how fresh it is."""
    catalog = hub.catalog
    with queries.reading(hub.engine) as connection:
        totals = queries.stored_totals(connection)
        refused = queries.quarantine_by_dataset(connection)
    rows = []
    for name, contract in catalog.contracts().items():
        total = totals.get(name, {"stored": None, "last": None, "until": None})
        rows.append(
            {
                "name": name,
                "contract": contract,
                "label": labels.dataset_label(catalog, name, language),
                "owner": labels.owner_label(catalog, contract, language),
                "classification": _highest(contract.fields),
                "subscribers": [
                    labels.system_label(catalog, t, language) for t in catalog.subscribers(name)
                ],
                "quarantined": sum(n for (_, d), n in refused.items() if d == name),
            }
            | total
        )
    return "datasets.html", {"title": "datasets", "rows": rows}


def dataset(hub: HubView, language: Language, name: str) -> Page:
    """One dataset's contract, field by field.

    Raises:
        HTTPException: 404 when there is no such dataset.
    """
    catalog = hub.catalog
    if name not in catalog.datasets:
        raise HTTPException(NOT_FOUND)
    contract = catalog.contract(name)
    with queries.reading(hub.engine) as connection:
        total = queries.stored_totals(connection).get(name)
    return "dataset.html", {
        "title": "dataset",
        "contract": contract,
        "total": total,
        "owner": labels.owner_label(catalog, contract, language),
        "label": labels.dataset_label(catalog, name, language),
        "subscribers": [
            (t, labels.system_label(catalog, t, language)) for t in catalog.subscribers(name)
        ],
    }


def _highest(fields: tuple[Any, ...]) -> str:
    """The strictest classification among a contract's fields."""
    order = ("public", "internal", "restricted", "sensitive")
    return max((item.classification for item in fields), key=order.index, default="internal")
