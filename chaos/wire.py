"""Wire: proxies on 127.0.0.1 that see commits and calls pass, and act at the N-th of them.

A commit is the statement COMMIT on the way to PostgreSQL, a call is an HTTP request on the way to
a department. `before` acts while the server has not seen it, `after` acts when the server has done
it and the worker does not know yet: the two moments in which a death loses or doubles things.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

When = Literal["before", "after"]
HOST = "127.0.0.1"
CHUNK = 65536
COMMIT_ASKED = b"Q\x00\x00\x00\x0bCOMMIT\x00"
COMMIT_DONE = b"C\x00\x00\x00\x0bCOMMIT\x00"
SILENCE_S = 0.05  # so long without a byte: the answer is complete
ANSWER_S = 20.0


@dataclass(slots=True)
class Trap:
    """What happens at which moment; it springs once."""

    number: int
    when: When
    act: Callable[[], None]
    sprung: threading.Event = field(default_factory=threading.Event)


class Wire:
    """A proxy in front of one server."""

    def __init__(self, port: int, *, is_database: bool) -> None:
        self.target = port
        self.is_database = is_database
        self.seen = 0
        self.delivered = 0
        self.trap: Trap | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, trap: Trap | None) -> None:
        """Count from nothing, and act at the trap's number; None only counts."""
        with self._lock:
            self.seen = self.delivered = 0
            self.trap = trap

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Pass bytes both ways until one side is gone."""
        with contextlib.suppress(OSError), client:
            server = socket.create_connection((HOST, self.target), timeout=ANSWER_S)
            server.settimeout(None)
            with server:
                self._pass(client, server)

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        is_asking = False
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if client in ready:
                data = client.recv(CHUNK)
                if not data:
                    return
                is_new = COMMIT_ASKED in data if self.is_database else not is_asking
                is_asking = True
                if is_new and self._is_sprung(client, server, data):
                    return
                server.sendall(data)
            if server in ready:
                data = server.recv(CHUNK)
                if not data:
                    return
                client.sendall(data)
                if is_asking and (self.is_database or b" 200 " in data[:16]):
                    self.delivered += 1
                is_asking = False

    def _is_sprung(self, client: socket.socket, server: socket.socket, data: bytes) -> bool:
        """Count a commit or call, and act if it is the one."""
        with self._lock:
            self.seen += 1
            trap = self.trap
            if trap is None or trap.sprung.is_set() or self.seen != trap.number:
                return False
            trap.sprung.set()
        if trap.when == "after":
            server.sendall(data)
            self._await_answer(client, server)
        trap.act()
        return True

    def _await_answer(self, client: socket.socket, server: socket.socket) -> None:
        """Read the server's answer to its end, and keep it from the worker."""
        answer = b""
        while True:
            wait_s = SILENCE_S if answer else ANSWER_S
            ready, _, _ = select.select([server, client], [], [], wait_s)
            if not ready:
                return
            if client in ready:
                more = client.recv(CHUNK)
                if not more:
                    return
                server.sendall(more)
                continue
            data = server.recv(CHUNK)
            answer += data
            if not data or (self.is_database and COMMIT_DONE in answer):
                return
