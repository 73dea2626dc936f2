"""SOAP framing for three departments: envelopes in, envelopes and faults out.

Versions 1.1 and 1.2, document and rpc style, any declared charset. The WSDL file is the one truth:
it is served, and every request is checked against its own XSD. XML is read hardened: no DTD, no
entities, no network, a size cap. A fault names the place and the rule, never a value.
Signatures and business are the departments' own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.servers.soap_xml import Element, SoapFault, check_schema, parse_xml

WSDL_DIR = Path(__file__).parent / "wsdl"
ENVELOPE_11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"
_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_XS = "{http://www.w3.org/2001/XMLSchema}"
_DECLARED = re.compile(r"^\ufeff?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")
LARGEST_BODY = 20_000_000  # bytes; a batch of 500 rows is below 1 MB


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one department speaks: the SOAP version decides namespace and media type."""

    version: Literal["1.1", "1.2"]
    charset: str = "UTF-8"

    @property
    def namespace(self) -> str:
        """Namespace of the envelope."""
        return ENVELOPE_11 if self.version == "1.1" else ENVELOPE_12

    @property
    def media_type(self) -> str:
        """Content type of requests and answers."""
        return "text/xml" if self.version == "1.1" else "application/soap+xml"


@dataclass(frozen=True, slots=True)
class SoapCall:
    """One parsed request."""

    operation: str
    element: Element
    header: Element | None
    body: bytes
    request: Request


class Interface:
    """A WSDL file: what is served, and the XSD that requests must obey."""

    def __init__(self, file_name: str) -> None:
        self._text = (WSDL_DIR / file_name).read_bytes()
        root = etree.fromstring(self._text)
        self.namespace = str(root.get("targetNamespace"))
        schema = root.find(f".//{_XS}schema")
        if schema is None:
            raise ValueError(f"{file_name}: the WSDL has no schema; it cannot check requests")
        # Written and read again: a copied element would lose the prefixes of its ancestors.
        self._schema_root = etree.fromstring(etree.tostring(schema))
        self._fields: dict[str, tuple[str, ...]] = {}
        names = [
            str(op.get("name")) for op in root.iterfind(f".//{_WSDL}portType/{_WSDL}operation")
        ]
        self.operations = frozenset(names)
        if root.find(".//{http://schemas.xmlsoap.org/wsdl/soap/}binding[@style='rpc']") is not None:
            self._add_rpc_wrappers(root)
        self._schema = etree.XMLSchema(self._schema_root)
        address = root.find(f".//{_WSDL}port/*[@location]")
        self._location = str(address.get("location")) if address is not None else ""

    def _add_rpc_wrappers(self, root: Element) -> None:
        """Give each rpc operation the wrapper element that its message parts describe."""
        for operation in sorted(self.operations):
            wrapper = etree.SubElement(self._schema_root, f"{_XS}element", name=operation)
            kind = etree.SubElement(wrapper, f"{_XS}complexType")
            sequence = etree.SubElement(kind, f"{_XS}sequence")
            for part in root.iterfind(f"{_WSDL}message[@name='{operation}Request']/{_WSDL}part"):
                etree.SubElement(
                    sequence,
                    f"{_XS}element",
                    name=str(part.get("name")),
                    type=str(part.get("type")),
                )

    def served(self, location: str) -> bytes:
        """Return the WSDL with the address under which the caller reached it."""
        return self._text.replace(self._location.encode(), escape(location).encode())

    def fields(self, type_name: str) -> tuple[str, ...]:
        """Name the elements of a complex type in schema order.

        Raises:
            KeyError: The WSDL has no such type.
        """
        if type_name not in self._fields:
            path = f"{_XS}complexType[@name='{type_name}']/{_XS}sequence/{_XS}element"
            names = tuple(str(item.get("name")) for item in self._schema_root.iterfind(path))
            if not names:
                raise KeyError(type_name)
            self._fields[type_name] = names
        return self._fields[type_name]

    def check(self, element: Element) -> None:
        """Check a request element against the WSDL's XSD.

        Raises:
            SoapFault: It does not obey.
        """
        check_schema(self._schema, element)


