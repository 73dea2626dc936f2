"""Social insurance: SOAP 1.1 rpc/literal, signed with SM3, personal fields sealed with SM4.

Queries page by row number in key order, which is not change order; one push takes enterprises.
AAC002, AAC003 and AAE135 never leave this server in the clear.
"""

from __future__ import annotations

import json
import time
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox.servers import clock, fields
from sandbox.servers.inbox import Form, Pushed, Verdict
from sandbox.servers.office import Office, check_skew
from sandbox.servers.records import Window
from sandbox.servers.refusals import Reason, Refusal, check_batch, check_page, check_window
from sandbox.servers.signatures import same, sm4_encrypt, social_signature
from sandbox.servers.soap import Dialect, Interface, SoapCall, SoapEndpoint
from sandbox.servers.soap_xml import SoapFault, doc_of, text_of

PATH = "/si/services/InsuranceShare"
NAMESPACE = "urn:si:share"
SKEW_S = 300
LARGEST_PAGE = 2000
LARGEST_BATCH = 500
SEALED_FIELDS = frozenset({"AAC002", "AAC003", "AAE135"})
OK = "1"
CODES = {
    Reason.PAGE_SIZE: "-2",
    Reason.WINDOW: "-3",
    Reason.TOO_MANY_ROWS: "-4",
    Reason.BUSY: "-9",
}
QUERIES = {
    "queryUnits": ("unit_insurance", "UnitRow"),
    "queryPersons": ("person_insurance", "PersonRow"),
    "queryContributions": ("contribution", "ContributionRow"),
}
SUBMIT = "submitEnterprises"
ENTERPRISE = Form(
    ("BAB010", "AAB004", "state"),
    {"BAB010": fields.is_credit_code, "AAE047": fields.is_compact_date},
    required_to_delete=("BAB010",),
)
_RESULT = {"accepted": "1", "duplicate": "2", "rejected": "0"}


class Social:
    """The share service of the social insurance bureau."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._key = bytes.fromhex(str(office.account.extra["field_key"]))
        self._interface = Interface("InsuranceShare.wsdl")
        self._endpoint = SoapEndpoint(
            PATH, self._interface, Dialect("1.1"), self._admit, self._serve
        )

    def routes(self) -> list[BaseRoute]:
        """Return the service's address."""
        return [*self._endpoint.routes()]

    def busy(self, request: Request) -> Response:
        """Answer rtnCode -9; the operation is read off the body."""
        body = getattr(request, "_body", b"")
        names = [name for name in (*QUERIES, SUBMIT) if name.encode() in body]
        name = names[0] if names else "queryUnits"
        return self._endpoint.answer(_refused(name, CODES[Reason.BUSY], "系统繁忙，请稍后"))

    def unauthorised(self, request: Request) -> Response:
        """Answer with the authentication fault."""
        del request
        return self._endpoint.fault(SoapFault("Client.AUTH", "the application is expired"))

    def _admit(self, call: SoapCall) -> None:
        """Check the three signature parts.

        Raises:
            SoapFault: Client.AUTH.
        """
        account = self._office.account
        app_id, timestamp, sign = (
            text_of(call.element, name) for name in ("appId", "timestamp", "sign")
        )
        expected = social_signature(app_id, timestamp, account.password)
        if not same(app_id, account.login) or not same(sign, expected):
            raise SoapFault("Client.AUTH", "application or signature is wrong")
        try:
            check_skew(clock.compact_epoch(timestamp), time.time(), SKEW_S)
        except (ValueError, Refusal) as exc:
            raise SoapFault("Client.AUTH", "the timestamp is malformed or too far off") from exc

    def _serve(self, call: SoapCall) -> str:
        try:
            if call.operation in QUERIES:
                return self._query(call)
            return self._submit(call)
        except Refusal as refusal:
            return _refused(call.operation, CODES.get(refusal.reason, "-1"), refusal.message)

    def _query(self, call: SoapCall) -> str:
        dataset, type_name = QUERIES[call.operation]
        try:
            since, until = (
                clock.from_compact(text_of(call.element, name)) for name in ("startTime", "endTime")
            )
        except ValueError as exc:
            raise Refusal(Reason.WINDOW, "startTime or endTime is no such moment") from exc
        window = Window(dataset, *check_window(since, until))
        count = check_page(int(text_of(call.element, "rowCount")), LARGEST_PAGE, "rowCount")
        start = int(text_of(call.element, "startRow"))
        if start < 1:
            raise Refusal(Reason.PAGE_SIZE, "startRow counts from 1")
        rows = self._office.records.page(window, "key", start - 1, count)
        names = self._interface.fields(type_name)
        text = "".join(self._row(names, json.loads(row)) for row in rows)
        total = self._office.records.total(window)
        return _wrap(
            call.operation,
            f"<rtnCode>{OK}</rtnCode><rtnMsg>成功</rtnMsg><totalCount>{total}</totalCount>"
            f"<rows>{text}</rows>",
        )

    def _row(self, names: tuple[str, ...], doc: dict[str, object]) -> str:
        cells = []
        for name in names:
            value = doc.get(name)
            if value is None:
                continue
            if name in SEALED_FIELDS and value:
                value = sm4_encrypt(self._key, str(value))
            cells.append(f"<{name}>{escape(str(value))}</{name}>")
        return f"<row>{''.join(cells)}</row>"

    def _submit(self, call: SoapCall) -> str:
        items = call.element.find("rows")
        check_batch(0 if items is None else len(items), LARGEST_BATCH)
        rows = []
        for item in items if items is not None else ():
            doc = doc_of(item)
            rows.append(Pushed(str(doc.pop("bizId")), str(doc.pop("op", "")), doc))
        verdicts = self._office.inbox.receive("enterprise", rows, ENTERPRISE.problem)
        results = "".join(_result(verdict) for verdict in verdicts)
        return _wrap(
            SUBMIT,
            f"<rtnCode>{OK}</rtnCode><rtnMsg>成功</rtnMsg><results>{results}</results>",
        )


def _wrap(operation: str, inner: str) -> str:
    return f'<t:{operation}Response xmlns:t="{NAMESPACE}">{inner}</t:{operation}Response>'


def _refused(operation: str, code: str, message: str) -> str:
    """Answer a refusal; every part is present, as rpc demands."""
    rest = "<results/>" if operation == SUBMIT else "<totalCount>0</totalCount><rows/>"
    return _wrap(operation, f"<rtnCode>{code}</rtnCode><rtnMsg>{escape(message)}</rtnMsg>{rest}")


def _result(verdict: Verdict) -> str:
    return (
        f"<result><bizId>{escape(verdict.row_guid)}</bizId>"
        f"<resultCode>{_RESULT[verdict.status]}</resultCode>"
        f"<receiptNo>{verdict.receipt_no}</receiptNo><errCode>{verdict.code}</errCode>"
        f"<errMsg>{escape(verdict.message)}</errMsg></result>"
    )
