"""The stack: PostgreSQL, the sandbox, fake departments and Airflow, started and stopped together.

`up` may be called at any time and from any state: what runs as wanted is left alone, what is
missing or outdated is started, what a crash left half done is made again. One command at a time
works on a home; a second one waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tongban.kernel.errors import ConfigInvalid, StackBroken
from tongban.kernel.settings import Settings
from tongban.local import airflow, databases, fakes, postgres, sandbox
from tongban.local.databases import DatabaseUrls
from tongban.local.processes import Processes

PARTS = ("postgres", "sandbox", "fakes", "airflow")
PRIVATE_FOLDERS = ("airflow", "connections", "fakes", "logs", "run", "sandbox")
RUNNING, STOPPED, BROKEN = "running", "stopped", "broken"

Report = Callable[[str], None]
Pools = Callable[[], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Component:
    """One line of `status`: `state` is running, stopped, or broken (alive but not well)."""

    name: str
    state: str
    pid: int | None
    address: str
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Give the line as a plain dict, for JSON."""
        return asdict(self)


def up(
    settings: Settings,
    *,
    only: Collection[str] = (),
    people: int | None = None,
    seed: int | None = None,
    pools: Pools | None = None,
    report: Report = lambda _: None,
) -> Settings:
    """Start what is not running.

    Args:
        settings: Their home gets everything that is written.
        only: Parts to start, of `PARTS`; all of them when empty. Airflow needs PostgreSQL.
        people: Size of the synthetic city when it is made.
        seed: Its seed.
        pools: Gives the Airflow pools that must exist.
        report: Told each step in a few words.

    Returns:
        The settings with the hub's database URL filled in.

    Raises:
        PortTaken: Another program listens on a port of ours.
        StackBroken: Something did not start; what did start keeps running.
        ConfigInvalid: An unknown part, or a city of another size is there.
    """
    parts = _chosen(only)
    prepare_home(settings)
    with _alone(settings, report):
        urls = _database(settings, report) if {"postgres", "airflow"} & parts else None
        processes = Processes(settings.home)
        with ThreadPoolExecutor(max_workers=2) as workers:
            tables = workers.submit(_tables, settings, urls, parts, report)
            _departments(settings, processes, parts, people, seed, report)
            tables.result()
        if "airflow" in parts and urls is not None:
            report("Airflow: scheduler, API server, DAG processor, triggerer")
            airflow.start(settings, processes, urls)
            if pools is not None:
                airflow.client(settings).ensure_pools(pools())
    return settings if urls is None else replace(settings, database_url=urls.hub)


def down(settings: Settings, *, report: Report = lambda _: None) -> list[str]:
    """Stop everything of this home, leaving no process behind; gives what was running."""
    if not settings.home.exists():
        return []
    processes = Processes(settings.home)
    with _alone(settings, report):
        stopped = airflow.stop(processes)
        names = [sandbox.service_name(system) for system in sandbox.SYSTEMS]
        stopped += processes.stop([*names, fakes.SERVICE], grace_s=8)
        processes.end_orphans()
        if postgres.stop(data_dir(settings)):
            stopped.append("postgres")
    return stopped


def status(settings: Settings) -> list[Component]:
    """Look at every component; changes nothing."""
    processes = Processes(settings.home)
    lines = [_postgres_line(settings)]
    for system in sandbox.SYSTEMS:
        name = sandbox.service_name(system)
        address = f"http://127.0.0.1:{sandbox.port_of(settings, system)}"
        well = lambda system=system: sandbox.is_healthy(settings, system)  # noqa: E731
        lines.append(_service_line(processes, name, address, well))
    if fakes.systems(settings.root):
        address = f"http://127.0.0.1:{fakes.control_port(settings)}"
        lines.append(
            _service_line(processes, fakes.SERVICE, address, lambda: fakes.is_healthy(settings))
        )
    has_airflow = airflow.passwords_file(settings).exists()
    for component in airflow.COMPONENTS:
        name = airflow.service_name(component)
        address = airflow.base_url(settings) if component == "api-server" else ""
        well = lambda part=component: (  # noqa: E731
            has_airflow and airflow.client(settings).is_healthy(part)
        )
        lines.append(_service_line(processes, name, address, well))
    return lines


