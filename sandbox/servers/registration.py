"""Real-estate registration: SOAP 1.2, typed, signed with RSA-SHA256 in HTTP headers.

Queries page by an opaque cursor in change-time order; pushes take sale contracts and tax payments.
When both the contract and its deed tax are accepted, the new right that waited for them appears
and the old one becomes history.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox.servers import clock, fields
from sandbox.servers.inbox import DELETE, Form, Pushed, Verdict
from sandbox.servers.office import Office, read_number
from sandbox.servers.reactions import fire
from sandbox.servers.records import Window
from sandbox.servers.refusals import Reason, Refusal, check_batch, check_page, check_window
from sandbox.servers.signatures import load_private_key, registration_text, rsa_matches, same
from sandbox.servers.soap import Dialect, Interface, SoapCall, SoapEndpoint
from sandbox.servers.soap_xml import SoapFault, doc_of, text_of

PATH = "/bdc/services/ShareService"
NAMESPACE = "urn:bdc:share:v2"
SKEW_S = 180
LARGEST_PAGE = 500
LARGEST_BATCH = 200
DEED_TAX = "10119"  # SZDM
CODES = {
    Reason.MALFORMED: "400",
    Reason.PAGE_SIZE: "4001",
    Reason.WINDOW: "4002",
    Reason.CURSOR: "4003",
    Reason.TOO_MANY_ROWS: "4004",
    Reason.BUSY: "503",
}
QUERIES = {
    "QueryRights": ("real_estate_right", "FDCQ_YZ"),
    "QueryMortgages": ("mortgage", "DYAQ"),
    "QueryRightStatus": ("right_status", "QLZT"),
}
_BOOLEAN = fields.one_of("true", "false", "1", "0")


@dataclass(frozen=True, slots=True)
class Submission:
    """One push operation: what it takes and the demanded form."""

    dataset: str
    list_name: str
    form: Form


SUBMISSIONS = {
    "SubmitContracts": Submission(
        "sale_contract",
        "Contracts",
        Form(
            ("HTBH", "BDCDYH", "CJJG", "QDSJ", "BASJ", "Parties"),
            {"BDCDYH": fields.is_unit_no},
            required_to_delete=("HTBH",),
        ),
    ),
    "SubmitTaxPayments": Submission(
        "deed_tax_payment",
        "Payments",
        Form(
            ("HTBH", "BDCDYH", "SZDM", "PaidOrExempt"),
            {"BDCDYH": fields.is_unit_no, "PaidOrExempt": _BOOLEAN},
            required_to_delete=("HTBH",),
        ),
    ),
}


class Registration:
    """The share service of the registration office."""

    def __init__(self, office: Office) -> None:
        self._office = office
        key_file = Path(str(office.account.extra.get("private_key_file", "")))
        if not key_file.is_absolute():
            key_file = office.state_dir / key_file
        # A real office holds only the public half; the sandbox derives it from the hub's file.
        self._public_key = load_private_key(key_file.read_bytes()).public_key()
        office.connection.execute(
            "CREATE INDEX IF NOT EXISTS accepted_contract"
            " ON accepted(dataset, json_extract(doc, '$.HTBH'))"
        )
        self._interface = Interface("ShareService.wsdl")
        self._endpoint = SoapEndpoint(
            PATH, self._interface, Dialect("1.2"), self._admit, self._serve
        )

    def routes(self) -> list[BaseRoute]:
        """Return the service's address."""
        return [*self._endpoint.routes()]

    def busy(self, request: Request) -> Response:
        """Answer Code 503 in a normal answer; the operation is read off the body."""
        body = getattr(request, "_body", b"")
        names = [name for name in (*QUERIES, *SUBMISSIONS) if name.encode() in body]
        name = names[0] if names else "QueryRights"
        return self._endpoint.answer(_refused(name, CODES[Reason.BUSY], "系统繁忙，请稍后"))

    def unauthorised(self, request: Request) -> Response:
        """Answer with the authentication fault."""
        del request
        return self._endpoint.fault(_not_authenticated("the application is expired"))

    def _admit(self, call: SoapCall) -> None:
        """Check the four signature headers.

        Raises:
            SoapFault: Sender with subcode FailedAuthentication.
        """
        headers = call.request.headers
        app_id, timestamp, nonce, signature = (
            headers.get(f"x-bdc-{name}", "")
            for name in ("appid", "timestamp", "nonce", "signature")
        )
        signed = registration_text(app_id, timestamp, nonce, call.body)
        if not same(app_id, self._office.account.login) or not rsa_matches(
            self._public_key, signed, signature
        ):
            raise _not_authenticated("application or signature is wrong")
        try:
            moment = read_number(timestamp, "X-BDC-Timestamp")
            self._office.admit_once(nonce, moment, time.time(), SKEW_S)
        except Refusal as refusal:
            raise _not_authenticated(refusal.message) from refusal

    def _serve(self, call: SoapCall) -> str:
        try:
            if call.operation in QUERIES:
                return self._query(call)
            return self._submit(call)
        except Refusal as refusal:
            return _refused(call.operation, CODES.get(refusal.reason, "400"), refusal.message)

    def _query(self, call: SoapCall) -> str:
        dataset, row_name = QUERIES[call.operation]
        element = call.element
        try:
            since, until = (clock.from_iso(text_of(element, name)) for name in ("since", "until"))
        except ValueError as exc:  # XSD knows more moments than the calendar, 24:00:00 for one
            raise Refusal(Reason.WINDOW, "since or until is no such moment") from exc
        window = Window(dataset, *check_window(since, until))
        limit = check_page(int(text_of(element, "limit")), LARGEST_PAGE, "limit")
        cursor = text_of(element, "cursor") or None
        rows, following = self._office.records.page_after(window, cursor, limit)
        text = "".join(self._row(row_name, f"{row_name}Type", json.loads(row)) for row in rows)
        after = f"<t:NextCursor>{following}</t:NextCursor>" if following else ""
        return _wrap(
            call.operation,
            "<t:Code>200</t:Code><t:Message>成功</t:Message>"
            f"<t:Total>{self._office.records.total(window)}</t:Total>"
            f"<t:HasMore>{'true' if following else 'false'}</t:HasMore>{after}"
            f"<t:Records>{text}</t:Records>",
        )

    def _row(self, name: str, type_name: str, doc: Mapping[str, object]) -> str:
        """Write a document in the order of its schema type; None is left out."""
        cells: list[str] = []
        for key in self._interface.fields(type_name):
            value = doc.get(key)
            if isinstance(value, list):
                inner = "".join(self._row("QLR", "QLRType", item) for item in value)
                cells.append(f"<t:{key}>{inner}</t:{key}>")
            elif value is not None:
                cells.append(f"<t:{key}>{escape(str(value))}</t:{key}>")
        return f"<t:{name}>{''.join(cells)}</t:{name}>"

    def _submit(self, call: SoapCall) -> str:
        submission = SUBMISSIONS[call.operation]
        items = call.element[0]
        check_batch(len(items), LARGEST_BATCH)
        rows = []
        for item in items:
            doc = doc_of(item)
            rows.append(Pushed(str(doc.pop("BizId")), str(doc.pop("Op", "")), doc))
        verdicts = self._office.inbox.receive(
            submission.dataset, rows, submission.form.problem, self._on_accepted
        )
        receipts = "".join(_receipt(verdict) for verdict in verdicts)
        return _wrap(
            call.operation,
            f"<t:Code>200</t:Code><t:Message>成功</t:Message><t:Receipts>{receipts}</t:Receipts>",
        )

    def _on_accepted(self, row: Pushed) -> None:
        """Register the sale once the contract and its deed tax are both here."""
        contract_no = str(row.doc["HTBH"])
        if row.op != DELETE and self._has_contract(contract_no) and self._is_paid(contract_no):
            fire(self._office, "contract+tax", contract_no)

    def _has_contract(self, contract_no: str) -> bool:
        sql = (
            "SELECT 1 FROM accepted WHERE dataset='sale_contract' AND op<>'D'"
            " AND json_extract(doc, '$.HTBH')=?"
        )
        return self._office.connection.execute(sql, (contract_no,)).fetchone() is not None

    def _is_paid(self, contract_no: str) -> bool:
        sql = (
            "SELECT 1 FROM accepted WHERE dataset='deed_tax_payment' AND op<>'D'"
            " AND json_extract(doc, '$.HTBH')=? AND json_extract(doc, '$.SZDM')=?"
            " AND json_extract(doc, '$.PaidOrExempt') IN ('true', '1')"
        )
        values = (contract_no, DEED_TAX)
        return self._office.connection.execute(sql, values).fetchone() is not None


def _wrap(operation: str, inner: str) -> str:
    return f'<t:{operation}Response xmlns:t="{NAMESPACE}">{inner}</t:{operation}Response>'


def _refused(operation: str, code: str, message: str) -> str:
    inner = f"<t:Code>{code}</t:Code><t:Message>{escape(message)}</t:Message>"
    return _wrap(operation, inner)


def _receipt(verdict: Verdict) -> str:
    number = f"<t:ReceiptNo>{verdict.receipt_no}</t:ReceiptNo>" if verdict.receipt_no else ""
    taken = "false" if verdict.status == "rejected" else "true"
    again = "true" if verdict.status == "duplicate" else "false"
    code = verdict.code or "200"
    return (
        f"<t:Receipt><t:BizId>{escape(verdict.row_guid)}</t:BizId><t:Accepted>{taken}</t:Accepted>"
        f"<t:Duplicate>{again}</t:Duplicate>{number}<t:Code>{code}</t:Code>"
        f"<t:Message>{escape(verdict.message)}</t:Message></t:Receipt>"
    )


def _not_authenticated(text: str) -> SoapFault:
    return SoapFault("Client", text, subcode="FailedAuthentication")
