"""Sandbox: make the synthetic city once, run its six servers, give the hub their credentials.

The sandbox is a foreign country: we run its programs, call its control addresses and read the
credentials that it wrote; we never import it. A city that was only half made is made again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tongban.kernel.errors import ConfigInvalid, StackBroken
from tongban.kernel.settings import Settings
from tongban.local import ports
from tongban.local.private_files import write_private
from tongban.local.processes import Processes, Service, wait_until
from tongban.local.surroundings import code_stamp, service_environment, stamp

SYSTEMS = ("tax", "registration", "housing", "social", "market", "substation")  # in port order
DEFAULT_PEOPLE = 20_000
DEFAULT_SEED = 620_899
HEALTH_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 120.0
ORIGIN = "sandbox"


@dataclass(frozen=True, slots=True)
class City:
    """How the synthetic city was made."""

    people: int
    seed: int


def service_name(system: str) -> str:
    """Give the name of a server's process."""
    return f"sandbox-{system}"


def port_of(settings: Settings, system: str) -> int:
    """Give the port of one server: base+1 … base+6."""
    return settings.port_base + 1 + SYSTEMS.index(system)


def built_city(settings: Settings) -> City | None:
    """Give how the city of this home was made, or None when there is none."""
    try:
        noted = json.loads(_note(settings).read_text(encoding="utf-8"))
        return City(int(noted["people"]), int(noted["seed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ensure_city(settings: Settings, people: int | None = None, seed: int | None = None) -> City:
    """Make the city unless it is there.

    Args:
        settings: Their `sandbox_dir` is the state folder.
        people: Inhabitants; None takes what is there, else 20,000.
        seed: Same seed, same city; None as above.

    Raises:
        ConfigInvalid: There is a city, and it was made otherwise.
        StackBroken: The generator failed.
    """
    built = built_city(settings)
    if built is not None:
        asked = City(people or built.people, built.seed if seed is None else seed)
        if asked != built:
            raise ConfigInvalid(
                f"{settings.sandbox_dir}: the city there has {built.people} people and seed "
                f"{built.seed}, asked for were {asked.people} and {asked.seed}; set TONGBAN_HOME "
                "to another folder, or remove this one"
            )
        return built
    city = City(people or DEFAULT_PEOPLE, DEFAULT_SEED if seed is None else seed)
    shutil.rmtree(settings.sandbox_dir, ignore_errors=True)
    settings.sandbox_dir.mkdir(parents=True)
    settings.sandbox_dir.chmod(0o700)
    run_program(
        settings,
        *("population", "--people", str(city.people), "--seed", str(city.seed)),
        *("--ports-from", str(port_of(settings, SYSTEMS[0]))),
    )
    write_private(_note(settings), json.dumps({"people": city.people, "seed": city.seed}) + "\n")
    return city


def run_program(settings: Settings, *arguments: str) -> str:
    """Run one command of `python -m sandbox` on this home's state; gives what it printed.

    Raises:
        StackBroken: It ended with an error; the message has its last line.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments, "--state", str(settings.sandbox_dir)],
        check=False,
        capture_output=True,
        text=True,
        cwd=settings.root,
        env=service_environment(settings),
    )
    if answer.returncode != 0:
        words = (answer.stderr or answer.stdout).strip().splitlines()
        raise StackBroken(
            f"sandbox {arguments[0]} ended with {answer.returncode}: "
            f"{words[-1] if words else 'no message'}"
        )
    return answer.stdout


def write_connections(settings: Settings) -> list[str]:
    """Give the hub the servers' credentials as connection files; gives the systems written.

    A connection that somebody else wrote, to a real department, is left as it is.
    """
    written = []
    for system, document in _credentials(settings).items():
        path = settings.connections_dir / f"{system}.json"
        if path.exists() and json.loads(path.read_text(encoding="utf-8")).get("origin") != ORIGIN:
            continue
        text = json.dumps({**document, "origin": ORIGIN}, ensure_ascii=False, indent=2)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_private(path, text)
        written.append(system)
    return written


def start(settings: Settings, processes: Processes) -> None:
    """Start the six servers and wait until each answers.

    Raises:
        PortTaken: Another program listens on one of the ports.
        StackBroken: A server did not start.
    """
    _follow_ports(settings)
    code = code_stamp(settings.root, "sandbox")
    environment = service_environment(settings)
    for system in SYSTEMS:
        port = port_of(settings, system)
        command = [sys.executable, "-m", "sandbox", "serve", system]
        command += ["--state", str(settings.sandbox_dir), "--port", str(port)]
        if processes.find(service_name(system)) is None:
            ports.demand_free(port, f"sandbox {system}")
        mark = stamp(code, {}, *command)
        processes.start(Service(service_name(system), command, environment, settings.root, mark))
    checks = {
        service_name(system): lambda system=system: is_healthy(settings, system)
        for system in SYSTEMS
    }
    wait_until(checks, processes, timeout_s=HEALTH_TIMEOUT_S)


def is_healthy(settings: Settings, system: str) -> bool:
    """Tell if a server answers its control address."""
    try:
        return bool(control(settings, system, "GET", "health")["system"] == system)
    except (StackBroken, KeyError):
        return False


def advance(settings: Settings, *, changes: int | None = None) -> dict[str, int]:
    """Let time pass: each server applies its next prepared changes.

    Returns:
        Number of changes by system.
    """
    body = {} if changes is None else {"changes": changes}
    return {
        system: int(control(settings, system, "POST", "advance", body).get("applied", 0))
        for system in SYSTEMS
    }


def control(
    settings: Settings, system: str, method: str, name: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Call one control address of a server.

    Raises:
        StackBroken: It does not answer, or refuses.
    """
    url = f"http://{ports.HOST}:{port_of(settings, system)}/_sandbox/{name}"
    try:
        token = (settings.sandbox_dir / "control_token").read_text(encoding="utf-8").strip()
        with requests.Session() as session:
            session.trust_env = False  # no proxy between us and 127.0.0.1
            answer = session.request(
                method,
                url,
                headers={"X-Sandbox-Control": token},
                json=body,
                timeout=CALL_TIMEOUT_S,
            )
        answer.raise_for_status()
        return dict(answer.json())
    except (OSError, ValueError) as exc:
        raise StackBroken(
            f"sandbox {system}: {method} {url} failed ({type(exc).__name__}); "
            f"look at logs/{service_name(system)}.log"
        ) from exc


def _note(settings: Settings) -> Path:
    return settings.sandbox_dir / "city.json"


def _credentials(settings: Settings) -> dict[str, dict[str, Any]]:
    path = settings.sandbox_dir / "credentials.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _follow_ports(settings: Settings) -> None:
    """Write changed ports into the credentials, which the sandbox's own commands read too."""
    credentials = _credentials(settings)
    for system in SYSTEMS:
        credentials[system]["base_url"] = f"http://{ports.HOST}:{port_of(settings, system)}"
    if credentials != _credentials(settings):
        text = json.dumps(credentials, ensure_ascii=False, indent=2) + "\n"
        write_private(settings.sandbox_dir / "credentials.json", text)
