"""Stage: PostgreSQL, three departments and a hub, with a wire in front of each of them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg
import uvicorn

from chaos.wire import HOST, Wire
from sandbox.credentials import load_credentials
from sandbox.datasets import beijing_now
from sandbox.intake import add_fault, clear_faults
from sandbox.population import populate
from sandbox.servers.run import listen, make_server
from sandbox.state import open_state, put_record, transaction
from tongban.kernel.settings import Settings, load_settings
from tongban.local import databases, placement, ports, postgres
from tongban.pipeline import Hub, open_hub

SOURCE, DATASET, PART = "housing", "sale_contract", "sale_contract_party"
TARGETS = ("substation", "tax")
SYSTEMS = (SOURCE, *TARGETS)
ROOT = Path(__file__).parents[1]
SMALLER = (("housing", "size: 500", "size: 10"), ("substation", "batch: 200", "batch: 10"))
FAULTS = ("error500", "half_body", "reset_after", "too_many", "error_in_200")
FAULT_SHARE = 0.10
PASSWORD = "only-for-chaos"  # noqa: S105 - of a server that lives for minutes
# A killed process loses nothing that the kernel has; only a power cut would need fsync.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}
WORKER_ENDS_S = 120


class Stage:
    """Everything that a run needs; leaving it stops all of it."""

    def __init__(self, folder: Path, people: int, seed: int) -> None:
        self.folder = folder
        self.state = folder / "city"
        self._random = random.Random(seed)  # noqa: S311 - which records change, no secret
        self._servers: dict[str, tuple[uvicorn.Server, threading.Thread]] = {}
        self._data = folder / "pg"
        self._port = ports.free_port()
        self._start_database()
        self._make_database("hub_chaos")
        self.database = Wire(self._port, is_database=True)
        populate(self.state, people=people, seed=seed)
        self.calls = {system: Wire(self._serve(system), is_database=False) for system in SYSTEMS}
        self._root = _small_root(folder / "root")
        self.settings = self._settings(folder / "home", "hub_chaos")
        self._write_connections(self.settings)
        self.hub = open_hub(self.settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hub.close()
        for wire in (self.database, *self.calls.values()):
            wire.close()
        for server, thread in self._servers.values():
            server.should_exit = True
            thread.join(10)
        postgres.stop(self._data)
        shutil.rmtree(self.folder, ignore_errors=True)

    def worker(self, *words: str) -> subprocess.Popen[str]:
        """Start a worker process that sees the database and the departments through the wires."""
        place = self._url("hub_chaos").replace(f":{self._port}/", f":{self.database.port}/")
        return subprocess.Popen(
            [sys.executable, "-m", "chaos.worker", *words],
            env={
                **os.environ,
                "TONGBAN_ROOT": str(self.settings.root),
                "TONGBAN_HOME": str(self.settings.home),
                "TONGBAN_DATABASE_URL": place,
            },
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fresh_hub(self, name: str) -> Hub:
        """A hub with the same keys on an empty database: what an undisturbed load would store."""
        self._make_database(name)
        home = self.folder / name
        shutil.copytree(self.settings.keys_dir, home / "keys")
        shutil.copytree(self.settings.connections_dir, home / "connections")
        return open_hub(self._settings(home, name))

    def change(self, rows: int) -> None:
        """Give some contracts another price, as if the department had worked."""
        connection = open_state(self.state, SOURCE)
        with transaction(connection):
            sql = "SELECT doc FROM record WHERE dataset = ? ORDER BY seq"
            found = list(starmap(json.loads, connection.execute(sql, (DATASET,))))
            for doc in self._random.sample(found, min(rows, len(found))):
                more = self._random.randint(1, 99) / 100
                doc["totalPrice"] = round(float(doc["totalPrice"]) + more, 2)
                put_record(connection, DATASET, doc, beijing_now())
        connection.close()

    def fail_often(self) -> None:
        """One call in ten fails at every department, in one of five ways."""
        for system in SYSTEMS:
            connection = open_state(self.state, system)
            for kind in FAULTS:
                share = FAULT_SHARE / len(FAULTS)
                add_fault(connection, kind, rate=share, count=None, match=None, seconds=None)
            connection.close()

    def recover(self) -> None:
        """The departments have a good day again."""
        for system in SYSTEMS:
            connection = open_state(self.state, system)
            clear_faults(connection)
            connection.close()

    def kill_database(self) -> None:
        """PostgreSQL and all its sessions are gone from one moment to the next."""
        (pid, *_) = (placement.data_folder(self._data) / "postmaster.pid").read_text().split()
        master = psutil.Process(int(pid))
        family = [master, *master.children(recursive=True)]
        for process in family:
            _kill(process)
        psutil.wait_procs(family, timeout=10)

    def _start_database(self) -> None:
        self._superuser = postgres.start(self._data, self._port, OPTIONS)

    def start_database(self) -> None:
        """Start PostgreSQL again; it recovers from its log."""
        self._start_database()
        self.hub.engine.dispose()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the hub's database past the wires."""
        with psycopg.connect(self._url("hub_chaos")) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def taken(self, system: str) -> list[tuple[str, str, str, int]]:
        """Dataset, record, version and how often a department has accepted it."""
        with sqlite3.connect(self.state / f"{system}.sqlite") as state:
            return state.execute(
                "SELECT dataset, row_guid, version, count(*) FROM accepted_log GROUP BY 1, 2, 3"
            ).fetchall()

    def _make_database(self, name: str) -> None:
        with psycopg.connect(self._superuser, autocommit=True) as connection:
            databases.ensure_role(connection, databases.HUB, PASSWORD, creates_roles=True)
            databases.ensure_database(connection, name, owner=databases.HUB)

    def _url(self, name: str) -> str:
        return f"postgresql://{databases.HUB}:{PASSWORD}@{HOST}:{self._port}/{name}"

    def _settings(self, home: Path, database: str) -> Settings:
        settings = load_settings({"TONGBAN_HOME": str(home), "TONGBAN_ROOT": str(self._root)})
        return replace(settings, database_url=self._url(database))

    def _serve(self, system: str) -> int:
        listener = listen(0)
        server = make_server(system, self.state)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        self._servers[system] = (server, thread)
        port: int = listener.getsockname()[1]
        return port

    def _write_connections(self, settings: Settings) -> None:
        folder = settings.connections_dir
        folder.mkdir(parents=True)
        accounts = load_credentials(self.state)
        for system in SYSTEMS:
            address = f"http://{HOST}:{self.calls[system].port}"
            text = json.dumps({**accounts[system], "base_url": address})
            (folder / f"{system}.json").write_text(text, encoding="utf-8")


def _small_root(folder: Path) -> Path:
    """The project's declarations with small pages and batches, so that there are many of them."""
    for name in ("contracts", "mappings", "connectors"):
        ignored = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for system, large, small in SMALLER:
        path = folder / "connectors" / "systems" / f"{system}.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(large, small), encoding="utf-8")
    return folder


def _kill(process: psutil.Process) -> None:
    """SIGKILL, also for what is gone already."""
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return


def ended(process: subprocess.Popen[str]) -> tuple[int, Sequence[str]]:
    """Exit code and printed words of a worker."""
    out, _ = process.communicate(timeout=WORKER_ENDS_S)
    return process.returncode, out.split()
