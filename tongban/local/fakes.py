"""Fakes: one process that serves every declared system the sandbox has no server for.

Like the sandbox it is a foreign country: we start it, call its control port and read the accounts
that it wrote; no code of the hub knows that a department is one of these. A connection to a real
department is left alone, and such a department is not counted as a fake.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tongban.kernel.errors import StackBroken
from tongban.kernel.settings import Settings
from tongban.local import ports, sandbox
from tongban.local.private_files import write_private
from tongban.local.processes import Processes, Service, wait_until
from tongban.local.surroundings import code_stamp, service_environment, stamp

SERVICE = "fakes"
ORIGIN = "fake"
CONTROL_OFFSET = len(sandbox.SYSTEMS) + 1  # base+7, the departments from base+8 on
LEAST_ROWS, MOST_ROWS = 200, 500
PEOPLE_PER_ROW = 40
HEALTH_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 60.0
CODE = ("tongban/kernel", "tongban/onboarding", "connectors", "mappings", "contracts")

Holdings = dict[str, dict[str, dict[str, int]]]


def systems(root: Path) -> list[str]:
    """Every declared system that the sandbox has no server for, in port order."""
    names = {path.stem for path in (root / "connectors" / "systems").glob("*.yaml")}
    return sorted(names - set(sandbox.SYSTEMS))


def control_port(settings: Settings) -> int:
    """Give the port at which all of them are controlled."""
    return settings.port_base + CONTROL_OFFSET


def port_of(settings: Settings, system: str) -> int:
    """Give the port of one department."""
    return control_port(settings) + 1 + systems(settings.root).index(system)


def folder(settings: Settings) -> Path:
    """Give the state folder."""
    return settings.home / "fakes"


def launch(settings: Settings, processes: Processes, city: sandbox.City | None) -> None:
    """Start the process, unless there is nothing to serve; `await_ready` waits for it.

    Args:
        settings: Their home keeps the state.
        processes: Where it runs.
        city: Its size and seed are those of the fakes, when their life begins.

    Raises:
        PortTaken: Another program listens on one of the ports.
    """
    names = systems(settings.root)
    if not names:
        processes.stop([SERVICE])
        return
    places = {name: port_of(settings, name) for name in names}
    if processes.find(SERVICE) is None:
        for port in (control_port(settings), *places.values()):
            ports.demand_free(port, "fake departments")
    like = city or sandbox.City(sandbox.DEFAULT_PEOPLE, sandbox.DEFAULT_SEED)
    rows = min(max(like.people // PEOPLE_PER_ROW, LEAST_ROWS), MOST_ROWS)
    command = [sys.executable, "-m", "tongban.onboarding.fake", "--state", str(folder(settings))]
    command += ["--control", str(control_port(settings))]
    command += ["--rows", str(rows), "--seed", str(like.seed)]
    command += [f"{name}={port}" for name, port in places.items()]
    # One thread of polars is enough to make some thousand records, and takes less memory.
    environment = {**service_environment(settings), "POLARS_MAX_THREADS": "1"}
    mark = stamp(code_stamp(settings.root, *CODE), {}, *command)
    processes.start(Service(SERVICE, command, environment, settings.root, mark))


def await_ready(settings: Settings, processes: Processes) -> Mapping[str, str]:
    """Wait until they answer; gives those that cannot be served, with the reason.

    Raises:
        StackBroken: The process did not start.
    """
    if not systems(settings.root):
        return {}
    wait_until({SERVICE: lambda: is_healthy(settings)}, processes, timeout_s=HEALTH_TIMEOUT_S)
    broken: Mapping[str, str] = _control(settings, "GET", "health")["broken"]
    return broken


def is_healthy(settings: Settings) -> bool:
    """Tell if the control port answers."""
    try:
        return bool(_control(settings, "GET", "health")["systems"] is not None)
    except (StackBroken, KeyError):
        return False


def advance(settings: Settings) -> dict[str, int]:
    """Let a day pass: some records change, some are added; gives how many, by system."""
    if not systems(settings.root):
        return {}
    return {name: int(moved) for name, moved in _control(settings, "POST", "advance").items()}


def holdings(settings: Settings) -> Holdings:
    """Give what the departments hold: system → dataset → `records`, `accepted` by its contract.

    Only those to which the hub is connected.
    """
    if not systems(settings.root):
        return {}
    ours = {
        document["system"]
        for connection, document in _accounts(settings).items()
        if _origin(settings, connection) == ORIGIN
    }
    return {
        name: held for name, held in _control(settings, "GET", "holdings").items() if name in ours
    }


def write_connections(settings: Settings) -> list[str]:
    """Give the hub their accounts as connection files; gives the connections written.

    A connection that somebody else wrote, to a real department, is left as it is; one to a fake
    that is served no longer is removed.
    """
    accounts = _accounts(settings) if systems(settings.root) else {}
    for path in settings.connections_dir.glob("*.json"):
        if path.stem not in accounts and _origin(settings, path.stem) == ORIGIN:
            path.unlink()
    written = []
    for connection, document in accounts.items():
        if _origin(settings, connection) not in {ORIGIN, None}:
            continue
        path = settings.connections_dir / f"{connection}.json"
        text = json.dumps({**document, "origin": ORIGIN}, ensure_ascii=False, indent=2)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_private(path, text)
        written.append(connection)
    return written


def _origin(settings: Settings, connection: str) -> str | None:
    """Who wrote a connection file: `fake`, `sandbox`, "" for a person, None without a file."""
    path = settings.connections_dir / f"{connection}.json"
    if not path.exists():
        return None
    return str(json.loads(path.read_text(encoding="utf-8")).get("origin") or "")


def _accounts(settings: Settings) -> dict[str, dict[str, Any]]:
    path = folder(settings) / "accounts.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _control(settings: Settings, method: str, name: str) -> dict[str, Any]:
    """Call the control port.

    Raises:
        StackBroken: It does not answer, or refuses.
    """
    url = f"http://{ports.HOST}:{control_port(settings)}/{name}"
    try:
        token = (folder(settings) / "control_token").read_text(encoding="utf-8").strip()
        with requests.Session() as session:
            session.trust_env = False  # no proxy between us and 127.0.0.1
            answer = session.request(
                method, url, headers={"X-Fake-Control": token}, timeout=CALL_TIMEOUT_S
            )
        answer.raise_for_status()
        return dict(answer.json())
    except (OSError, ValueError) as exc:
        raise StackBroken(
            f"fakes: {method} {url} failed ({type(exc).__name__}); look at logs/{SERVICE}.log"
        ) from exc
