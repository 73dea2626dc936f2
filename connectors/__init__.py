"""Connectors: the only code that opens a socket to a department.

A system is declared in connectors/systems/<system>.yaml; the code knows protocols and vocabularies,
never a department. The order of a call: `connector` → `caller` → `templates` → `auth` → protocol →
`budget` → transport, and back through `answers` (success layers) to pages, columns and receipts.
"""

from __future__ import annotations

from pathlib import Path

from connectors.caller import Unreadable
from connectors.clock import Clock, SystemClock
from connectors.connector import Connector
from connectors.declared import check_declared, check_operations
from connectors.protocols.pinned import check_pinned
from tongban.kernel.connections import Connection
from tongban.kernel.ledger import Ledger
from tongban.kernel.systems import System

__all__ = [
    "Clock",
    "Connector",
    "SystemClock",
    "check_declared",
    "check_operations",
    "check_wsdl",
    "open_connector",
]


def open_connector(
    system: System,
    connection: Connection,
    root: Path,
    *,
    clock: Clock | None = None,
    on_unreadable: Unreadable | None = None,
    ledger: Ledger | None = None,
) -> Connector:
    """Make a connector; no socket is opened before its first call.

    Args:
        system: The declared system.
        connection: Its address and our identity there.
        root: Project folder that holds connectors/wsdl/.
        clock: Time source; the machine's by default.
        ledger: Where all workers keep what the system's budget allows them together; without one
            the budget holds for this process alone.
        on_unreadable: Gets system and dataset, and the body, of a page that could not be read.

    Raises:
        ConfigInvalid: A template of the system's YAML cannot work.
        InterfaceChanged: A pinned WSDL is not the one that the system's YAML names.
    """
    check_declared(system)
    check_wsdl(system, root)
    return Connector(system, connection, root, clock or SystemClock(), on_unreadable, ledger)


def check_wsdl(system: System, root: Path) -> None:
    """Compare the pinned WSDLs of a system with the digests in its YAML.

    Raises:
        InterfaceChanged: One differs or is missing.
    """
    for interface in system.interfaces.values():
        if interface.soap is not None:
            check_pinned(root / "connectors" / "wsdl", interface.soap, system.system)
