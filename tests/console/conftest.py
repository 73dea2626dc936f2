"""A migrated database with some traffic in it, and the console looking at it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException, Request
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert

from tests.console.small_catalog import make_root
from tongban.console import create_app
from tongban.console.view import View
from tongban.kernel.catalog import load_catalog
from tongban.store import tables
from tongban.store.engine import open_engine

NOW = datetime.now(UTC).replace(microsecond=0)
PULL = uuid.UUID(int=1)
CHILD = uuid.UUID(int=2)
PUSH = uuid.UUID(int=3)
FAILED = uuid.UUID(int=4)
PASSWORD = "Bearer letmein"


def transfer_rows() -> list[dict[str, Any]]:
    """Three good transfers and one that failed with a hostile message."""
    ended = {"state": "finished", "finished_at": NOW, "work_ms": 1840}
    return [
        {
            "transfer_id": PULL,
            "direction": "pull",
            "system": "housing",
            "dataset": "sale_contract",
            "started_at": NOW - timedelta(minutes=9),
            **ended,
            "window_until": NOW,
            "contract_version": "1.0.0",
            "declared_rows": 1250,
            "pages": 3,
            "chunks": 1,
            "read_rows": 1250,
            "new_rows": 1100,
            "changed_rows": 40,
            "same_rows": 60,
            "quarantined_rows": 45,
            "duplicate_rows": 5,
        },
        {
            "transfer_id": CHILD,
            "direction": "pull",
            "system": "housing",
            "dataset": "sale_contract_party",
            "parent_id": PULL,
            "started_at": NOW - timedelta(minutes=9),
            **ended,
            "window_until": NOW,
            "declared_rows": 1250,
            "read_rows": 2500,
            "new_rows": 2500,
        },
        {
            "transfer_id": PUSH,
            "direction": "push",
            "system": "tax",
            "dataset": "sale_contract",
            "started_at": NOW - timedelta(minutes=5),
            **ended,
            "pushed_rows": 1140,
            "acknowledged_rows": 1100,
            "rejected_rows": 10,
            "waiting_rows": 30,
        },
        {
            "transfer_id": FAILED,
            "direction": "pull",
            "system": "housing",
            "dataset": "house_unit",
            "state": "failed",
            "started_at": NOW - timedelta(hours=1),
            "error_code": "retry.system_unavailable",
            "error_message": "housing: <script>alert(1)</script> HTTP 503 & nothing was written",
        },
    ]


def quarantine_rows() -> list[dict[str, Any]]:
    """Two rows of a dataset, one of them with two broken rules."""
    both = [
        {"rule": "contract_no.required", "field": "contract_no"},
        {"rule": "sale_contract.signed_not_future", "field": "changed_at"},
    ]
    return [
        {
            "system": "housing",
            "dataset": "sale_contract",
            "transfer_id": PULL,
            "key_index": uuid.UUID(int=100 + i),
            "has_key": True,
            "row_digest": b"d",
            "row_sealed": b"sealed",
            "findings": both[: i + 1],
        }
        for i in range(2)
    ]


def outbox_rows() -> list[dict[str, Any]]:
    """Rows in five states."""
    states = ["queued"] * 3 + ["waiting_parent", "sent", "rejected", "parked", "accepted"]
    return [
        {
            "target": "tax",
            "dataset": "sale_contract",
            "record_id": uuid.UUID(int=200 + i),
            "version": 1,
            "state": state,
            "transfer_id": PUSH,
            "code": "DIGEST_MISMATCH" if state == "rejected" else None,
        }
        for i, state in enumerate(states)
    ]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Open the test's own database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def traffic(engine: Engine) -> Engine:
    """Fill the database with a few transfers, quarantine and outbox rows."""
    with engine.begin() as connection:
        for row in transfer_rows():
            connection.execute(insert(tables.transfer).values(**row))
        connection.execute(
            insert(tables.transfer_finding),
            [
                {
                    "transfer_id": PULL,
                    "rule": "contract_no.required",
                    "severity": "error",
                    "rows": 45,
                },
                {"transfer_id": PULL, "rule": "changed_at.range", "severity": "warning", "rows": 7},
            ],
        )
        for row in quarantine_rows():
            connection.execute(insert(tables.quarantine).values(**row))
        for row in outbox_rows():
            connection.execute(insert(tables.outbox).values(**row))
        connection.execute(
            insert(tables.cursor).values(
                system="housing", dataset="sale_contract", until=NOW, transfer_id=PULL
            )
        )
    return engine


def clerk(request: Request) -> str:
    """Let in who knows the word, as Airflow would let in who has a token."""
    if request.headers.get("Authorization") != PASSWORD:
        raise HTTPException(401, "Not authenticated")
    return "张<clerk>"


@pytest.fixture
def anonymous(traffic: Engine, tmp_path: Path) -> TestClient:
    """A reader who has not signed in."""
    view = View(engine=traffic, catalog=load_catalog(make_root(tmp_path)))
    return TestClient(create_app(lambda: view, clerk))


@pytest.fixture
def reader(anonymous: TestClient) -> TestClient:
    """A reader who has signed in."""
    anonymous.headers["Authorization"] = PASSWORD
    return anonymous
