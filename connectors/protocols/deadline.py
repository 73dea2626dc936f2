"""Deadline: end a call when its whole time is up, wherever it is.

The timeouts of sockets are per byte: a server that sends one header byte every few seconds would
hold a call, and a slot of the budget, for hours. A timer closes the call's socket instead; what the
reader then meets is told apart by `is_over`. Inside a call urllib3 is silent, at every log level.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from http import HTTPStatus
from http.client import BadStatusLine, HTTPResponse, parse_headers
from types import TracebackType
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

MOST_INTERIM = 16
_here = threading.local()


def _is_not_ours(_record: logging.LogRecord) -> bool:
    """Drop what urllib3 logs about our calls: it quotes addresses with keys and with people."""
    return getattr(_here, "deadline", None) is None


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.response"):
    logging.getLogger(_name).addFilter(_is_not_ours)


class Deadline:
    """Guards the calls that its thread makes inside the `with` block.

    Attributes:
        is_over: The time was up and the socket was closed.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _here.deadline = self
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        _here.deadline = None
        with self._lock:
            self._socket = None  # from here on it may belong to another call

    def watch(self, used: socket.socket | None) -> None:
        """Take the socket that this call waits on."""
        with self._lock:
            self._socket = used
        if self.is_over:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # past SSLSocket, which would take its session away under the reader
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _watch(used: Any) -> None:
    deadline: Deadline | None = getattr(_here, "deadline", None)
    if deadline is not None:
        deadline.watch(used)


class _Final(HTTPResponse):
    """Reads past interim answers, such as 103 Early Hints: the answer itself comes after them.

    The standard library skips 100 only. Taken for the answer, an interim one would leave the real
    answer on the connection, for the next call.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 < status < 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:  # noqa: PLR2004 - HTTP
                return version, status, reason
            parse_headers(self.fp)
        raise BadStatusLine("only interim answers")


class _Plain(HTTPConnection):
    response_class = _Final

    def getresponse(self) -> Any:
        """Wait for the answer, watched."""
        _watch(self.sock)
        return super().getresponse()


class _Secure(HTTPSConnection):
    response_class = _Final

    def getresponse(self) -> Any:
        """Wait for the answer, watched."""
        _watch(self.sock)
        return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class Watched(HTTPAdapter):
    """Makes connections whose waiting a `Deadline` can end."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools of watched connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