def with_database(settings: Settings) -> Settings:
    """Give settings whose `database_url` is filled in: the given one, or the running embedded one.

    Every command that opens the hub outside Airflow calls this first.

    Raises:
        StackBroken: No server was given and the embedded one is not running.
    """
    if settings.database_url is not None:
        return settings
    folder = data_dir(settings)
    port = postgres.running_port(folder)
    if port is None or not postgres.is_running(folder):
        raise StackBroken(
            f"{folder}: PostgreSQL is not running; run `bin/tongban up` first, "
            "or set TONGBAN_DATABASE_URL to an existing server"
        )
    urls = databases.embedded_urls(postgres.url(folder, port), role_passwords(settings))
    return replace(settings, database_url=urls.hub)


def data_dir(settings: Settings) -> Path:
    """Give the embedded PostgreSQL's data folder."""
    return settings.home / "postgres"


def role_passwords(settings: Settings) -> Path:
    """Give the file with the passwords of the database roles."""
    return settings.home / "postgres.roles.json"


def prepare_home(settings: Settings) -> None:
    """Make the home folder: private, but passable for the account that runs PostgreSQL."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        if settings.home.stat().st_uid == os.geteuid():
            settings.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for folder in PRIVATE_FOLDERS:
            (settings.home / folder).mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise StackBroken(
            f"{settings.home}: cannot be made or entered ({exc.strerror}); "
            "set TONGBAN_HOME to a folder of your own"
        ) from exc


def _chosen(only: Collection[str]) -> set[str]:
    unknown = set(only) - set(PARTS)
    if unknown:
        raise ConfigInvalid(
            f"unknown part {', '.join(sorted(unknown))}; expected one of {', '.join(PARTS)}"
        )
    return set(only) or set(PARTS)


def _departments(
    settings: Settings,
    processes: Processes,
    parts: set[str],
    people: int | None,
    seed: int | None,
    report: Report,
) -> None:
    """Start the sandbox and the fakes side by side, and give the hub their credentials."""
    city = sandbox.built_city(settings)
    if "sandbox" in parts:
        city = sandbox.ensure_city(settings, people, seed)
        report(f"sandbox: a city of {city.people:,} people, six servers")
    if "fakes" in parts:
        report(f"fakes: {len(fakes.systems(settings.root))} departments in one process")
        fakes.launch(settings, processes, city)
    if "sandbox" in parts:
        sandbox.start(settings, processes)
        sandbox.write_connections(settings)
    if "fakes" in parts:
        for name, reason in fakes.await_ready(settings, processes).items():
            report(f"fakes: {name} is not served: {reason}")
        fakes.write_connections(settings)


def _database(settings: Settings, report: Report) -> DatabaseUrls:
    """Start the embedded server, or reach the existing one; make the databases."""
    if settings.database_url is not None:
        report("PostgreSQL: the server of TONGBAN_DATABASE_URL")
        return databases.existing_urls(settings.database_url)
    report(f"PostgreSQL: port {settings.postgres_port}")
    server = postgres.start(data_dir(settings), settings.postgres_port)
    return databases.embedded_urls(server, role_passwords(settings))


def _tables(settings: Settings, urls: DatabaseUrls | None, parts: set[str], report: Report) -> None:
    """Migrate the hub's tables, then Airflow's."""
    if urls is None:
        return
    from tongban.hub import open_hub

    open_hub(replace(settings, database_url=urls.hub)).close()
    if "airflow" in parts:
        airflow.prepare(settings)
        if airflow.migrate(settings, urls):
            report("Airflow: tables made")


@contextlib.contextmanager
def _alone(settings: Settings, report: Report) -> Generator[None]:
    """Hold the home's lock; the kernel frees it when we end, however we end."""
    with (settings.home / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            report("another command works on this stack; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _postgres_line(settings: Settings) -> Component:
    if settings.database_url is not None:
        state = RUNNING if databases.answers(settings.database_url) else BROKEN
        return Component("postgres", state, None, "", "server of TONGBAN_DATABASE_URL")
    folder = data_dir(settings)
    pid, port = postgres.process_id(folder), postgres.running_port(folder)
    if pid is None or port is None:
        return Component("postgres", STOPPED, None, "", "embedded")
    state = RUNNING if databases.answers(postgres.url(folder, port)) else BROKEN
    return Component("postgres", state, pid, f"127.0.0.1:{port}", "embedded")


def _service_line(
    processes: Processes, name: str, address: str, is_well: Callable[[], bool]
) -> Component:
    process = processes.find(name)
    if process is None:
        return Component(name, STOPPED, None, address, "")
    state = RUNNING if is_well() else BROKEN
    log = str(processes.log_file(name))
    return Component(name, state, process.pid, address, log if state == BROKEN else "")
