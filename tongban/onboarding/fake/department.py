"""Department: one fake system without its socket — a request in, an answer out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors.templates import format_moment
from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import TongbanError
from tongban.kernel.interfaces import (
    Interface,
    OAuth2ClientCredentials,
)
from tongban.kernel.records import BEIJING
from tongban.kernel.systems import System
from tongban.onboarding.described import Description, Node
from tongban.onboarding.fake import answers
from tongban.onboarding.fake.compares import answer_to
from tongban.onboarding.fake.days import Days
from tongban.onboarding.fake.identity import account_for, is_identified, seal
from tongban.onboarding.fake.paging import AT, Cut, cut
from tongban.onboarding.fake.pushes import Inbox
from tongban.onboarding.fake.records import Holding, Record, make_holding
from tongban.onboarding.fake.routes import Matched, Request, match, routes_of
from tongban.onboarding.sources import read_source
from tongban.onboarding.wsdl import read_wsdl

TOKEN = b'{"access_token": "fake", "expires_in": 3600, "token_type": "Bearer"}'
HEADER = "header:"
NOT_WELL_FORMED = "Client.FAKE_NOT_WELL_FORMED"
JSON = "application/json; charset=utf-8"
FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv", "xml": "application/xml"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers, body; `what` says for the log what was asked, without any value."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    what: str


class Department:
    """A declared system that answers from its own description."""

    def __init__(
        self,
        catalog: Catalog,
        name: str,
        *,
        rows: int,
        now: datetime | None = None,
        days: Days | None = None,
    ) -> None:
        """Make its records.

        Args:
            catalog: Where it is declared.
            name: Its name.
            rows: Records of each dataset, at the beginning.
            now: When it begins; the present when not given.
            days: A life to go on with, instead of a beginning.

        Raises:
            ConfigInvalid: A mapping or contract of it cannot be compiled.
        """
        self._catalog, self._rows = catalog, rows
        self.days = days or Days(now or datetime.now(BEIJING))
        self.system: System = catalog.system(name)
        self._folder = catalog.root / "connectors" / "wsdl"
        self._routes = routes_of(self.system)
        self._descriptions = self._described()
        self.holdings: dict[str, Holding] = self._held()
        self.inboxes = {n: Inbox(accepted) for n, accepted in self.system.accepts.items()}
        self.account: dict[str, Any] = {}

    def _held(self) -> dict[str, Holding]:
        """The records of every dataset that is asked for by itself."""
        return {
            dataset: make_holding(
                self._catalog, self.system, dataset, rows=self._rows, days=self.days
            )
            for dataset, item in self.system.datasets.items()
            if item.shares_pages_of is None
        }

    def advance(self, at: datetime) -> int:
        """Let a day pass: some records change, some are added; gives how many."""
        self.days = replace(self.days, turns=(*self.days.turns, at))
        self.holdings = self._held()
        return sum(
            record.changed == at for holding in self.holdings.values() for record in holding.records
        )

    def open_account(self, base_url: str, folder: Path) -> dict[str, Any]:
        """Make the account with which the hub can connect; gives the connection document."""
        self.account = account_for(self.system, base_url, folder)
        return self.account

    def _described(self) -> dict[str, Description]:
        """What our own reader understands of the pinned WSDLs; a fake does without the rest."""
        found: dict[str, Description] = {}
        for interface in self.system.interfaces.values():
            if interface.soap is not None:
                try:
                    source = read_source(str(self._folder / interface.soap.wsdl))
                    found[interface.soap.wsdl] = read_wsdl(source)
                except TongbanError:
                    continue
        return found

    def answer(self, request: Request) -> Answer:
        """Answer one request as the description says."""
        special = self._token(request) or self._wsdl(request)
        if special is not None:
            return special
        matched = match(self._routes, request, self._descriptions)
        if matched is None:
            text = f"no declared call of {self.system.system} looks like this".encode()
            return Answer(404, {"Content-Type": "text/plain"}, text, "unknown call")
        route = matched.route
        if not is_identified(route.interface, matched.shown):
            return self._anonymous(route.interface, route.dataset)
        if route.kind == "pull":
            return self._page(matched, request)
        others = {"statement": self._statement, "compare": self._compared}
        return others.get(route.kind, self._batch)(matched)

    def _token(self, request: Request) -> Answer | None:
        """The OAuth2 token of whoever asks."""
        for interface in self.system.interfaces.values():
            for spec in interface.auth:
                asks = isinstance(spec, OAuth2ClientCredentials) and spec.token_path
                if asks and asks == request.path and request.method == "POST":
                    return Answer(200, {"Content-Type": JSON}, TOKEN, "token")
        return None

    def _wsdl(self, request: Request) -> Answer | None:
        """The pinned WSDL at ?wsdl."""
        for interface in self.system.interfaces.values():
            soap = interface.soap
            asks = request.method == "GET" and {k.lower() for k in request.query} == {"wsdl"}
            if soap is not None and asks and request.path == interface.path:
                body = (self._folder / soap.wsdl).read_bytes()
                return Answer(200, {"Content-Type": "text/xml"}, body, "wsdl")
        return None

    def _anonymous(self, interface: Interface, dataset: str) -> Answer:
        """Refuse a request without identity, in the declared words where there are some."""
        what = f"{dataset}: no identity"
        code = next((c for c, m in interface.faults.items() if m == "authentication"), None)
        if interface.soap is not None and code is not None:
            fault = answers.fault(interface.soap.version, code, "no identity")
            return self._soap(interface, fault, what, 500)
        document = answers.refused(interface, "authentication")
        if document is None or interface.soap is not None:
            return Answer(401, {"Content-Type": "text/plain"}, b"", what)
        body = answers.body_of(interface, document, [])
        return Answer(200, {"Content-Type": JSON}, body, what)

    def _page(self, matched: Matched, request: Request) -> Answer:
        """One page of a dataset's window."""
        route, values = matched.route, matched.values
        dataset = self.system.datasets[route.dataset]
        inside = self._window(route.dataset, values)
        page = cut(dataset.paging, inside, values, request.query.get(AT, ""))
        rows = [self._sealed(route.dataset, record) for record in page.records]
        content: dict[str, Any] = dict(page.words)
        headers: dict[str, str] = {}
        for path, number in ((dataset.total, len(inside)), (dataset.count, len(rows))):
            if path is not None and path.startswith(HEADER):
                headers[path.removeprefix(HEADER)] = str(number)
            elif path is not None:
                content[path] = number
        self._link(page, request, content, headers)
        what = f"{route.dataset}: {len(rows)} of {len(inside)} rows"
        return self._answer(matched, content, dataset.records, rows, what, headers=headers)

    def _window(self, dataset: str, values: dict[str, Any]) -> Sequence[Record]:
        """Records changed inside the window that the request names, if it names one."""
        pattern = self.system.window_rule(dataset).format
        since, until = str(values.get("since") or ""), str(values.get("until") or "")
        is_number = pattern.startswith("epoch")

        def inside(record: Record) -> bool:
            at = format_moment(record.changed, pattern)
            if is_number:
                low = not since.isdigit() or int(since) <= int(at)
                return low and (not until.isdigit() or int(at) < int(until))
            return (not since or since <= at) and (not until or at < until)

        return [record for record in self.holdings[dataset].records if inside(record)]

    def _columns(self, dataset: str) -> list[str]:
        """Names of a dataset's fields at the department; none of what it only accepts."""
        holding = self.holdings.get(dataset)
        records = holding.records if holding else ()
        return list(dict.fromkeys(name for record in records for name in record.document))

    def _sealed(self, dataset: str, record: Record) -> dict[str, Any]:
        """A record with its declared fields encrypted."""
        spec = self.system.datasets[dataset].encrypted
        if spec is None:
            return record.document
        document = dict(record.document)
        key = str(self.account["extra"][spec.key])
        for name in spec.fields:
            if document.get(name):
                document[name] = seal(key, str(document[name]))
        return document

    def _link(
        self, page: Cut, request: Request, content: dict[str, Any], headers: dict[str, str]
    ) -> None:
        """Name the next page by a link, where the dataset is read so."""
        if page.link_path is None:
            return
        url = ""
        if page.next_at is not None:
            query = urlencode({**request.query, AT: str(page.next_at)})
            url = f"http://{request.headers.get('host', '')}{request.path}?{query}"
        if page.link_path:
            content[page.link_path] = url
        elif url:
            headers["Link"] = f'<{url}>; rel="next"'

    def _batch(self, matched: Matched) -> Answer:
        """Accept a batch, or one record."""
        route, values = matched.route, matched.values
        inbox = self.inboxes[route.dataset]
        told = inbox.take(values.get("records", values.get("record", {})), values)
        spec = inbox.accepted.answers
        what = f"{route.dataset}: {len(told)} records pushed"
        if spec.statuses:
            status = next((s for s, o in spec.statuses.items() if o == "accepted"), 200)
            return self._answer(matched, told[0] if told else {}, "", [], what, status=status)
        if not spec.records:
            return self._answer(matched, told[0] if told else {}, "", [], what)
        return self._answer(matched, {}, spec.records, told, what)

    def _statement(self, matched: Matched) -> Answer:
        inbox = self.inboxes[matched.route.dataset]
        spec = inbox.accepted.statement
        if spec is None:
            raise AssertionError("only a declared statement has a route")
        lines = [Record(datetime.now().astimezone(), line) for line in inbox.lines()]
        page = cut(spec.paging, lines, matched.values, "")
        rows = [record.document for record in page.records]
        what = f"{matched.route.dataset}: statement of {len(rows)} lines"
        return self._answer(matched, page.words, spec.records, rows, what)

    def _compared(self, matched: Matched) -> Answer:
        """Answer questions, or refuse the call whole."""
        route = matched.route
        spec = self.system.compares[route.dataset]
        said = answer_to(spec, matched.values)
        if said is None:
            return self._refused(route.interface, f"{route.dataset}: refused, not well-formed")
        what = f"{route.dataset}: {len(said.rows)} compared"
        if spec.answers.records:
            return self._answer(matched, said.content, spec.answers.records, said.rows, what)
        return self._answer(matched, {**said.content, **said.rows[0]}, "", [], what)

    def _refused(self, interface: Interface, what: str) -> Answer:
        """Refuse a call that it understood, in the declared words where there are some."""
        if interface.soap is not None:
            fault = answers.fault(interface.soap.version, NOT_WELL_FORMED, "not well-formed")
            return self._soap(interface, fault, what, 500)
        document = answers.refused(interface, "refused")
        if document is None:
            return Answer(400, {"Content-Type": "text/plain"}, b"", what)
        return Answer(200, {"Content-Type": JSON}, answers.body_of(interface, document, []), what)

    def _answer(
        self,
        matched: Matched,
        content: dict[str, Any],
        path: str,
        rows: list[dict[str, Any]],
        what: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Write a successful answer in the protocol of the call."""
        interface = matched.route.interface
        inner = {**content, path: rows} if path else content
        document = answers.layered(interface, inner, _root_of(matched.route.call.body))
        if interface.soap is None:
            kind = FORMATS.get(interface.answers, "application/json")
            whole: Any = rows if not path and rows and not interface.success else document
            body = answers.body_of(interface, whole, rows, self._columns(matched.route.dataset))
            told = {"Content-Type": f"{kind}; charset={interface.charset}", **(headers or {})}
            return Answer(status, told, body, what)
        output = self._output(interface, matched.route.call.operation or "")
        name = output.name if output else f"{matched.route.call.operation}Response"
        text = answers.xml_text(name, document, output, "" if output else None)
        return self._soap(interface, text, what, status)

    def _output(self, interface: Interface, operation: str) -> Node | None:
        """The declared answer of an operation, where the WSDL could be read."""
        described = self._descriptions.get(interface.soap.wsdl) if interface.soap else None
        for item in described.operations if described else ():
            if item.name == operation:
                return item.output
        return None

    def _soap(self, interface: Interface, content: str, what: str, status: int = 200) -> Answer:
        soap = interface.soap
        version = soap.version if soap is not None else "1.1"
        kind = "text/xml" if version == "1.1" else "application/soap+xml"
        body = answers.envelope(version, interface.charset, content)
        return Answer(status, {"Content-Type": f"{kind}; charset={interface.charset}"}, body, what)


def _root_of(body: Any) -> str:
    """Root element of XML inside a text, as the request writes it."""
    if isinstance(body, dict):
        for key, item in body.items():
            if key == "$xml" and isinstance(item, dict) and item:
                return str(next(iter(item)))
            found = _root_of(item)
            if found != "ANSWER":
                return found
    return "ANSWER"
