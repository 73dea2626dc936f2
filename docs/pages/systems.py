"""systems.md: the six systems — protocol, identity, paging, budget, what they give and accept."""

from __future__ import annotations

import re
from itertools import starmap
from pathlib import Path

from docs.pages.markdown import code, page, table
from tongban.kernel.catalog import load_catalog
from tongban.kernel.compares import Compare
from tongban.kernel.interfaces import (
    Auth,
    Interface,
)
from tongban.kernel.pagings import (
    Paging,
)
from tongban.kernel.systems import System

INTRO = """From `connectors/systems/*.yaml`. Addresses and secrets are in [connections](settings.md#connections). The
servers of the sandbox speak exactly these interfaces."""
NO_SECRET = frozenset({"login", "password"})
PLACEHOLDER = re.compile(r"\{secret:(\w+)\}")


def render(root: Path) -> str:
    """Write the page."""
    return page("Systems", INTRO, *(_section(s) for s in load_catalog(root).systems.values()))


def _section(system: System) -> str:
    hours = ", ".join(f"{h.start}-{h.end}" for h in system.budget.hours) or "always"
    budget = system.budget
    facts = [
        ("department", f"{system.department.name} ({system.department.code})"),
        ("protocol", system.protocol),
        ("connection", code(system.connection)),
        ("secrets in `extra`", ", ".join(map(code, extra_secrets(system)))),
        ("window", f"{system.window.format}, {system.window.overlap_s} s overlap"),
        ("hours", hours),
        ("rate", f"{budget.requests_per_second:g} requests/s, {budget.concurrent} at once"),
        ("rows per run", f"{budget.rows_per_run:,}" if budget.rows_per_run else "no limit"),
        ("timeouts", f"{budget.connect_timeout_s:g} s to connect, {budget.read_timeout_s:g} s between bytes, {budget.total_timeout_s:g} s in all"),
        ("breaker", f"opens for {budget.breaker.open_s:g} s after {budget.breaker.failures} failures in a row"),
    ]  # fmt: skip
    parts = [
        f"## {system.system}",
        f"{system.title.zh} · {system.title.en}",
        table(("fact", "value"), facts),
        table(
            ("interface", "path", "charset", "kind", "identity", "success"),
            list(starmap(_interface, system.interfaces.items())),
        ),
    ]
    if system.datasets:
        head = ("gives", "paging", "never zero", "encrypted in transit", "schedule (Beijing)")
        parts.append(table(head, [_dataset(system, name) for name in sorted(system.datasets)]))
    if system.accepts:
        rows = [
            (code(name), item.batch, "yes" if item.statement else "")
            for name, item in sorted(system.accepts.items())
        ]
        parts.append(table(("accepts", "records per batch", "statement for reconciliation"), rows))
    if system.compares:
        head = ("compares", "asks", "answers", "questions per call", "purposes")
        parts.append(table(head, list(starmap(_compare, sorted(system.compares.items())))))
    return "\n\n".join(parts)


def _compare(name: str, item: Compare) -> tuple[str, str, str, int, str]:
    asks = ", ".join(f"{code(field)} ({asked.type})" for field, asked in item.asks.items())
    purposes = ", ".join(f"{code(word)} {words}" for word, words in item.purposes.items())
    return code(name), asks, ", ".join(item.words), item.batch, purposes


def extra_secrets(system: System) -> list[str]:
    """Give the names of secrets that a connection must have beside login and password."""
    text = system.model_dump_json()
    found = set(PLACEHOLDER.findall(text))
    for interface in system.interfaces.values():
        found |= {str(a.key) for a in interface.auth if a.kind == "signed" and a.key}
        for auth in interface.auth:
            if auth.kind == "ws_security_x509":
                found |= {auth.key, auth.certificate}
                found |= {auth.server_certificate} if auth.verify else set()
    found |= {d.encrypted.key for d in system.datasets.values() if d.encrypted}
    return sorted(found - NO_SECRET)


def _interface(name: str, item: Interface) -> tuple[str, ...]:
    kind = "HTTP" if item.soap is None else f"SOAP {item.soap.version}, {item.soap.wsdl}"
    identity = " and ".join(_auth(one) for one in item.auth) or "none"
    layers = "; ".join(
        f"{layer.check} is {' or '.join(layer.equals)}" for layer in item.success if layer.check
    )
    return code(name), code(item.path), item.charset, kind, identity, layers


def _auth(auth: Auth) -> str:
    if auth.kind == "signed":
        return f"{auth.algorithm} signature in {auth.send.place}"
    return auth.kind.replace("_", " ")


def _dataset(system: System, name: str) -> tuple[str, ...]:
    item = system.datasets[name]
    if item.shares_pages_of:
        return code(name), f"inside the pages of `{item.shares_pages_of}`", "", "", ""
    encrypted = ", ".join(item.encrypted.fields) if item.encrypted else ""
    never = "yes" if item.never_zero else ""
    return code(name), _paging(item.paging), never, encrypted, code(item.schedule)


def _paging(paging: Paging) -> str:
    words = f"{paging.kind.replace('_', ' ')}, {paging.size} rows"
    if paging.kind == "page_number" and paging.shifting == "pass":
        return f"{words}, read until a pass shows nothing new"
    return words
