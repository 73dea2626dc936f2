"""Console: server-rendered pages that show what travelled, what was refused and what is late.

    create_app(get_hub, current_user) -> FastAPI

Mounted into Airflow by plugins/tongban_plugin.py, but it knows nothing of Airflow. It reads counts
and reasons, never a record: it holds no key, so no page could show a classified value.
"""

from __future__ import annotations

from tongban.console.app import create_app
from tongban.console.view import HubView

__all__ = ["HubView", "create_app"]
