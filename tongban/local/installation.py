"""Installation: everything that must be there once before Airflow's processes start elsewhere.

For deployments with their own PostgreSQL and their own way of running processes (docker/, systemd,
Kubernetes). Databases, tables, pools, the landing's place and the users' first passwords; starts
nothing, and may be run again at any time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tongban.kernel.errors import ConfigInvalid, StackBroken
from tongban.kernel.settings import Settings
from tongban.local import airflow, databases
from tongban.local.stack import Report, prepare_home


def install(settings: Settings, pools: Iterable[Mapping[str, Any]], report: Report) -> None:
    """Make databases, tables, pools, passwords and the landing.

    Raises:
        ConfigInvalid: TONGBAN_DATABASE_URL is not set.
        StackBroken: A database may not be made, or Airflow's own commands failed.
        DatabaseUnavailable: The server does not answer; safe to call again.
    """
    if settings.database_url is None:
        raise ConfigInvalid("TONGBAN_DATABASE_URL is not set; an installation brings its server")
    prepare_home(settings)
    databases.existing_urls(settings.database_url)
    report("databases: there")
    airflow.prepare(settings)
    _airflow("db", "migrate")
    report("Airflow: tables there")
    with tempfile.TemporaryDirectory() as folder:
        wanted = {
            pool["name"]: {
                "slots": pool["slots"],
                "description": pool.get("description", ""),
                "include_deferred": False,
            }
            for pool in pools
        }
        path = Path(folder) / "pools.json"
        path.write_text(json.dumps(wanted), encoding="utf-8")
        _airflow("pools", "import", str(path))
    report("Airflow: pools there")
    _prepare_hub(settings)
    report(f"hub: tables, keys and landing there; passwords in {airflow.passwords_file(settings)}")


def _airflow(*arguments: str) -> None:
    """Run one of Airflow's own commands with the environment as it is."""
    answer = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    if answer.returncode != 0:
        words = (answer.stderr or answer.stdout).strip().splitlines()
        raise StackBroken(f"airflow {' '.join(arguments[:2])} failed: {words[-1] if words else ''}")


def _prepare_hub(settings: Settings) -> None:
    """Migrate the hub's tables, make its keys, and the folder or bucket of the landing."""
    import fsspec

    from tongban.hub import open_hub

    open_hub(settings).close()
    files, path = fsspec.core.url_to_fs(settings.landing_url)
    files.makedirs(path, exist_ok=True)
