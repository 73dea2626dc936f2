"""Tax department: SOAP 1.1, GB18030, an XML document inside a string, two success layers.

Pull A020 (payments) and D001 (taxpayers); push A005 (contract tasks), B001 (registration
results), C001 (enterprises). The first layer is responseCode, the second HEAD/FHM of the inner
document; both must be "0". An accepted contract task brings the payments that waited for it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from xml.sax.saxutils import escape

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox.servers import clock
from sandbox.servers.inbox import DELETE, Pushed, Verdict
from sandbox.servers.office import Office
from sandbox.servers.reactions import fire
from sandbox.servers.records import Window
from sandbox.servers.refusals import Reason, Refusal, check_batch, check_page, check_window
from sandbox.servers.signatures import password_digest, same
from sandbox.servers.soap import WSDL_DIR, Dialect, Interface, SoapCall, SoapEndpoint
from sandbox.servers.soap_xml import Element, SoapFault, check_schema, doc_of, parse_xml, text_of
from sandbox.servers.tax_services import PULLS, PUSHES, Pull, Push

PATH = "/services/TaxExchange"
SKEW_S = 300
LARGEST_PAGE = 1000
LARGEST_BATCH = 200
INNER_CODES = {
    Reason.MALFORMED: "2001",
    Reason.PAGE_SIZE: "2002",
    Reason.WINDOW: "2003",
    Reason.TOO_MANY_ROWS: "2004",
    Reason.BUSY: "9999",
}
UNKNOWN_SERVICE = "9002"  # first layer
_ACCEPTANCE = {"accepted": "1", "duplicate": "2", "rejected": "0"}


class Tax:
    """The exchange of the tax department."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._inner = etree.XMLSchema(etree.parse(str(WSDL_DIR / "TaxBizml.xsd")))
        self._endpoint = SoapEndpoint(
            PATH,
            Interface("TaxExchange.wsdl"),
            Dialect("1.1", "GB18030"),
            self._admit,
            self._serve,
            understood=frozenset({"Security"}),
        )

    def routes(self) -> list[BaseRoute]:
        """Return the exchange's address."""
        return [*self._endpoint.routes()]

    def busy(self, request: Request) -> Response:
        """Answer with the first layer fine and the second one busy."""
        del request
        return self._endpoint.answer(_answer("0", "成功", _inner_error("9999", "系统繁忙，请稍后")))

    def unauthorised(self, request: Request) -> Response:
        """Answer with the authentication fault."""
        del request
        return self._endpoint.fault(_not_authenticated("the account is expired"))

    def _admit(self, call: SoapCall) -> None:
        """Check the UsernameToken.

        Raises:
            SoapFault: wsse:FailedAuthentication.
        """
        token = call.header.find(".//{*}UsernameToken") if call.header is not None else None
        if token is None:
            raise _not_authenticated("a UsernameToken is demanded")
        password = token.find("{*}Password")
        if password is None or not str(password.get("Type")).endswith("#PasswordDigest"):
            raise _not_authenticated("the password must be sent as PasswordDigest")
        account = self._office.account
        created, nonce = text_of(token, "Created"), text_of(token, "Nonce")
        try:
            moment = clock.utc_epoch(created)
            digest = password_digest(base64.b64decode(nonce), created, account.password)
        except ValueError as exc:
            raise _not_authenticated("Nonce or Created is missing or malformed") from exc
        if not same(text_of(token, "Username"), account.login) or not same(
            (password.text or "").strip(), digest
        ):
            raise _not_authenticated("user name or digest is wrong")
        try:
            self._office.admit_once(nonce, moment, time.time(), SKEW_S)
        except Refusal as refusal:
            raise _not_authenticated(refusal.message) from refusal

    def _serve(self, call: SoapCall) -> str:
        action = call.request.headers.get("soapaction", "").strip('"')
        if action != "doService":
            raise SoapFault("Client", "the SOAPAction must be doService")
        service = text_of(call.element, "serviceCode")
        call.request.scope["sandbox.service"] = service
        if service not in PULLS and service not in PUSHES:
            return _answer(UNKNOWN_SERVICE, "服务不存在", "")
        try:
            body = self._read_inner(text_of(call.element, "xmlString"), service)
            if service in PULLS:
                inner = self._pull(PULLS[service], body)
            else:
                inner = self._push(PUSHES[service], body)
        except Refusal as refusal:
            code = INNER_CODES.get(refusal.reason, "2001")
            inner = _inner_error(code, refusal.message)
        return _answer("0", "成功", inner)

    def _read_inner(self, text: str, service: str) -> Element:
        """Read the document inside the string and return its BODY.

        Raises:
            Refusal: Not well-formed, against the schema, or for another service.
        """
        try:
            document = parse_xml(text, "xmlString")
            check_schema(self._inner, document)
        except SoapFault as fault:
            raise Refusal(Reason.MALFORMED, fault.text) from fault
        if document.findtext("HEAD/QQFW") != service:
            raise Refusal(Reason.MALFORMED, "HEAD/QQFW differs from serviceCode")
        return document.find("BODY")  # type: ignore[return-value]  # the schema demands it

    def _pull(self, pull: Pull, body: Element) -> str:
        if body.find("YM") is None:
            raise Refusal(Reason.MALFORMED, "a pull service needs GXSJQ, GXSJZ, YM, MYTS")
        try:
            since, until = (clock.from_compact(text_of(body, n)) for n in ("GXSJQ", "GXSJZ"))
        except ValueError as exc:
            raise Refusal(Reason.WINDOW, "GXSJQ or GXSJZ is no such moment") from exc
        window = Window(pull.dataset, *check_window(since, until))
        size = check_page(int(text_of(body, "MYTS")), LARGEST_PAGE, "MYTS")
        page = int(text_of(body, "YM"))
        if page < 1:
            raise Refusal(Reason.PAGE_SIZE, "YM counts from 1")
        rows = self._office.records.page(window, "changed", (page - 1) * size, size)
        head = (
            f"<FHM>0</FHM><FHXX>成功</FHXX><ZJLS>{self._office.records.total(window)}</ZJLS>"
            f"<YM>{page}</YM><MYTS>{size}</MYTS>"
        )
        text = "".join(_row(pull.row_name, json.loads(row)) for row in rows)
        return _bizml(head, f"<{pull.list_name}>{text}</{pull.list_name}>")

    def _push(self, push: Push, body: Element) -> str:
        rows = body.find(push.list_name)
        if rows is None:
            raise Refusal(Reason.MALFORMED, f"this service needs {push.list_name}")
        check_batch(len(rows), LARGEST_BATCH)
        pushed = [_pushed(push, doc_of(row)) for row in rows]
        react = self._on_contract if push.dataset == "sale_contract" else None
        verdicts = self._office.inbox.receive(push.dataset, pushed, push.form.problem, react)
        return _bizml("<FHM>0</FHM><FHXX>成功</FHXX>", _receipts(verdicts))

    def _on_contract(self, row: Pushed) -> None:
        if row.op != DELETE:
            fire(self._office, "sale_contract", str(row.doc["HTBH"]))


