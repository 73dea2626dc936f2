"""datasets.md: every dataset with its fields, classes, routes and own rules."""

from __future__ import annotations

from pathlib import Path

from docs.pages.markdown import code, page, table
from tongban.kernel.catalog import HUB, Catalog, load_catalog
from tongban.kernel.contracts import Contract, Field

INTRO = """One name everywhere: contract folder, mapping file, table, Asset and DAG. Classes: `public`; `internal`;
`restricted` (stored typed, masked when shown); `sensitive` (encrypted at rest, masked when shown). A field with index
`subject` is how a person or a company is found in all datasets. Keys are marked *."""


def render(root: Path) -> str:
    """Write the page."""
    catalog = load_catalog(root)
    contracts = catalog.contracts()
    return page(
        "Datasets", INTRO, _overview(catalog), *(_section(catalog, c) for c in contracts.values())
    )


def _overview(catalog: Catalog) -> str:
    rows = []
    for name, contract in catalog.contracts().items():
        classified = sum(item.is_classified for item in contract.fields)
        rows.append(
            (
                f"[{name}](#{name})",
                contract.label,
                ", ".join(catalog.providers(name)) or HUB,
                ", ".join(catalog.subscribers(name)),
                len(contract.fields),
                classified,
                len(contract.rules),
            )
        )
    head = ("dataset", "名称", "from", "pushed to", "fields", "encrypted", "rules")
    return table(head, rows)


def _section(catalog: Catalog, contract: Contract) -> str:
    facts = [
        f"version {contract.version}",
        f"table `data.{contract.table}`",
        f"change time {code(contract.changed_at) or 'none'}",
        f"refused above {contract.dirty_share:.0%} bad rows (from {contract.dirty_rows} rows on)",
        f"rectification within {contract.rectification_days} working days",
    ]
    pulls = [code(r.dag_id) for r in catalog.pull_routes if contract.dataset in r.datasets]
    if pulls:
        facts.insert(1, f"pulled by {', '.join(pulls)}")
    head = ("field", "名称", "type", "required", "class", "index", "mask", "codes")
    parts = [
        f"## {contract.dataset}",
        f"{contract.label}. {contract.description.get('purpose', '')}",
        "; ".join(facts) + ".",
        table(head, [_field(contract, item) for item in contract.fields]),
    ]
    if contract.rules:
        rows = [(code(r.id), code(r.kind), r.severity, r.description) for r in contract.rules]
        parts.append(table(("rule", "kind", "severity", "说明"), rows))
    return "\n\n".join(parts)


def _field(contract: Contract, item: Field) -> tuple[str, ...]:
    return (
        code(item.name) + ("*" if item.name in contract.key else ""),
        item.label,
        f"decimal({item.precision},{item.scale})" if item.type == "decimal" else item.type,
        "yes" if item.required else "",
        item.classification,
        item.index or "",
        item.mask or "",
        item.code_table or "",
    )
