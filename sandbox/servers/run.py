"""Run: serve one sandbox system on 127.0.0.1 until a signal ends it.

Quiet on success: no banner, no access log. SIGTERM and SIGINT end the process with code 0 after
open calls are answered.
"""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import uvicorn

from sandbox.credentials import set_port
from sandbox.errors import SandboxError
from sandbox.servers.application import create_app

HOST = "127.0.0.1"
KEEP_ALIVE_S = 75  # as nginx; shorter would let pooled connections die between two pages
GRACE_S = 3


def listen(port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        SandboxError: The port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as exc:
        listener.close()
        text = f"sandbox: port {port} is taken; stop its owner or choose another port"
        raise SandboxError(text) from exc
    return listener


def make_server(system: str, state_dir: Path) -> uvicorn.Server:
    """Build a server that is not running yet; run it with `server.run(sockets=[listen(port)])`.

    Raises:
        SandboxError: Unknown system, or a folder without state.
    """
    config = uvicorn.Config(
        create_app(system, state_dir),
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def serve(system: str, state_dir: Path, port: int) -> None:
    """Serve one system on 127.0.0.1 and block until SIGTERM or SIGINT.

    Args:
        system: tax, registration, housing, social, market or substation.
        state_dir: Folder that `python -m sandbox population` wrote.
        port: TCP port; 0 takes a free one and notes it in the credentials file.

    Raises:
        SandboxError: Unknown system, no state, or the port is taken.
    """
    listener = listen(port)
    server = make_server(system, state_dir)
    if port == 0:
        set_port(state_dir, system, listener.getsockname()[1])
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal again after its clean end; without this the exit code is -15.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])
