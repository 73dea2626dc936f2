"""SOAP 1.1 and 1.2: envelopes out, envelopes and faults in.

Document and rpc style, literal and encoded. The request is built from the pinned WSDL; the answer
is parsed by our own hardened reader in the declared charset, and the first element of its Body is
the document that success layers and record paths are relative to.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lxml import etree

from connectors.answers import broken_server, check_rest, refusal
from connectors.documents import Document
from connectors.drafts import Answer, Draft
from connectors.errors import AnswerNoEnvelope
from connectors.protocols.attachments import is_package, put_references, unpack
from connectors.protocols.bulk import has_controls
from connectors.protocols.maps import has_maps, open_maps
from connectors.protocols.multiref import resolve_references
from connectors.protocols.packages import write_package
from connectors.protocols.pages import parse_page
from connectors.protocols.shapes import Shape
from connectors.protocols.wsdl import ENVELOPES, Description
from connectors.protocols.xmldoc import (
    Element,
    XmlDocument,
    decoded,
    local,
    looks_like_html,
    parse_xml,
    to_utf8,
)
from connectors.templates import fill
from tongban.kernel.errors import ConfigInvalid, TongbanError
from tongban.kernel.interfaces import (
    Call,
    Interface,
    Soap,
)

# WS-Security 1.0, section 12, and its UsernameToken profile: what refused identities are called.
_AUTHENTICATION = frozenset(
    {
        "FailedAuthentication",
        "FailedCheck",
        "InvalidSecurity",
        "InvalidSecurityToken",
        "MessageExpired",
        "SecurityTokenUnavailable",
        "UnsupportedSecurityToken",
    }
)
_SERVER = frozenset({"Server", "Receiver"})
_TRUE = {"1.1": "1", "1.2": "true"}  # SOAP 1.1 knows only 0 and 1
_NAME = re.compile(r"^[\w.:-]{1,60}$")


class SoapProtocol:
    """Speaks SOAP as the pinned WSDL says."""

    def __init__(self, system: str, base_url: str, folder: Path) -> None:
        self._system = system
        self._base_url = base_url
        self._folder = folder
        self._descriptions: dict[str, Description] = {}

    def _description(self, soap: Soap) -> Description:
        key = f"{soap.wsdl}|{soap.service}|{soap.port}"
        if key not in self._descriptions:
            self._descriptions[key] = Description(self._folder, soap, self._system)
        return self._descriptions[key]

    def draft(
        self, call: Call, interface: Interface, values: dict[str, Any], *, writes: bool
    ) -> Draft:
        """Fill a call's templates and set the headers of its SOAP version."""
        soap, operation = _soap_of(interface), call.operation or ""
        action = self._description(soap).action(operation)
        draft = Draft(
            what=operation,
            method="POST",
            url=self._base_url + interface.path + call.path,
            headers=dict(interface.headers),
            message=fill(call.body or {}, values),
            writes=writes,
            written_as=call.send_as,
        )
        if soap.version == "1.1":
            draft.headers["Content-Type"] = f"text/xml; charset={interface.charset}"
            draft.headers["SOAPAction"] = f'"{action}"'
        else:
            suffix = f'; action="{action}"' if action else ""
            kind = f"application/soap+xml; charset={interface.charset}{suffix}"
            draft.headers["Content-Type"] = kind
        return draft

    def serialize(self, draft: Draft, interface: Interface) -> None:
        """Build the envelope and write it in the interface's charset."""
        soap = _soap_of(interface)
        envelope = self._description(soap).envelope(draft.what, draft.message or {})
        namespace = ENVELOPES[soap.version]
        if envelope.tag != f"{{{namespace}}}Envelope":
            raise ConfigInvalid(
                f"{self._system}: connectors/wsdl/{soap.wsdl} binds another SOAP version than "
                f"{soap.version}; correct `version` or name the other `port`",
                system=self._system,
            )
        if draft.soap_headers:
            header = envelope.find(f"{{{namespace}}}Header")
            if header is None:
                header = etree.Element(f"{{{namespace}}}Header")
                envelope.insert(0, header)
            for element in draft.soap_headers:
                if element.tag in draft.understood:
                    element.set(f"{{{namespace}}}mustUnderstand", _TRUE[soap.version])
                header.append(element)
        taken = []
        if draft.written_as == "mtom":
            taken = self._description(soap).attachments(draft.what, envelope)
        text = etree.tostring(envelope, encoding="unicode")
        declaration = f'<?xml version="1.0" encoding="{interface.charset}"?>\n'
        draft.body = (declaration + str(text)).encode(interface.charset, "xmlcharrefreplace")
        if draft.written_as == "mtom":
            kind = draft.headers["Content-Type"]
            draft.body, kind = write_package(draft.body, taken, kind, interface.charset)
            draft.headers["Content-Type"] = kind

    def read(self, answer: Answer, draft: Draft, interface: Interface, where: str) -> Document:
        """Give the first element of the Body.

        Raises:
            TongbanError: A fault by its code, an HTTP status, or no SOAP at all.
        """
        if looks_like_html(answer.body) or (answer.status >= 400 and not _is_xml(answer)):  # noqa: PLR2004 - HTTP
            check_rest(answer, draft, where)
        return read_envelope(answer.body, interface, where, answer.status, writes=draft.writes)


