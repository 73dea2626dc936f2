"""Airflow: its environment, its tables and its four processes; never imported, only run.

Everything that Airflow keeps lies below `<home>/airflow`: secrets, passwords of three users,
settings, logs. Tables are migrated only when the installed version needs it. Heavy libraries are
imported once in the scheduler, from which every task is forked.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tongban.kernel.connections import from_document
from tongban.kernel.errors import StackBroken
from tongban.kernel.settings import Settings
from tongban.local import ports
from tongban.local.airflow_api import AirflowApi
from tongban.local.databases import DatabaseUrls, airflow_revision
from tongban.local.private_files import kept_secrets, write_private
from tongban.local.processes import Processes, Service, wait_until
from tongban.local.surroundings import code_stamp, service_environment, stamp

# The scheduler first: its preload takes longest, and the others need no order.
COMPONENTS = ("scheduler", "api-server", "dag-processor", "triggerer")
ROLES = {"admin": "admin", "operator": "op", "auditor": "viewer"}
START_TIMEOUT_S = 180.0
STOP_GRACE_S = 15.0
STOP_INSIST_S = 4.0  # a running task ends within this time, or is retried at the next start
TASKS_PER_PROCESSOR = 2  # a pull waits for its department, a load for the processor

# Read by Airflow itself at the start of each process. Great Expectations alone takes 5 s and
# 250 MB to import; tasks forked from the scheduler share it. Polars may be imported before a fork
# but not used: its threads would be missing in the child.
PRELOAD = '''\
"""Written by `tongban up`: import in the scheduler, once, what its forked tasks need."""

import importlib
import sys

__all__ = []

if "scheduler" in sys.argv:
    for _name in ({names}):
        try:
            importlib.import_module(_name)
        except ImportError:
            pass
'''
PRELOADED = (
    "great_expectations",
    "polars",
    "zeep",
    "lxml.etree",
    "requests",
    "sqlalchemy.dialects.postgresql.psycopg",
    "airflow.sdk.execution_time.task_runner",
    "tongban.orchestration.pulls",
    "tongban.orchestration.pushes",
    "tongban.pipeline",
)


def service_name(component: str) -> str:
    """Give the name of a component's process."""
    return f"airflow-{component}"


def folder(settings: Settings) -> Path:
    """Give AIRFLOW_HOME."""
    return settings.home / "airflow"


def base_url(settings: Settings) -> str:
    """Give the address of the Airflow UI."""
    return f"http://{ports.HOST}:{settings.airflow_port}"


def passwords_file(settings: Settings) -> Path:
    """Give the JSON file with the three users' passwords."""
    return folder(settings) / "passwords.json"


def client(settings: Settings, user: str = "admin") -> AirflowApi:
    """Give a REST client for one of the users.

    Raises:
        StackBroken: Airflow was never set up in this home.
    """
    try:
        password = json.loads(passwords_file(settings).read_text(encoding="utf-8"))[user]
    except (OSError, ValueError, KeyError) as exc:
        raise StackBroken(
            f"{passwords_file(settings)}: no password of {user}; run `tongban up` first"
        ) from exc
    return AirflowApi(base_url(settings), user, password)


def environment(settings: Settings, urls: DatabaseUrls) -> dict[str, str]:
    """Give the variables that all four processes need, secrets included."""
    return {
        "AIRFLOW_HOME": str(folder(settings)),
        "TONGBAN_DATABASE_URL": urls.hub,
        **_configuration(settings),
        **_secrets(settings, urls),
        **_connections(settings),
    }


def migrate(settings: Settings, urls: DatabaseUrls) -> bool:
    """Make or upgrade Airflow's tables; gives False when they were right already.

    Raises:
        StackBroken: `airflow db migrate` failed; the message names its log.
    """
    note = folder(settings) / "migrated.json"
    wanted = {"airflow": version("apache-airflow"), "revision": airflow_revision(urls.airflow)}
    if wanted["revision"] and note.exists() and json.loads(note.read_text("utf-8")) == wanted:
        return False
    log = settings.home / "logs" / "airflow-migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        answer = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder(settings),
            env={**service_environment(settings), **environment(settings, urls)},
        )
    if answer.returncode != 0:
        raise StackBroken(f"airflow db migrate ended with {answer.returncode}; see {log}")
    wanted["revision"] = airflow_revision(urls.airflow)
    write_private(note, json.dumps(wanted) + "\n")
    return True


def prepare(settings: Settings) -> None:
    """Make the folder, the users' passwords and the preload file."""
    folder(settings).mkdir(parents=True, exist_ok=True)
    folder(settings).chmod(0o700)
    kept_secrets(passwords_file(settings), dict.fromkeys(ROLES, lambda: secrets.token_urlsafe(12)))
    preload = folder(settings) / "config" / "airflow_local_settings.py"
    preload.parent.mkdir(exist_ok=True)
    text = PRELOAD.replace(
        "{names}", "".join(f"\n        {name!r}," for name in PRELOADED) + "\n    "
    )
    if not preload.exists() or preload.read_text(encoding="utf-8") != text:
        write_private(preload, text)


