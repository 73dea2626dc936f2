"""Remote: talk to the control path of running sandbox servers, for the command line and tests.

Addresses and the control token come from the state folder. Only the control path is used here;
no department protocol is spoken.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandbox.credentials import control_token, load_credentials
from sandbox.datasets import SYSTEMS
from sandbox.errors import ServerUnreachable
from sandbox.state import count_records, open_state

TIMEOUT_S = 60
DEFAULT_SHARE = 0.01
FEWEST_CHANGES = 20


def control(
    state_dir: Path, system: str, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Call one control address of one server.

    Args:
        state_dir: Folder of the population that the server serves.
        system: Name of the system.
        method: GET, POST or DELETE.
        path: Path below `/_sandbox/`, with its query.
        body: JSON body of a POST.

    Raises:
        ServerUnreachable: Nobody listens, or the answer is not the control path's.
    """
    address = urlsplit(load_credentials(state_dir)[system]["base_url"])
    connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    headers = {"X-Sandbox-Control": control_token(state_dir), "Content-Type": "application/json"}
    payload = None if body is None else json.dumps(body)
    try:
        connection.request(method, f"/_sandbox/{path}", payload, headers)
        response = connection.getresponse()
        text = response.read()
    except (OSError, HTTPException) as exc:
        raise ServerUnreachable(
            f"{system}: no answer on {address.netloc}; start it with"
            f" `python -m sandbox serve {system}`"
        ) from exc
    finally:
        connection.close()
    if response.status >= 300:
        raise ServerUnreachable(
            f"{system}: control path /_sandbox/{path.partition('?')[0]} answered HTTP"
            f" {response.status}: {text.decode('utf-8', 'replace')[:300]}"
        )
    answer: dict[str, Any] = json.loads(text)
    return answer


def plan_fault(state_dir: Path, system: str, kind: str, **measures: object) -> dict[str, Any]:
    """Plan a fault: `count`, `rate`, `match`, `seconds`; measures that are None are left out."""
    body = {"kind": kind, **{k: v for k, v in measures.items() if v is not None}}
    return control(state_dir, system, "POST", "faults", body)


def clear_faults(state_dir: Path, system: str) -> dict[str, Any]:
    """Forget the planned faults of a server."""
    return control(state_dir, system, "DELETE", "faults")


def accepted(
    state_dir: Path, system: str, dataset: str | None = None, limit: int = 1000
) -> list[dict[str, Any]]:
    """Read the rows that a server accepted."""
    query = {"limit": limit} | ({"dataset": dataset} if dataset else {})
    rows: list[dict[str, Any]] = control(state_dir, system, "GET", f"accepted?{urlencode(query)}")[
        "rows"
    ]
    return rows


def advance(state_dir: Path, changes: int | None = None) -> dict[str, int]:
    """Let the departments apply their next prepared changes.

    Args:
        state_dir: Folder of the population.
        changes: How many over all systems, shared out by size; 1 % of the records if absent.

    Returns:
        How many each system applied; fewer than asked for once the prepared ones run out.

    Raises:
        ServerUnreachable: A server is not running; no change was applied anywhere.
    """
    sizes = {system: _size(state_dir, system) for system in SYSTEMS}
    for system in SYSTEMS:  # all of them answer, or nothing happens at any of them
        control(state_dir, system, "GET", "health")
    total = sum(sizes.values())
    wanted = max(FEWEST_CHANGES, round(total * DEFAULT_SHARE)) if changes is None else changes
    shares = share_out(wanted, sizes)
    return {
        system: int(control(state_dir, system, "POST", "advance", {"changes": count})["applied"])
        for system, count in shares.items()
        if count
    }


def share_out(wanted: int, sizes: dict[str, int]) -> dict[str, int]:
    """Share `wanted` out in proportion to `sizes`, without loss; the largest rests get the rest."""
    total = sum(sizes.values())
    exact = {name: wanted * size / total for name, size in sizes.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: exact[name] - shares[name], reverse=True)
    for name in by_rest[: wanted - sum(shares.values())]:
        shares[name] += 1
    return shares


def _size(state_dir: Path, system: str) -> int:
    connection = open_state(state_dir, system)
    try:
        return sum(count_records(connection).values())
    finally:
        connection.close()
