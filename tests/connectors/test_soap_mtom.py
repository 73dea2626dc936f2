"""MTOM out: base64 values travel as parts, and a server that knows no helper of ours reads them."""

from __future__ import annotations

import base64
import email
import email.policy
import xml.etree.ElementTree as ET  # noqa: S405 - our own requests

import pytest

from connectors import check_declared, open_connector
from tests.connectors.serving import FakeClock, Reply, serving
from tests.connectors.test_soap_wild import wsdl
from tests.connectors.test_soap_wire import ENV11, XML, declare
from tongban.kernel.connections import Connection
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import OutgoingRecord
from tongban.kernel.systems import System

ELEMENTS = """
  <x:element name="ask"><x:complexType><x:sequence><x:element name="doc" maxOccurs="unbounded">
    <x:complexType><x:sequence><x:element name="id" type="x:string"/>
     <x:element name="scan" type="x:base64Binary" minOccurs="0"/></x:sequence></x:complexType>
  </x:element></x:sequence></x:complexType></x:element>
  <x:element name="told"><x:complexType><x:sequence><x:any maxOccurs="unbounded"
   processContents="lax"/></x:sequence></x:complexType></x:element>"""
ACCEPTS = {
    "call": {"operation": "ask", "body": {"doc": "{records}"}, "send_as": "mtom"},
    "batch": 5,
    "record": {"id": "{guid}", "...": "{data}"},
    "answers": {
        "records": "r",
        "guid": "id",
        "accepted": {"path": "s", "equals": "ok"},
        "rejected": {"path": "s", "equals": "no"},
    },
}
SCANS = {"g0": b"\x00\xff--tongban\r\n\r\n", "g1": bytes(range(256)) * 40}


def mtom_system(folder, **accepts) -> System:
    """Declare a system that takes scans."""
    home = folder / "connectors" / "wsdl"
    home.mkdir(parents=True, exist_ok=True)
    (home / "w.wsdl").write_text(wsdl(ELEMENTS), encoding="utf-8")
    dataset = {"call": {"operation": "ask", "body": {}}, "records": "r"}
    declared = declare(folder, "w.wsdl", dataset).model_dump(exclude_unset=True)
    return System.model_validate({**declared, "accepts": {"scan": {**ACCEPTS, **accepts}}})


def push(system: System, url: str, root, records):
    """Send one batch."""
    connection = Connection("office", url, "hub", "open-sesame", {})
    with open_connector(system, connection, root, clock=FakeClock()) as connector:
        return connector.send("scan", records)


def receive(request) -> tuple[ET.Element, dict[str, bytes], str]:
    """Take a package apart with the mail reader of the standard library."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    root, *parts = message.iter_parts()
    assert message.get_param("start") == root["Content-ID"]
    assert "application/xop+xml" == root.get_content_type() == message.get_param("type")
    named = {part["Content-ID"].strip("<>"): part.get_payload(decode=True) for part in parts}
    return ET.fromstring(root.get_payload(decode=True)), named, message.get_param("start-info")  # noqa: S314


def test_scans_travel_as_parts_and_arrive_byte_for_byte(tmp_path):
    """One part for each record that has one; the XML holds includes only."""
    arrived: dict[str, bytes | None] = {}

    def serve(request) -> Reply:
        envelope, parts, kind = receive(request)
        assert "text/xml" == kind
        answers = ""
        for doc in envelope.iter("{urn:w}doc"):
            include = doc.find("{urn:w}scan/{http://www.w3.org/2004/08/xop/include}Include")
            name = doc.findtext("{urn:w}id")
            arrived[name] = (
                None if include is None else parts[include.get("href").removeprefix("cid:")]
            )
            answers += f"<r><id>{name}</id><s>ok</s></r>"
        told = f'<told xmlns="urn:w">{answers}</told>'
        body = f'<e:Envelope xmlns:e="{ENV11}"><e:Body>{told}</e:Body></e:Envelope>'
        return 200, XML, body.encode()

    records = [
        OutgoingRecord(name, "I", 1, "d", {"scan": base64.b64encode(scan).decode()})
        for name, scan in SCANS.items()
    ]
    records.append(OutgoingRecord("g2", "I", 1, "d", {}))
    with serving(serve) as server:
        receipts = push(mtom_system(tmp_path), server.url, tmp_path, records)
        again = push(mtom_system(tmp_path), server.url, tmp_path, records)
        bodies = [request.body for request in server.asked]

    assert {**SCANS, "g2": None} == arrived
    assert ["accepted"] * 3 == [r.outcome for r in receipts] == [r.outcome for r in again]
    assert bodies[0] == bodies[1]


def test_the_same_values_travel_inline_when_nothing_is_declared(tmp_path):
    """A base64 text is not encoded twice."""
    call = {"operation": "ask", "body": {"doc": "{records}"}}
    seen = []

    def serve(request) -> Reply:
        seen.append(ET.fromstring(request.body).findtext(".//{urn:w}scan"))  # noqa: S314 - our own
        told = '<told xmlns="urn:w"><r><id>g</id><s>ok</s></r></told>'
        return (
            200,
            XML,
            f'<e:Envelope xmlns:e="{ENV11}"><e:Body>{told}</e:Body></e:Envelope>'.encode(),
        )

    with serving(serve) as server:
        record = OutgoingRecord("g", "I", 1, "d", {"scan": "AAEC"})
        push(mtom_system(tmp_path, call=call), server.url, tmp_path, [record])

    assert ["AAEC"] == seen


def test_a_scan_that_is_no_base64_is_refused_before_anything_is_sent(tmp_path):
    """Named by its path, never by its value."""
    record = OutgoingRecord("g", "I", 1, "d", {"scan": "not base64!"})
    with (
        serving(lambda _: (200, XML, b"")) as server,
        pytest.raises(ConfigInvalid, match=r"doc\.scan") as caught,
    ):
        push(mtom_system(tmp_path), server.url, tmp_path, [record])

    assert [] == server.asked
    assert "not base64" not in str(caught.value)


def test_a_package_under_a_signature_over_the_envelope_is_refused(tmp_path):
    """The signature would be over other bytes than those that travel."""
    declared = mtom_system(tmp_path).model_dump(exclude_unset=True)
    declared["interfaces"]["s"]["auth"] = [{"kind": "ws_security_x509"}]

    with pytest.raises(ConfigInvalid, match="mtom cannot be signed"):
        check_declared(System.model_validate(declared))