def start(settings: Settings, processes: Processes, urls: DatabaseUrls) -> None:
    """Start the four processes and wait until Airflow calls itself healthy.

    Raises:
        PortTaken: Another program listens on Airflow's port.
        StackBroken: A process did not start.
    """
    services = _services(settings, urls)
    if any(processes.is_outdated(service) for service in services):
        stop(processes)
    if processes.find(service_name("api-server")) is None:
        ports.demand_free(settings.airflow_port, "Airflow")
    for service in services:
        processes.start(service)
    api = client(settings)
    wait_until(
        {
            service_name(component): lambda component=component: api.is_healthy(component)
            for component in COMPONENTS
        },
        processes,
        timeout_s=START_TIMEOUT_S,
        step_s=0.25,
    )


def _services(settings: Settings, urls: DatabaseUrls) -> list[Service]:
    """The four processes as they should run now."""
    own = environment(settings, urls)
    variables = {**service_environment(settings), **own}
    code = code_stamp(settings.root, "tongban", "connectors", "plugins")
    services = []
    for component in COMPONENTS:
        command = [sys.executable, "-m", "airflow", component]
        command += ["--skip-serve-logs"] if component in {"scheduler", "triggerer"} else []
        mark = stamp(code, own, *command)
        services.append(
            Service(service_name(component), command, variables, folder(settings), mark)
        )
    return services


def stop(processes: Processes) -> list[str]:
    """Stop the four processes; running tasks are ended and will be retried."""
    names = [service_name(component) for component in COMPONENTS]
    return processes.stop(names, grace_s=STOP_GRACE_S, insist_s=STOP_INSIST_S)


def _configuration(settings: Settings) -> dict[str, str]:
    """Airflow's settings that hold no secret."""
    home = folder(settings)
    tasks = TASKS_PER_PROCESSOR * (os.cpu_count() or 1)
    values = {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": str(min(16, max(4, tasks))),
            "mp_start_method": "fork",
            "dags_folder": str(settings.root / "dags"),
            "plugins_folder": str(settings.root / "plugins"),
            "load_examples": "False",
            "default_timezone": "Asia/Shanghai",
            "execution_api_server_url": f"{base_url(settings)}/execution/",
            "simple_auth_manager_users": ",".join(f"{u}:{r}" for u, r in ROLES.items()),
            "simple_auth_manager_passwords_file": str(passwords_file(settings)),
            "min_serialized_dag_update_interval": "5",
        },
        "api": {
            "host": ports.HOST,
            "port": str(settings.airflow_port),
            "base_url": base_url(settings),
            "workers": "1",
            "instance_name": "通办 Tongban",
        },
        "scheduler": {
            "scheduler_idle_sleep_time": "0.2",
            # A killed worker's task is noticed after a minute, not after five.
            "task_instance_heartbeat_timeout": "60",
            "task_instance_heartbeat_timeout_detection_interval": "10",
            "orphaned_tasks_check_interval": "30",
        },
        "dag_processor": {
            "parsing_processes": "2",
            "refresh_interval": "60",
            "min_file_process_interval": "60",
        },
        "logging": {"base_log_folder": str(home / "logs"), "logging_level": "INFO"},
        "database": {"sql_alchemy_pool_size": "5", "sql_alchemy_max_overflow": "10"},
        "usage_data_collection": {"enabled": "False"},
    }
    return {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for section, entries in values.items()
        for name, value in entries.items()
    } | {
        # numpy's own threads only cost memory here; each task has one processor on average.
        "OPENBLAS_NUM_THREADS": "1",
    }


def _secrets(settings: Settings, urls: DatabaseUrls) -> dict[str, str]:
    """Secrets that all components must share, made once."""
    kept = kept_secrets(
        folder(settings) / "secrets.json",
        {
            "fernet_key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "api_secret_key": lambda: secrets.token_urlsafe(48),
            "jwt_secret": lambda: secrets.token_urlsafe(64),
        },
    )
    parts = urlsplit(urls.airflow)
    return {
        "AIRFLOW__CORE__FERNET_KEY": kept["fernet_key"],
        "AIRFLOW__API__SECRET_KEY": kept["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt_secret"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": urlunsplit(
            ("postgresql+psycopg2", *parts[1:])  # Airflow derives its asynchronous URL from it
        ),
    }


def _connections(settings: Settings) -> dict[str, str]:
    """AIRFLOW_CONN_<NAME> for each connection file, in Airflow's JSON shape."""
    variables = {}
    for path in sorted(settings.connections_dir.glob("*.json")):
        connection = from_document(path.stem, json.loads(path.read_text(encoding="utf-8")))
        address = urlsplit(connection.base_url)
        variables[f"AIRFLOW_CONN_{path.stem.upper()}"] = json.dumps(
            {
                "conn_type": "http",
                "host": address.hostname,
                "port": address.port,
                "schema": address.scheme,
                "login": connection.login,
                "password": connection.password,
                "extra": {**connection.extra, "base_url": connection.base_url},
            },
            ensure_ascii=False,
        )
    return variables