def _pushed(push: Push, doc: dict[str, object]) -> Pushed:
    row_guid = str(doc.pop("YWZJ"))
    op = str(doc.pop(push.operation_field, "")) if push.operation_field else "U"
    return Pushed(row_guid, op, doc)


def _row(name: str, doc: dict[str, object]) -> str:
    cells = "".join(
        f"<{key}>{'' if value is None else escape(str(value))}</{key}>"
        for key, value in doc.items()
    )
    return f"<{name}>{cells}</{name}>"


def _receipts(verdicts: Sequence[Verdict]) -> str:
    rows = (
        _row(
            "HZ",
            {
                "YWZJ": verdict.row_guid,
                "JSZT": _ACCEPTANCE[verdict.status],
                "CWDM": verdict.code,
                "CWXX": verdict.message,
                "HZBH": verdict.receipt_no,
            },
        )
        for verdict in verdicts
    )
    return f"<HZLIST>{''.join(rows)}</HZLIST>"


def _bizml(head: str, body: str) -> str:
    return f"<TAXBIZML><HEAD>{head}</HEAD><BODY>{body}</BODY></TAXBIZML>"


def _inner_error(code: str, message: str) -> str:
    head = f"<FHM>{code}</FHM><FHXX>{escape(message)}</FHXX>"
    return f"<TAXBIZML><HEAD>{head}</HEAD><BODY/></TAXBIZML>"


def _answer(code: str, message: str, data: str) -> str:
    return (
        '<ns:doServiceResponse xmlns:ns="http://tax.sandbox.invalid/exchange">'
        f"<ns:responseCode>{code}</ns:responseCode>"
        f"<ns:responseMessage>{escape(message)}</ns:responseMessage>"
        f"<ns:responseData>{escape(data)}</ns:responseData></ns:doServiceResponse>"
    )


def _not_authenticated(text: str) -> SoapFault:
    return SoapFault("wsse:FailedAuthentication", text)
