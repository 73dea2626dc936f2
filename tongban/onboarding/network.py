"""Network: can the host be reached, and what does its TLS say — before any declared call.

Opens one TCP connection, and one TLS handshake where the address is https. Sends no request and
no identity.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from tongban.kernel.budgets import Budget
from tongban.kernel.connections import Connection

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reached:
    """A host that answered on TCP.

    Attributes:
        address: Host and port that were tried.
        milliseconds: Until the connection stood.
        problem: Why it did not, in our words; None when it did.
    """

    address: str
    milliseconds: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TlsSeen:
    """What a handshake showed.

    Attributes:
        version: Protocol, such as TLSv1.3.
        days_left: Until the server's certificate ends; None when unknown.
        problem: Why the handshake failed; None when it did not.
    """

    version: str = ""
    days_left: int | None = None
    problem: str | None = None


def address_of(base_url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a base URL; port 0 when it cannot be read."""
    parts = urlsplit(base_url)
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    return parts.scheme, parts.hostname or "", port


def reach(connection: Connection, budget: Budget) -> Reached:
    """Try to open a TCP connection."""
    scheme, host, port = address_of(connection.base_url)
    address = f"{host}:{port}"
    if scheme not in DEFAULT_PORTS or not host or not port:
        return Reached(address, 0, "base_url is no http or https address; correct it")
    started = time.monotonic()
    try:
        with socket.create_connection((host, port), timeout=budget.connect_timeout_s):
            return Reached(address, int((time.monotonic() - started) * 1000))
    except OSError as exc:
        return Reached(address, int((time.monotonic() - started) * 1000), _why(exc))


def handshake(connection: Connection, budget: Budget) -> TlsSeen:
    """Shake hands as the transport would: its CA file, its client certificate, its TLS profile."""
    _, host, port = address_of(connection.base_url)
    try:
        context = _context(connection, legacy=budget.tls == "legacy")
    except (OSError, ssl.SSLError):
        return TlsSeen(problem="ca_file or client certificate cannot be read; check its path")
    try:
        with (
            socket.create_connection((host, port), timeout=budget.connect_timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
            return TlsSeen(secure.version() or "", _days_left(certificate.get("notAfter")))
    except ssl.SSLCertVerificationError as exc:
        return TlsSeen(problem=f"the certificate was refused: {exc.verify_message}")
    except OSError as exc:
        return TlsSeen(problem=_why(exc))


def _context(connection: Connection, *, legacy: bool) -> ssl.SSLContext:
    extra = connection.extra
    ca_file = extra.get("ca_file")
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if legacy:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    if extra.get("client_cert_file"):
        key = extra.get("client_key_file")
        context.load_cert_chain(str(extra["client_cert_file"]), str(key) if key else None)
    return context


def _days_left(not_after: object) -> int | None:
    if not isinstance(not_after, str):
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), tz=UTC)
    return (ends - datetime.now(UTC)).days


def _why(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return "the host name is unknown"
    if isinstance(exc, TimeoutError):
        return "no connection within the connect timeout"
    if isinstance(exc, ConnectionRefusedError):
        return "the host refuses the connection"
    if isinstance(exc, ssl.SSLError):
        return "the TLS handshake failed"
    return "the connection broke"