def read_envelope(
    body: bytes, interface: Interface, where: str, status: int, *, writes: bool
) -> XmlDocument:
    """Parse an envelope, whatever its version, and give the first element of its Body.

    MIME packages are opened, references of SOAP encoding are resolved, attachments become
    references of ours.

    Raises:
        TongbanError: It is no envelope, or it carries a fault.
    """
    xml, attachments = unpack(body, where) if is_package(body) else (body, {})
    page = parse_xml(to_utf8(xml, interface.charset, where), where)
    content = _content(page.element, where, status, writes=writes)
    has_any = b"href" in xml or b":ref" in xml
    answer = resolve_references(content, where) if has_any else next(iter(content), None)
    put_references(page.element, attachments, where)
    if has_maps(xml):
        open_maps(content)
    return page.rooted(_answer(answer, interface, where, writes=writes))


def read_page_envelope(
    body: bytes, interface: Interface, where: str, record: str, declared: Shape | None
) -> XmlDocument:
    """Parse an envelope that is read once, by `columns`; see `parse_page`.

    Raises:
        TongbanError: It is no envelope, or it carries a fault.
    """
    page = None
    if not is_package(body) and not has_controls(body) and not has_maps(body):
        page = parse_page(decoded(body, interface.charset, where), where, record, declared)
    if page is None:
        return read_envelope(body, interface, where, 200, writes=False)
    content = _content(page.element, where, 200, writes=False)
    put_references(page.element, {}, where)
    return page.rooted(_answer(next(iter(content), None), interface, where, writes=False))


def _content(root: Element, where: str, status: int, *, writes: bool) -> Element:
    """Give the Body of an envelope."""
    if local(root.tag) == "Envelope":
        for part in root:
            if local(part.tag) == "Body":
                return part
    if status >= 500:  # noqa: PLR2004 - HTTP
        raise broken_server(f"{where}: HTTP {status}", writes=writes)
    raise AnswerNoEnvelope(f"{where}: the answer is no SOAP envelope with a Body")


def _answer(first: Element | None, interface: Interface, where: str, *, writes: bool) -> Element:
    """Refuse an empty Body and a fault."""
    if first is None:
        raise AnswerNoEnvelope(f"{where}: the SOAP Body is empty")
    if local(first.tag) == "Fault":
        raise fault_error(first, interface, where, writes=writes)
    return first


def fault_error(fault: Element, interface: Interface, where: str, *, writes: bool) -> TongbanError:
    """Map a fault by its codes, the most specific declared one first.

    A server-side fault of a writing call is unclear: nobody says how far the server came.
    """
    codes = _fault_codes(fault)
    path = interface.soap.fault_code if interface.soap is not None else None
    if path is not None:
        codes = _detail_codes(fault, path) + codes
    shown = next((code for code in codes if _NAME.match(code)), "unnamed")
    for code in codes:
        meaning = interface.faults.get(code) or interface.faults.get(code.rpartition(":")[2])
        if meaning is not None and meaning != "empty":
            return refusal(meaning, code, where, status=0, writes=writes, path="fault")
    names = {code.rpartition(":")[2] for code in codes}
    if names & _AUTHENTICATION:
        return refusal("authentication", shown, where, status=0, writes=writes, path="fault")
    if {name.partition(".")[0] for name in names} & _SERVER:
        return broken_server(f"{where}: SOAP fault {shown}", writes=writes)
    return refusal("refused", shown, where, status=0, writes=writes, path="fault")


def _fault_codes(fault: Element) -> list[str]:
    """Give the codes of a 1.1 or 1.2 fault, subcodes first."""
    codes: list[str] = []
    for element in fault.iter():
        name = local(element.tag)
        inside_code = name == "Value" and any(
            local(parent.tag) in {"Code", "Subcode"} for parent in element.iterancestors()
        )
        if (name == "faultcode" or inside_code) and element.text:
            codes.insert(0, element.text.strip())
    return codes


def _detail_codes(fault: Element, path: str) -> list[str]:
    """Give the department's own code, which it puts into the fault's detail."""
    details = [e for e in fault if local(e.tag) in {"detail", "Detail"}]
    texts = [XmlDocument(detail, "").text(path) for detail in details]
    return [text.strip() for text in texts if text and text.strip()]


def _is_xml(answer: Answer) -> bool:
    head = answer.body[:64].lstrip()
    return head[:1] == b"<" or head[:3] == b"\xef\xbb\xbf" or is_package(answer.body)


def _soap_of(interface: Interface) -> Soap:
    if interface.soap is None:
        raise ConfigInvalid("a SOAP call needs an interface with `soap`")
    return interface.soap
