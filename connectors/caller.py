"""Caller: make one declared call and give its opened answer, with identity, budget and retries.

Only what cannot have taken effect is tried again here: reads, and requests that the system did not
look at. A lost or unreadable answer of a writing call is `DeliveryUnclear`; the caller repeats it
with the same keys. An unreadable page is handed to `on_unreadable` before the error is raised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from connectors.answers import check_status, open_layers
from connectors.auth import identities
from connectors.budget import keeper_for
from connectors.clock import Clock
from connectors.documents import Document
from connectors.drafts import Answer, Draft
from connectors.errors import AnswerTooLarge
from connectors.identity import Identity
from connectors.links import check_our_host
from connectors.protocols.rest import RestProtocol
from connectors.protocols.soap import SoapProtocol
from connectors.protocols.transport import Transport
from connectors.templates import format_moment
from tongban.kernel.connections import Connection
from tongban.kernel.errors import (
    AnswerUnreadable,
    AuthenticationRefused,
    ConfigInvalid,
    DeliveryUnclear,
    OutsideBudget,
    RateLimited,
    RetryLater,
    SystemUnavailable,
)
from tongban.kernel.interfaces import (
    Call,
    Interface,
)
from tongban.kernel.ledger import Ledger
from tongban.kernel.systems import System

Unreadable = Callable[[str, bytes], None]
NO_CONTENT = 204  # RFC 9110
UNREADABLE_TRIES = 2  # a page that is cut twice is not cut by chance


class Speaker(Protocol):
    """What a protocol does with drafts and answers."""

    def draft(
        self, call: Call, interface: Interface, values: dict[str, Any], *, writes: bool
    ) -> Draft:
        """Fill a call's templates."""
        ...

    def serialize(self, draft: Draft, interface: Interface) -> None:
        """Write the body's bytes."""
        ...

    def read(self, answer: Answer, draft: Draft, interface: Interface, where: str) -> Document:
        """Give the answer's document."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One successful answer: as received, and opened (None for a declared "no rows")."""

    answer: Answer
    document: Document | None
    url: str = field(repr=False)


