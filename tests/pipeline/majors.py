"""A catalog with a second major of the sale contract, and the person who decides about it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tongban.evidence.log import append_approval
from tongban.hub import Hub
from tongban.kernel.contracts import load_contract
from tongban.store import approvals
from tongban.store.engine import transaction

ROOT = Path(__file__).parents[2]
OLD, NEW = "sale_contract", "sale_contract_v2"


def make_changed(root: Path) -> Path:
    """Copy the repository's catalog below `root` and add the second major."""
    for name in ("contracts", "mappings", "connectors"):
        shutil.copytree(
            ROOT / name, root / name, ignore=shutil.ignore_patterns("*.py*", "released")
        )
    add_second_major(root)
    return root


def change(path: Path, target: Path, *pairs: tuple[str, str]) -> None:
    """Write a changed copy of a text file."""
    text = path.read_text("utf-8")
    for find, put in pairs:
        assert find in text, find
        text = text.replace(find, put)
    target.write_text(text, "utf-8")


def add_second_major(root: Path) -> None:
    """Version 2 of the sale contract: a renamed field and one of another type; tax reads it."""
    contracts, mappings = root / "contracts" / OLD, root / "mappings"
    change(
        contracts / "v1.yaml",
        contracts / "v2.yaml",
        (f"version: {load_contract(contracts / 'v1.yaml').version}", "version: 2.0.0"),
        ("sale_contract_v1", "sale_contract_v2"),
        ("total_price", "price"),
        ("logicalType: boolean\n        physicalType: boolean", "logicalType: string"),
    )
    change(
        mappings / "housing" / f"{OLD}.yaml",
        mappings / "housing" / f"{NEW}.yaml",
        ("contract: sale_contract\n", "contract: sale_contract\ncontract_version: 2\n"),
        ("total_price", "price"),
        (', ops: [{boolean: {"true": [Y], "false": [N]}}]', ""),
        ("is_supervised: true", "is_supervised: Y"),
        ("is_supervised: false", "is_supervised: N"),
    )
    change(
        mappings / "tax" / f"{OLD}.push.yaml",
        mappings / "tax" / f"{NEW}.push.yaml",
        ("contract: sale_contract\n", "contract: sale_contract\ncontract_version: 2\n"),
        ("total_price", "price"),
    )
    (mappings / "tax" / f"{OLD}.push.yaml").unlink()


def approve(hub: Hub, decision: approvals.Decision = "approved") -> None:
    """Decide the one question that waits."""
    with transaction(hub.engine) as conn:
        (asked,) = approvals.waiting(conn)
        approvals.decide(
            conn, asked["approval_id"], decision, by="wang", note=None, evidence=append_approval
        )
