"""Served WSDL: does the system still serve the description that is pinned.

Many services give their WSDL at `?wsdl`. Byte equality is rare, since servers write their own
address into it; so both are also compared in canonical form without addresses and comments.
A system that serves none is only noted. Nothing that is fetched here is used for calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from connectors.budget import BudgetKeeper
from connectors.clock import SystemClock
from connectors.drafts import Answer, Draft
from connectors.protocols.transport import Transport
from tongban.kernel.connections import Connection
from tongban.kernel.errors import TongbanError
from tongban.kernel.interfaces import (
    Interface,
)
from tongban.kernel.systems import System
from tongban.onboarding.steps import FAILED, OK, SKIPPED, Step

NAME = "served wsdl"
HTTP_OK = 200


def compare_served(
    system: System, connection: Connection, root: Path, keeper: BudgetKeeper
) -> Iterator[Step]:
    """One step per SOAP interface; each asks once, inside the budget."""
    for name, interface in system.interfaces.items():
        if interface.soap is not None:
            pinned = (root / "connectors" / "wsdl" / interface.soap.wsdl).read_bytes()
            yield _compared(name, interface, connection, pinned, keeper)


def _compared(
    name: str, interface: Interface, connection: Connection, pinned: bytes, keeper: BudgetKeeper
) -> Step:
    try:
        answer = _fetched(interface, connection, keeper)
    except TongbanError as exc:
        return Step(NAME, SKIPPED, f"{name}: not served at ?wsdl ({exc.code})")
    if answer.status != HTTP_OK:
        return Step(NAME, SKIPPED, f"{name}: not served at ?wsdl (HTTP {answer.status})")
    digest = hashlib.sha256(answer.body).hexdigest()
    if digest == hashlib.sha256(pinned).hexdigest():
        return Step(NAME, OK, f"{name}: byte for byte the pinned one ({digest[:12]}…)")
    served = canonical(answer.body)
    if served is None:
        return Step(NAME, SKIPPED, f"{name}: what ?wsdl gives is no WSDL")
    if served == canonical(pinned):
        return Step(NAME, OK, f"{name}: the pinned one, apart from addresses and comments")
    text = f"{name}: the served WSDL differs from the pinned one ({digest[:12]}…)"
    return Step(NAME, FAILED, f"{text}; compare the interface, then pin anew")


def _fetched(interface: Interface, connection: Connection, keeper: BudgetKeeper) -> Answer:
    transport = Transport(keeper.system, connection, keeper, SystemClock())
    url = f"{connection.base_url}{interface.path}?wsdl"  # as it is: some know no `?wsdl=`
    try:
        return transport.exchange(Draft("?wsdl", "GET", url))
    finally:
        transport.close()


def canonical(text: bytes) -> bytes | None:
    """A WSDL in canonical form without comments, blanks and addresses; None when it is none."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_blank_text=True
    )
    try:
        root: Any = etree.fromstring(text, parser)
    except etree.XMLSyntaxError:
        return None
    if root.getroottree().docinfo.doctype or etree.QName(root).localname != "definitions":
        return None
    for element in root.iter("{*}address", "{*}import", "{*}include"):
        for name in ("location", "schemaLocation"):
            element.attrib.pop(name, None)
    return bytes(etree.tostring(root, method="c14n"))
