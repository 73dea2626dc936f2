"""Ports: is a TCP port of 127.0.0.1 free, and if not, who listens on it.

Only looks; never opens a port for longer than the question takes, and ends nobody's process.
"""

from __future__ import annotations

import contextlib
import socket

import psutil

from tongban.kernel.errors import PortTaken

HOST = "127.0.0.1"


def free_port() -> int:
    """Give a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell if we could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def answers(port: int, *, timeout_s: float = 0.5) -> bool:
    """Tell if somebody accepts connections on the port."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=timeout_s):
        return True
    return False


def holder(port: int) -> str:
    """Name who listens on the port, as far as the system lets us see."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or tuple(connection.laddr)[1:] != (port,):
                continue
            if connection.pid is None:
                break
            process = psutil.Process(connection.pid)
            return f"process {connection.pid} ({process.name()}, user {process.username()})"
    return "a process that we may not see"


def demand_free(port: int, purpose: str, setting: str = "TONGBAN_PORT_BASE") -> None:
    """Pass if the port is free.

    Raises:
        PortTaken: Somebody listens there; the message says who and what to set.
    """
    if not is_free(port):
        raise PortTaken(
            f"{purpose}: port {port} is taken by {holder(port)}; end it, or set {setting} "
            "to another base (PostgreSQL base-68, Airflow base-20, sandbox base+1 to base+6, "
            "fakes from base+7)",
            port=port,
        )