class Caller:
    """Makes the calls of one system."""

    def __init__(
        self,
        system: System,
        connection: Connection,
        root: Path,
        clock: Clock,
        on_unreadable: Unreadable | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.system = system
        self.connection = connection
        self.clock = clock
        self._on_unreadable = on_unreadable
        keeper = keeper_for(system.system, connection.base_url, system.budget, clock, ledger)
        self.transport = Transport(system.system, connection, keeper, clock)
        self._rest = RestProtocol(system.system, connection.base_url)
        self._soap = SoapProtocol(system.system, connection.base_url, root / "connectors" / "wsdl")
        self._identities: dict[int, list[Identity]] = {}

    def _identity(self, interface: Interface) -> list[Identity]:
        key = id(interface)
        if key not in self._identities:
            found = identities(interface, self.connection, self.clock, self.transport.exchange)
            self._identities[key] = found
        return self._identities[key]

    def call(
        self,
        call: Call,
        values: dict[str, Any],
        where: str,
        *,
        writes: bool = False,
        url: str | None = None,
        told: frozenset[int] = frozenset(),
    ) -> Outcome:
        """Make a call until it answers, within the budget's attempts.

        Args:
            call: As declared.
            values: What its templates are filled with.
            where: System and dataset, for messages.
            writes: It changes something there, so that a lost answer is unclear.
            url: Instead of the call's own address and query.
            told: HTTP statuses that are an answer by themselves, whatever the layers say.

        Raises:
            RetryLater: It did not answer, or may not be called now.
            DeliveryUnclear: A writing call may have taken effect.
            Fatal: Its answer needs a person.
        """
        interface = self.system.interface_of(call)
        values = {"now": self.now, **values}
        started = self.clock.monotonic()
        attempt = 1
        while True:
            try:
                return self._once(call, interface, values, where, writes=writes, url=url, told=told)
            except (SystemUnavailable, RateLimited) as exc:
                if attempt >= self.system.budget.attempts:
                    raise self._gave_up(exc, attempt, started) from exc
                failure: RetryLater = exc
            except AnswerUnreadable as exc:
                if writes:
                    raise DeliveryUnclear(
                        f"{exc}; the request may have taken effect, send again with the same keys",
                        **exc.context,
                    ) from exc
                if attempt >= min(UNREADABLE_TRIES, self.system.budget.attempts):
                    raise
                failure = SystemUnavailable(str(exc))
            self.transport.keeper.pause(attempt, failure)
            attempt += 1

    def _gave_up(self, exc: RetryLater, attempts: int, started: float) -> RetryLater:
        seconds = self.clock.monotonic() - started
        text = f"{exc}; tried {attempts} times in {seconds:.0f} s"
        return type(exc)(text, **exc.context, attempts=attempts)

    def now(self, pattern: str = "iso") -> str:
        """Write the present moment."""
        return format_moment(self.clock.now(), pattern)

    def _once(
        self,
        call: Call,
        interface: Interface,
        values: dict[str, Any],
        where: str,
        *,
        writes: bool,
        url: str | None,
        told: frozenset[int],
    ) -> Outcome:
        """Send once; a refused identity that can be renewed is renewed and tried once more."""
        try:
            return self._opened(call, interface, values, where, writes=writes, url=url, told=told)
        except AuthenticationRefused:
            renewed = [identity.renew() for identity in self._identity(interface)]
            if not any(renewed):
                raise
        return self._opened(call, interface, values, where, writes=writes, url=url, told=told)

    def _opened(
        self,
        call: Call,
        interface: Interface,
        values: dict[str, Any],
        where: str,
        *,
        writes: bool,
        url: str | None,
        told: frozenset[int],
    ) -> Outcome:
        """Send and open the answer."""
        try:
            draft, answer = self._send(call, interface, values, writes=writes, url=url)
        except AnswerTooLarge as exc:
            self._keep(exc.head, where, exc)
            raise
        if answer.status in told:
            return Outcome(answer, self._said(answer, draft, interface, where), draft.target)
        if _says_no_rows(answer, interface, writes=writes):
            nothing = Answer(answer.status, answer.headers, b"")  # its text holds no rows
            return Outcome(nothing, None, draft.target)
        try:
            check_status(answer, interface, draft, where)
            root = self._speaker(interface).read(answer, draft, interface, where)
            for identity in self._identity(interface):
                identity.check(answer, interface, where)
            document = open_layers(
                root, interface, where, status=answer.status, writes=writes, is_fresh=True
            )
        except AnswerUnreadable as exc:
            self._keep(answer.body, where, exc)
            raise
        return Outcome(answer, document, draft.target)

    def _said(
        self, answer: Answer, draft: Draft, interface: Interface, where: str
    ) -> Document | None:
        """Read what comes with a status that is an answer by itself; it need not be readable."""
        plain = Answer(200, answer.headers, answer.body)
        try:
            return self._speaker(interface).read(plain, draft, interface, where)
        except AnswerUnreadable:
            return None

    def _send(
        self,
        call: Call,
        interface: Interface,
        values: dict[str, Any],
        *,
        writes: bool,
        url: str | None,
    ) -> tuple[Draft, Answer]:
        speaker = self._speaker(interface)
        draft = speaker.draft(call, interface, values, writes=writes)
        if url is not None:
            check_our_host(self.connection.base_url, url, draft.what)
            draft.url = url.partition("?")[0]
            draft.query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        who = self._identity(interface)
        for identity in who:
            identity.before(draft)
        speaker.serialize(draft, interface)
        for identity in who:
            identity.after(draft)
        return draft, self.transport.exchange(draft)

    def _speaker(self, interface: Interface) -> Speaker:
        return self._soap if interface.soap is not None else self._rest

    def keep_unreadable(self, body: bytes, where: str, check: Callable[[], None]) -> None:
        """Make a check of an answer; where it fails, the page is kept for the evidence."""
        try:
            check()
        except AnswerUnreadable as exc:
            self._keep(body, where, exc)
            raise

    def _keep(self, body: bytes, where: str, exc: AnswerUnreadable) -> None:
        """Note the page's digest in the error and hand the page itself to whoever keeps it."""
        exc.context.setdefault("sha256", hashlib.sha256(body).hexdigest())
        exc.context.setdefault("size", len(body))
        if self._on_unreadable is not None:
            self._on_unreadable(where, body)


def _says_no_rows(answer: Answer, interface: Interface, *, writes: bool) -> bool:
    """Tell whether the status means "no rows": declared so, or HTTP's own word for no content."""
    meaning = interface.statuses.get(answer.status)
    is_silent = answer.status == NO_CONTENT and not writes and not answer.body.strip()
    return meaning == "empty" or (meaning is None and is_silent)


def outside_budget(where: str, rows: int, limit: int) -> OutsideBudget:
    """Say that a run has read its share of rows."""
    return OutsideBudget(
        f"{where}: {rows} rows were read, the budget is {limit} per run; the next run goes on from "
        "the kept cursor",
        rows=rows,
    )


def undeclared(system: System, kind: str, dataset: str) -> ConfigInvalid:
    """Say that a system's YAML does not declare a dataset."""
    return ConfigInvalid(
        f'connectors/systems/{system.system}.yaml: {kind} has no "{dataset}"; declare it',
        system=system.system,
        dataset=dataset,
    )
