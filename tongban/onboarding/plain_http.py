"""Plain http: which systems would be sent a secret that whoever is between can read.

Looks at declared identities and at the addresses of connections; opens no socket. A warning, no
error: inside a department's own network it may be all that there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from tongban.kernel.catalog import Catalog
from tongban.kernel.connections import Connections
from tongban.kernel.errors import TongbanError
from tongban.kernel.interfaces import (
    WsSecurityUsername,
)
from tongban.kernel.systems import System

_OPEN = frozenset({"basic", "api_key", "fields", "oauth2_client_credentials"})


def open_secrets(system: System) -> list[str]:
    """Kinds of identity whose secret itself travels with a call."""
    found = set()
    for interface in system.interfaces.values():
        for auth in interface.auth:
            is_text = isinstance(auth, WsSecurityUsername) and auth.password == "text"  # noqa: S105
            if is_text or auth.kind in _OPEN:
                found.add(auth.kind)
    return sorted(found)


def is_plain(address: str) -> bool:
    """Tell whether an address is http to another machine."""
    parts = urlsplit(address)
    if parts.scheme.lower() != "http":
        return False
    host = parts.hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def plain_warnings(catalog: Catalog, connections: Connections) -> Iterator[str]:
    """One line for every system whose secret would travel in the open."""
    for name in catalog.systems:
        system = catalog.system(name)
        kinds = open_secrets(system)
        if not kinds:
            continue
        try:
            address = connections.get(system.connection).base_url
        except TongbanError:  # not connected yet
            continue
        if is_plain(address):
            yield (
                f"connectors/systems/{name}.yaml: {', '.join(kinds)} over plain http: whoever is "
                f"between can read the secret; use https in the connection {system.connection}"
            )
