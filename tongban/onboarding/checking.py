"""Checking: one system, from its files to one decoded row of each dataset, step by step.

Each step says what holds, what does not and what to do; a step that cannot be judged is skipped,
never guessed. The system is asked for one short page per dataset inside its budget, and for its
WSDL. No field's value is in any result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from connectors import SystemClock, check_declared, check_wsdl
from connectors.budget import BudgetKeeper, keeper_for
from tongban.kernel.catalog import Catalog
from tongban.kernel.connections import Connection, Connections
from tongban.kernel.errors import (
    AuthenticationRefused,
    RetryLater,
    SystemRefused,
    TongbanError,
)
from tongban.kernel.ledger import Ledger
from tongban.kernel.records import Window
from tongban.kernel.systems import System
from tongban.onboarding.answers_seen import charset_step, clock_step
from tongban.onboarding.asking import Asked, ask_about_nobody, asking, first_page
from tongban.onboarding.network import handshake, reach
from tongban.onboarding.plain_http import open_secrets
from tongban.onboarding.served_wsdl import compare_served
from tongban.onboarding.steps import FAILED, OK, SKIPPED, WARNED, Step
from tongban.rows import compile_dataset

SAMPLE_ROWS = 2
CERTIFICATE_WARNING_DAYS = 30


@dataclass(slots=True)
class Checked:
    """All steps of one system, in the order in which they were taken."""

    system: str
    steps: list[Step] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether no step failed."""
        return all(step.state != FAILED for step in self.steps)


def check_system(
    catalog: Catalog,
    name: str,
    connections: Connections,
    window: Window,
    *,
    ledger: Ledger | None = None,
) -> Iterator[Step]:
    """Take every step of one system; yields each as soon as it is known.

    Args:
        catalog: What is declared.
        name: The system.
        connections: Where its address and our identity there are found.
        window: Of the rows that are asked for.
        ledger: Where calls are counted, together with the workers' calls; see `budgeting`.

    Raises:
        ConfigInvalid: There is no such system, or its YAML cannot be read.
    """
    system = catalog.system(name)
    declared = list(_files(catalog, system))
    yield from declared
    connection = _connection(system, connections)
    if isinstance(connection, Step):
        yield connection
        return
    yield Step("connection", OK, f"{system.connection}: address and identity are there")
    keeper = keeper_for(system.system, connection.base_url, system.budget, SystemClock(), ledger)
    found = _reached(system, connection, keeper)
    yield from found
    if found[0].state == FAILED:
        return
    if any(step.state == FAILED for step in declared):
        yield Step("authenticate", SKIPPED, "correct the files first; nothing was asked")
        return
    yield from compare_served(system, connection, catalog.root, keeper)
    yield from _asked(catalog, system, connection, window, ledger)


def _reached(system: System, connection: Connection, keeper: BudgetKeeper) -> list[Step]:
    """Connect, and shake hands where it is https; both are calls of the budget."""
    try:
        with keeper.call():
            reached = reach(connection, system.budget)
        if reached.problem is not None:
            return [Step("reach", FAILED, f"{reached.address}: {reached.problem}")]
        text = f"{reached.address} answers in {reached.milliseconds} ms"
        return [Step("reach", OK, text), _tls(system, connection, keeper)]
    except TongbanError as exc:
        return [Step("reach", FAILED, str(exc), code=exc.code)]


def _files(catalog: Catalog, system: System) -> Iterator[Step]:
    """Is what is written complete, and is the pinned interface the one it was written for."""
    yield _attempt("declared", lambda: check_declared(system), "every call can be made")
    if any(item.soap is not None for item in system.interfaces.values()):
        root: Path = catalog.root
        yield _attempt("pinned wsdl", lambda: check_wsdl(system, root), "digests are as pinned")
    for dataset in system.datasets:

        def compiled(dataset: str = dataset) -> object:
            return compile_dataset(catalog, system.system, dataset)

        yield _attempt("mapping", compiled, "fits its contract", dataset)


def _attempt(name: str, action: Callable[[], object], good: str, dataset: str = "") -> Step:
    try:
        action()
    except TongbanError as exc:
        return Step(name, FAILED, str(exc), dataset, exc.code)
    return Step(name, OK, good, dataset)


def _connection(system: System, connections: Connections) -> Connection | Step:
    try:
        return connections.get(system.connection)
    except TongbanError as exc:
        return Step("connection", FAILED, str(exc), code=exc.code)


def _tls(system: System, connection: Connection, keeper: BudgetKeeper) -> Step:
    if not connection.base_url.lower().startswith("https:"):
        told = "the address is plain http: whoever is between can read it"
        kinds = open_secrets(system)
        return Step(
            "tls", WARNED, f"{told}, and our secret ({', '.join(kinds)})" if kinds else told
        )
    with keeper.call():
        seen = handshake(connection, system.budget)
    if seen.problem is not None:
        return Step("tls", FAILED, seen.problem)
    if seen.days_left is not None and seen.days_left < CERTIFICATE_WARNING_DAYS:
        text = f"{seen.version}, but the certificate ends in {seen.days_left} days"
        return Step("tls", WARNED, text)
    left = "" if seen.days_left is None else f", certificate good for {seen.days_left} days"
    return Step("tls", OK, f"{seen.version}{left}")


