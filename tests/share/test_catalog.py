"""The share app: who gets in, what the catalog says, and that no record comes out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import insert

from tests.console.small_catalog import make_root
from tongban.console.view import View
from tongban.kernel.catalog import load_catalog
from tongban.share import create_app
from tongban.store import tables
from tongban.store.engine import open_engine

pytestmark = pytest.mark.postgres
UNTIL = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
PASSWORD = "Bearer letmein"


def caller(request: Request) -> str:
    """Let in who knows the word."""
    if request.headers.get("Authorization") != PASSWORD:
        raise HTTPException(401, "Not authenticated")
    return "tax"


@pytest.fixture
def anonymous(database_url, tmp_path):
    """A client without a login, in front of a catalog of two systems."""
    engine = open_engine(database_url)
    with engine.begin() as conn:
        conn.execute(
            insert(tables.cursor).values(
                system="housing", dataset="sale_contract", until=UNTIL, transfer_id=UUID(int=1)
            )
        )
    view = View(engine=engine, catalog=load_catalog(make_root(tmp_path)))
    yield TestClient(create_app(lambda: view, caller), raise_server_exceptions=False)
    engine.dispose()


@pytest.fixture
def client(anonymous):
    """A client with a login."""
    anonymous.headers["Authorization"] = PASSWORD
    return anonymous


def paths() -> list[str]:
    """Every route of the app, parameters filled in."""
    app = create_app(lambda: None, caller)  # type: ignore[arg-type,return-value]
    routes: list[str] = []
    for route in app.router.routes:
        inner = getattr(route, "original_router", None)
        routes += [r.path for r in (inner.routes if inner else [route]) if isinstance(r, APIRoute)]
    return [path.replace("{dataset}", "sale_contract") for path in routes]


def test_routes_are_the_two_of_the_catalog():
    """A new route has to be added here, and with it to the tests below."""
    assert ["/catalog", "/catalog/sale_contract"] == paths()


@pytest.mark.parametrize("path", ["/catalog", "/catalog/sale_contract", "/catalog/no_such"])
def test_anonymous_caller_is_refused(anonymous, path):
    """No route answers without a login, not even about what there is not."""
    answer = anonymous.get(path)

    assert 401 == answer.status_code
    assert {"detail": "Not authenticated"} == answer.json()


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_there_are_no_documentation_pages(client, path):
    """They would tell strangers about the app, and load scripts from elsewhere."""
    assert 404 == client.get(path).status_code


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(client, method):
    """The app is read-only."""
    assert 405 == getattr(client, method)("/catalog").status_code


def test_catalog_lists_every_dataset_with_owner_and_subscribers(client):
    """What a department must know before it asks for access."""
    cards = {card["dataset"]: card for card in client.get("/catalog").json()}

    assert {"house_unit", "sale_contract", "sale_contract_party"} == set(cards)
    contract = cards["sale_contract"]
    assert {"zh": "网签合同", "en": "sale contract"} == contract["label"]
    assert "housing" == contract["owner"]["system"]
    assert "平凉市房产交易局" == contract["owner"]["department"]
    assert ["tax"] == contract["subscribers"]
    assert "internal" == contract["classification"]
    assert "conditional" == contract["share"]


def test_freshness_is_the_cursor_in_beijing_time(client):
    """A dataset that was never pulled has none."""
    cards = {card["dataset"]: card for card in client.get("/catalog").json()}

    assert "2026-11-24T09:30:00+08:00" == cards["sale_contract"]["as_of"]
    assert cards["house_unit"]["as_of"] is None


def test_dataset_shows_its_fields_with_types_and_classes(client):
    """Enough to write a mapping, nothing of any record."""
    detail = client.get("/catalog/sale_contract").json()

    assert [("contract_no", "string", True), ("changed_at", "datetime", False)] == [
        (f["name"], f["type"], f["key"]) for f in detail["fields"]
    ]
    assert {"zh": "合同编号", "en": "contract no"} == detail["fields"][0]["label"]
    assert ["internal", "internal"] == [f["classification"] for f in detail["fields"]]


def test_unknown_dataset_is_not_found(client):
    """With a way on, and without repeating what was asked for."""
    answer = client.get("/catalog/<script>")

    assert 404 == answer.status_code
    assert "script" not in answer.text


def test_answers_are_never_cached(client, anonymous):
    """Neither by browsers nor by proxies in between."""
    assert "no-store" == client.get("/catalog").headers["Cache-Control"]
    assert "nosniff" == client.get("/catalog").headers["X-Content-Type-Options"]


def test_broken_database_is_503_without_a_trace(tmp_path):
    """The caller learns to come again, and nothing about our insides."""
    engine = open_engine("postgresql://nobody:secret@127.0.0.1:9/none")
    view = View(engine=engine, catalog=load_catalog(make_root(tmp_path)))
    client = TestClient(create_app(lambda: view, caller), headers={"Authorization": PASSWORD})

    answer = client.get("/catalog")

    assert 503 == answer.status_code
    assert answer.json()["code"].startswith("retry.")
    assert "secret" not in answer.text


def test_catalog_of_the_project_can_be_told_in_full(database_url):
    """Every real contract fits the answer's model."""
    from pathlib import Path

    engine = open_engine(database_url)
    view = View(engine=engine, catalog=load_catalog(Path(__file__).parents[2]))
    client = TestClient(create_app(lambda: view, caller), headers={"Authorization": PASSWORD})

    cards = client.get("/catalog").json()
    holder = client.get("/catalog/right_holder").json()
    engine.dispose()

    assert {c["dataset"] for c in cards} == set(view.catalog.datasets)
    encrypted = {f["name"]: f["mask"] for f in holder["fields"] if f["encrypted"]}
    assert {"name": "name", "id_no": "resident_id"} == encrypted
    assert "sensitive" == holder["classification"]
