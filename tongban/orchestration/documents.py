"""Documents: what a DAG says about itself — its definition's digests, its tags, its page.

The digests stand in the tasks' arguments: a changed mapping or contract makes a new DAG version,
so Airflow's version history is the history of the agreements.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tongban.kernel.catalog import Catalog, PullRoute, PushRoute

DIGEST_LENGTH = 12


def file_digest(path: Path) -> str:
    """First 12 hex digits of a file's SHA-256, or `missing`."""
    if not path.is_file():
        return "missing"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_LENGTH]


def pull_definition(catalog: Catalog, route: PullRoute) -> dict[str, Any]:
    """Digests of everything that decides what a pull does."""
    return {
        "system": file_digest(_system_file(catalog, route.system)),
        "codes": folder_digest(catalog.root / "mappings" / "codes"),
        "datasets": {
            dataset: {
                "contract": contract_mark(catalog, dataset),
                "mapping": file_digest(
                    catalog.root / "mappings" / route.system / f"{dataset}.yaml"
                ),
            }
            for dataset in route.datasets
        },
    }


def push_definition(catalog: Catalog, route: PushRoute) -> dict[str, Any]:
    """Digests of everything that decides what a push does."""
    mapping = catalog.root / "mappings" / route.target / f"{route.dataset}.push.yaml"
    return {
        "system": file_digest(_system_file(catalog, route.target)),
        "codes": folder_digest(catalog.root / "mappings" / "codes"),
        "contract": contract_mark(catalog, route.dataset),
        "mapping": file_digest(mapping),
    }


def contract_mark(catalog: Catalog, dataset: str) -> str:
    """`1.0.0 0123456789ab`: the contract's version and digest."""
    contract = catalog.contract(dataset)
    return f"{contract.version} {contract.digest[:DIGEST_LENGTH]}"


def folder_digest(folder: Path) -> str:
    """One digest over all code tables, by name and content."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.csv")):
        whole.update(path.name.encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:DIGEST_LENGTH]


def _system_file(catalog: Catalog, system: str) -> Path:
    return catalog.root / "connectors" / "systems" / f"{system}.yaml"


PULL_PAGE = """### {label} · {dataset}
从**{system.title.zh}**（{system.department.name}）拉取，协议 {protocol}：先落地原始页，
再转换、校验、加密、入库；每条记录只有一个去处：入库、隔离或重复。

Pulled from **{system.title.en}** over {protocol}: pages land first, then they are normalized,
validated, protected and stored. Every row ends in exactly one place: stored, quarantined or
duplicate.

{contracts}

字段血缘 / column lineage: `bin/tongban map lineage {dataset}`

补数：手工运行并填写 `since`、`until`。 Backfill: run by hand with `since` and `until`.

[传输记录 / transfers](/tongban/transfers?system={system.system}&dataset={dataset}) ·
[隔离 / quarantine](/tongban/quarantine?system={system.system}&dataset={dataset})
"""
PUSH_PAGE = """### {label} → {system.title.zh} · {dataset}
数据集更新后，把待发队列送往**{system.title.zh}**，逐条记录回执；同一条记录重发不会重复生效。

Sends the outbox to **{system.title.en}** over {protocol} whenever the dataset was updated, and
keeps the receiver's answer for every record. Sending a record again has no second effect.

{contracts}

[待发队列 / outbox](/tongban/outbox?target={system.system}) ·
[传输记录 / transfers](/tongban/transfers?direction=push&dataset={dataset})
"""


def pull_page(catalog: Catalog, route: PullRoute) -> str:
    """The DAG's page in Airflow, Chinese and English."""
    return PULL_PAGE.format(
        label=catalog.contract(route.dataset).label,
        dataset=route.dataset,
        system=catalog.system(route.system),
        protocol=route.protocol.upper(),
        contracts=_contracts(catalog, route.datasets),
    )


def push_page(catalog: Catalog, route: PushRoute) -> str:
    """The DAG's page in Airflow, Chinese and English."""
    return PUSH_PAGE.format(
        label=catalog.contract(route.dataset).label,
        dataset=route.dataset,
        system=catalog.system(route.target),
        protocol=route.protocol.upper(),
        contracts=_contracts(catalog, (route.dataset,)),
    )


def _contracts(catalog: Catalog, datasets: tuple[str, ...]) -> str:
    """Links to the contracts' pages."""
    links = (
        f"[{catalog.contract(name).label} v{catalog.contract(name).version}]"
        f"(/tongban/datasets/{name})"
        for name in datasets
    )
    return "契约 / contracts: " + ", ".join(links)


def pull_name(catalog: Catalog, route: PullRoute) -> str:
    """What people read instead of the DAG's id."""
    label, title = catalog.contract(route.dataset).label, catalog.system(route.system).title
    return f"拉取 {label} ← {title.zh}"


def push_name(catalog: Catalog, route: PushRoute) -> str:
    """What people read instead of the DAG's id."""
    label, title = catalog.contract(route.dataset).label, catalog.system(route.target).title
    return f"推送 {label} → {title.zh}"


def tags(system: str, direction: str, protocol: str, *names: str) -> list[str]:
    """Tags by which the DAG list is filtered; the department also by its Chinese name."""
    return sorted({system, direction, protocol, "tongban", *names})