def _asked(
    catalog: Catalog,
    system: System,
    connection: Connection,
    window: Window,
    ledger: Ledger | None,
) -> Iterator[Step]:
    """Ask one short page per dataset and one question per compare, then judge by the answers."""
    main = [name for name, item in system.datasets.items() if item.shares_pages_of is None]
    if not main and not system.compares:
        yield Step("authenticate", SKIPPED, "nothing is pulled from it, so nothing can be asked")
        return
    found: list[Step] = []
    with asking(system, connection, catalog.root, rows=SAMPLE_ROWS, ledger=ledger) as asked:
        for dataset in main:
            one = partial(_one, catalog, system, asked, dataset, window)
            found += _unless_refused("rows", dataset, found, one)
        for name in system.compares:
            found += _unless_refused(
                "compare", name, found, partial(_compared, system, asked, name)
            )
        yield _authenticated(system, asked, found)
        yield from found
        yield clock_step(asked.answers)
        yield charset_step(system, asked.answers)


def _unless_refused(
    point: str, name: str, found: list[Step], ask: Callable[[], list[Step]]
) -> list[Step]:
    """Ask, but never again after our identity was refused."""
    if any(step.code == AuthenticationRefused.code for step in found):
        text = "not asked: a refused identity is not tried again, it may get locked"
        return [Step(point, SKIPPED, text, name)]
    return ask()


def _compared(system: System, asked: Asked, name: str) -> list[Step]:
    """Ask about people who do not exist; what is answered is not shown."""
    try:
        ask_about_nobody(asked.connector, system.compares[name], name)
    except SystemRefused as exc:
        text = f"{exc}; it understood us, and may refuse people who do not exist"
        return [Step("compare", WARNED, text, name, exc.code)]
    except TongbanError as exc:
        return [Step("compare", FAILED, f"{exc}{_hint(exc)}", name, exc.code)]
    return [Step("compare", OK, "a question about people who do not exist is answered", name)]


def _hint(exc: TongbanError) -> str:
    return "; it may pass, try again" if isinstance(exc, RetryLater) else ""


def _one(
    catalog: Catalog, system: System, asked: Asked, dataset: str, window: Window
) -> list[Step]:
    """One dataset and those inside its pages."""
    try:
        page = first_page(asked.connector, dataset, window)
        if page is None:
            return [Step("rows", WARNED, "no page came", dataset)]
        names = [
            dataset,
            *(n for n, item in system.datasets.items() if item.shares_pages_of == dataset),
        ]
        return [_decoded(catalog, system, asked, name, page.body) for name in names]
    except TongbanError as exc:
        return [Step("rows", FAILED, f"{exc}{_hint(exc)}", dataset, exc.code)]


def _decoded(catalog: Catalog, system: System, asked: Asked, dataset: str, body: bytes) -> Step:
    """Does one row decode, and does it bring every field that the mapping names."""
    shape = catalog.mapping(system.system, dataset).shape
    decoded = asked.connector.decode(dataset, body, shape)
    rows = decoded.frame.height
    if rows == 0:
        return Step("rows", WARNED, "no row in this window, so nothing was proved", dataset)
    silent = [c for c in decoded.frame.columns if decoded.frame[c].null_count() == rows]
    notes = []
    if silent:
        notes.append(f"without a value in {rows} rows: {', '.join(silent)}")
    if decoded.unknown_fields:
        notes.append(f"not in the mapping: {', '.join(sorted(decoded.unknown_fields))}")
    state = WARNED if decoded.unknown_fields or len(silent) == len(shape.fields) else OK
    text = "; ".join([f"{rows} rows decode into {len(shape.fields)} fields", *notes])
    return Step("rows", state, text, dataset)


def _authenticated(system: System, asked: Asked, found: list[Step]) -> Step:
    """What the datasets' answers say about our identity."""
    kinds = sorted(
        {auth.kind for item in system.interfaces.values() for auth in item.auth} - {"none"}
    )
    how = ", ".join(kinds) or "no identity"
    refused = [step for step in found if step.code == AuthenticationRefused.code]
    if refused:
        return Step("authenticate", FAILED, f"{how}: {refused[0].detail}", code=refused[0].code)
    if any(step.state in {OK, WARNED} for step in found):
        text = f"{how} accepted" if kinds else "the system asks for no identity"
        return Step("authenticate", OK if kinds else WARNED, text)
    state = "nothing was answered" if not asked.answers else "no call ended well"
    return Step("authenticate", SKIPPED, f"{how}: {state}, so nobody can tell")
