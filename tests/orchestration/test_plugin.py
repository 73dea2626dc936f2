"""The plugin as Airflow sees it: who may enter, and what it adds to the interface."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from tongban.console.app import routes

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    """Load the plugin's file the way Airflow does, under its own stem."""
    path = PLUGINS / "tongban_plugin.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stranger(plugin: ModuleType) -> TestClient:
    """Somebody without a token, at an app that has the plugin mounted as Airflow mounts it."""
    outer = FastAPI()
    for entry in plugin.TongbanPlugin.fastapi_apps:
        outer.mount(entry["url_prefix"], entry["app"])
    return TestClient(outer)


def test_every_route_asks_airflow_for_a_signed_in_user(stranger: TestClient):
    """Airflow's own dependency refuses, with no database in sight."""
    for route in routes.routes:
        assert isinstance(route, APIRoute)
        url = "/tongban" + route.path.replace("{transfer_id}", "0" * 32).replace("{name}", "x")
        answer = stranger.get(url.replace("{dag_id}", "cases"))
        assert 401 == answer.status_code, url
        assert "需要登录" in answer.text


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json"])
def test_the_sub_app_describes_itself_to_nobody(stranger: TestClient, path: str):
    """FastAPI would publish these without a user."""
    assert 404 == stranger.get(f"/tongban/{path}").status_code


def test_the_way_to_the_login_leads_out_of_the_console(stranger: TestClient):
    """The login page belongs to Airflow."""
    assert 'href="/auth/login"' in stranger.get("/tongban/").text


def test_links_stay_below_the_prefix(stranger: TestClient):
    """A mounted app knows where it is mounted."""
    html = stranger.get("/tongban/transfers").text

    assert 'href="/tongban/outbox"' in html
    assert 'href="/outbox"' not in html


def test_views_are_relative_unique_and_carry_an_icon(plugin: ModuleType):
    """Airflow drops entries whose route clashes, and resolves addresses against its own base."""
    views: list[dict[str, Any]] = plugin.TongbanPlugin.external_views

    assert len(views) == len({view["url_route"] for view in views})
    for view in views:
        assert view["href"].startswith("tongban/")
        assert "tongban/icon.svg" == view["icon"]


def test_the_menu_has_the_category_and_every_dag_a_tab(plugin: ModuleType):
    """传输 within 通办, and the DAG's own transfers."""
    views: list[dict[str, Any]] = plugin.TongbanPlugin.external_views

    assert ("传输", "通办") in {(v["name"], v.get("category")) for v in views}
    assert ["tongban/dags/{DAG_ID}"] == [v["href"] for v in views if v["destination"] == "dag"]


def test_the_folder_holds_one_file_whose_stem_is_no_importable_name():
    """Airflow would put another file over a module of the same name."""
    files = sorted(path.name for path in PLUGINS.iterdir() if path.suffix == ".py")

    assert ["tongban_plugin.py"] == files
    assert "tongban_plugin" not in sys.modules
    assert importlib.util.find_spec("tongban_plugin") is None
