"""Airflow plugin: the console inside Airflow's interface, for signed-in users only.

A sub-app's routes are public unless they ask for a user, so the one thing decided here is who the
user is: whoever Airflow itself accepts, by bearer token or by the cookie that its pages send.
The console gets a database to read and the catalog, but no key: no page could show a plain value.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.plugins_manager import AirflowPlugin

from tongban.console import create_app
from tongban.console.view import keyless_view
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.settings import load_settings

PREFIX = "/tongban"
ROOT = Path(os.environ.get("TONGBAN_ROOT") or Path(__file__).resolve().parents[1])
ICON = "tongban/icon.svg"


def airflow_user(user: GetUserDep) -> str:
    """The signed-in user's name; Airflow answers 401 before this when there is none."""
    return str(user.get_name())


def database_url() -> str:
    """Where the hub's tables are.

    Raises:
        ConfigInvalid: The API server was started without the setting.
    """
    url = load_settings().database_url
    if url is None:
        raise ConfigInvalid("TONGBAN_DATABASE_URL is not set for Airflow's API server; set it")
    return url


app = create_app(keyless_view(ROOT, database_url), airflow_user)


def _view(name: str, path: str, destination: str, route: str) -> dict[str, object]:
    """One entry of Airflow's interface; addresses are relative to its base."""
    return {
        "name": name,
        "href": f"tongban/{path}",
        "destination": destination,
        "url_route": route,
        "icon": ICON,
        "icon_dark_mode": ICON,
    }


class TongbanPlugin(AirflowPlugin):
    """The console under 通办, and a tab with its own transfers on every DAG's page."""

    name = "tongban"
    fastapi_apps = [  # noqa: RUF012 - Airflow reads plain attributes
        {"app": app, "url_prefix": PREFIX, "name": "Tongban console"}
    ]
    external_views = [  # noqa: RUF012 - Airflow reads plain attributes
        _view("传输", "transfers", "nav", "tongban-transfers") | {"category": "通办"},
        _view("总览", "", "nav", "tongban-home") | {"category": "通办"},
        _view("隔离", "quarantine", "nav", "tongban-quarantine") | {"category": "通办"},
        _view("待发", "outbox", "nav", "tongban-outbox") | {"category": "通办"},
        _view("数据集", "datasets", "nav", "tongban-datasets") | {"category": "通办"},
        _view("传输", "dags/{DAG_ID}", "dag", "tongban-dag"),
    ]