class SoapEndpoint:
    """One SOAP address: serves its WSDL, reads calls, hands them on, dresses answers."""

    def __init__(
        self,
        path: str,
        interface: Interface,
        dialect: Dialect,
        admit: Callable[[SoapCall], None],
        handle: Callable[[SoapCall], str],
        *,
        understood: frozenset[str] = frozenset(),
    ) -> None:
        self.path = path
        self.interface = interface
        self.dialect = dialect
        self._admit = admit
        self._handle = handle
        self._understood = understood

    def routes(self) -> list[Route]:
        """Return the two routes of this address."""
        return [
            Route(self.path, self._get, methods=["GET"]),
            Route(self.path, self._post, methods=["POST"]),
        ]

    async def _get(self, request: Request) -> Response:
        if request.url.query.lower() != "wsdl":
            return Response("only ?wsdl answers to GET\n", 405, media_type="text/plain")
        location = f"{request.url.scheme}://{request.url.netloc}{self.path}"
        return Response(self.interface.served(location), media_type="text/xml")

    async def _post(self, request: Request) -> Response:
        body = await request.body()
        try:
            call = self._read(request, body)
            self._admit(call)
            self._require_known(call)
            self.interface.check(call.element)
            return self.answer(self._handle(call))
        except SoapFault as fault:
            return self.fault(fault)

    def _read(self, request: Request, body: bytes) -> SoapCall:
        """Read an envelope.

        Raises:
            SoapFault: Wrong media type, charset, version or form.
        """
        text = self._decode(request.headers.get("content-type", ""), body)
        envelope = parse_xml(text)
        if envelope.tag != f"{{{self.dialect.namespace}}}Envelope":
            raise SoapFault("VersionMismatch", f"this address speaks SOAP {self.dialect.version}")
        header = envelope.find(f"{{{self.dialect.namespace}}}Header")
        self._require_understood(header)
        content = envelope.find(f"{{{self.dialect.namespace}}}Body")
        if content is None or len(content) != 1:
            raise SoapFault("Client", "the envelope needs a Body with exactly one element")
        name = etree.QName(content[0]).localname
        request.scope["sandbox.service"] = name
        return SoapCall(name, content[0], header, body, request)

    def _require_understood(self, header: Element | None) -> None:
        for block in header if header is not None else ():
            demanded = block.get(f"{{{self.dialect.namespace}}}mustUnderstand") in {"1", "true"}
            if demanded and etree.QName(block).localname not in self._understood:
                raise SoapFault("MustUnderstand", "a header block is not understood here")

    def _decode(self, content_type: str, body: bytes) -> str:
        media_type, _, parameters = content_type.partition(";")
        if media_type.strip().lower() != self.dialect.media_type:
            text = f"expected content type {self.dialect.media_type}"
            raise SoapFault("Client", text, status=415)
        charset = re.search(r"charset\s*=\s*\"?([A-Za-z0-9._-]+)", parameters, re.IGNORECASE)
        ours = self.dialect.charset
        if (charset.group(1) if charset else "UTF-8").upper() != ours:
            raise SoapFault("Client", f"expected charset {ours} in the content type", status=415)
        if len(body) > LARGEST_BODY:
            raise SoapFault("Client", "the request is too big", status=413)
        try:
            text = body.decode(ours)
        except UnicodeDecodeError as exc:
            raise SoapFault("Client", f"the body is not {ours}") from exc
        declared = _DECLARED.match(text)
        if declared and declared.group(1).upper() != ours:
            raise SoapFault("Client", f"the XML declaration names a charset other than {ours}")
        return text

    def _require_known(self, call: SoapCall) -> None:
        expected = f"{{{self.interface.namespace}}}{call.operation}"
        if call.operation not in self.interface.operations or call.element.tag != expected:
            raise SoapFault("Client", "the WSDL has no such operation")

    def answer(self, inner: str, status: int = 200) -> Response:
        """Wrap body content into an envelope."""
        charset = self.dialect.charset
        text = (
            f'<?xml version="1.0" encoding="{charset}"?>\n'
            f'<soap:Envelope xmlns:soap="{self.dialect.namespace}"><soap:Body>'
            f"{inner}</soap:Body></soap:Envelope>"
        )
        content_type = f"{self.dialect.media_type}; charset={charset}"
        return Response(text.encode(charset), status, headers={"content-type": content_type})

    def fault(self, fault: SoapFault) -> Response:
        """Answer with a fault; HTTP 500 also for the caller's mistakes, as CXF and Axis do."""
        if self.dialect.version == "1.1":
            inner = _fault_11(fault)
        else:
            inner = _fault_12(fault, self.interface.namespace)
        return self.answer(inner, fault.status)


def _fault_11(fault: SoapFault) -> str:
    plain = fault.code in {"Client", "Server", "VersionMismatch", "MustUnderstand"}
    code = f"soap:{fault.code}" if plain else fault.code
    wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    scope = f' xmlns:wsse="{wsse}"' if code.startswith("wsse:") else ""
    return (
        f"<soap:Fault{scope}><faultcode>{code}</faultcode>"
        f"<faultstring>{escape(fault.text)}</faultstring></soap:Fault>"
    )


def _fault_12(fault: SoapFault, namespace: str) -> str:
    code = {"Client": "Sender", "Server": "Receiver"}.get(fault.code, fault.code)
    subcode = ""
    if fault.subcode:
        subcode = f"<soap:Subcode><soap:Value>own:{fault.subcode}</soap:Value></soap:Subcode>"
    return (
        f'<soap:Fault xmlns:own="{namespace}"><soap:Code><soap:Value>soap:{code}</soap:Value>'
        f'{subcode}</soap:Code><soap:Reason><soap:Text xml:lang="zh-CN">{escape(fault.text)}'
        "</soap:Text></soap:Reason></soap:Fault>"
    )
