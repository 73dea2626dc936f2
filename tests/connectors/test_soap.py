"""SOAP against real servers with interfaces of their own: styles, faults, pinned WSDLs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors import open_connector
from tests.connectors.serving import ALL, FakeClock, answers, serving
from tongban.kernel.connections import Connection
from tongban.kernel.errors import (
    AnswerUnreadable,
    AuthenticationRefused,
    ConfigInvalid,
    DeliveryUnclear,
    InterfaceChanged,
    SystemRefused,
    SystemUnavailable,
)
from tongban.kernel.records import OutgoingRecord, RecordShape
from tongban.kernel.systems import System

ENV11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENV12 = "http://www.w3.org/2003/05/soap-envelope"
XML = {"Content-Type": "text/xml"}

TYPES = """
  <xs:element name="findMarriages"><xs:complexType><xs:sequence>
    <xs:element name="from" type="xs:dateTime"/>
    <xs:element name="mark" type="xs:string" minOccurs="0"/>
    <xs:element name="most" type="xs:int"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="findMarriagesResponse"><xs:complexType><xs:sequence>
    <xs:any processContents="lax" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="putNotices"><xs:complexType><xs:sequence>
    <xs:element name="notice" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="id" type="xs:string"/>
      <xs:element name="amount" type="xs:decimal" minOccurs="0"/>
      <xs:element name="note" type="xs:string" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="putNoticesResponse"><xs:complexType><xs:sequence>
    <xs:any processContents="lax" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element>
"""


def wsdl(version: str = "1.1", style: str = "document", *, imports: str = "") -> str:
    """Write the WSDL of a civil affairs service that the sandbox does not have."""
    soap = "soap" if version == "1.1" else "soap12"
    names = ("findMarriages", "putNotices")
    if style == "document":
        messages = "".join(
            f'<w:message name="{n}{s}"><w:part name="p" element="t:{n}{s}"/></w:message>'
            for n in names
            for s in ("", "Response")
        )
        body = f'<{soap}:body use="literal"/>'
    else:
        messages = """
          <w:message name="findMarriages"><w:part name="from" type="xs:dateTime"/>
            <w:part name="mark" type="xs:string"/><w:part name="most" type="xs:int"/></w:message>
          <w:message name="putNotices"><w:part name="note" type="xs:string"/></w:message>
          <w:message name="findMarriagesResponse"/><w:message name="putNoticesResponse"/>"""
        body = f'<{soap}:body use="literal" namespace="urn:civil"/>'
    ports = "".join(
        f'<w:operation name="{n}"><w:input message="t:{n}"/>'
        f'<w:output message="t:{n}Response"/></w:operation>'
        for n in names
    )
    binding = "".join(
        f'<w:operation name="{n}"><{soap}:operation soapAction="urn:civil#{n}"/>'
        f"<w:input>{body}</w:input><w:output>{body}</w:output></w:operation>"
        for n in names
    )
    return f"""<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:civil"
  xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" targetNamespace="urn:civil">
<w:types><xs:schema targetNamespace="urn:civil" elementFormDefault="qualified">{imports}{TYPES}
</xs:schema></w:types>{messages}
<w:portType name="P">{ports}</w:portType>
<w:binding name="B" type="t:P">
  <{soap}:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>{binding}
</w:binding>
<w:service name="S"><w:port name="Q" binding="t:B">
  <{soap}:address location="http://never.invalid/"/></w:port></w:service>
</w:definitions>"""


def civil(
    folder: Path,
    text: str | None = None,
    *,
    version: str = "1.1",
    mark: str = "{cursor?}",
    **interface: Any,
) -> System:
    """Pin a WSDL in a folder and declare the system."""
    home = folder / "connectors" / "wsdl"
    home.mkdir(parents=True, exist_ok=True)
    text = text or wsdl(version)
    (home / "civil.wsdl").write_text(text, encoding="utf-8")
    pinned = {
        "wsdl": "civil.wsdl",
        "version": version,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    return System.model_validate(
        {
            "system": "civil",
            "title": {"zh": "民政", "en": "Civil affairs"},
            "department": {"code": "1", "name": "民政局"},
            "protocol": "soap",
            "connection": "civil",
            "interfaces": {"s": {"path": "/ws", "soap": pinned, **interface}},
            "budget": {"requests_per_second": 10000, "attempts": 2, "backoff_first_s": 0.01},
            "datasets": {
                "marriage": {
                    "call": {
                        "operation": "findMarriages",
                        "body": {"from": "{since}", "mark": mark, "most": "{size}"},
                    },
                    "records": "list.m",
                    "paging": {"kind": "cursor", "size": 9, "next": "next"},
                }
            },
            "accepts": {
                "notice": {
                    "call": {"operation": "putNotices", "body": {"notice": "{records}"}},
                    "batch": 5,
                    "record": {"id": "{guid}", "...": "{data}"},
                    "answers": {
                        "records": "a",
                        "guid": "@id",
                        "accepted": {"path": "@ok", "equals": True},
                        "rejected": {"path": "@ok", "equals": False},
                    },
                }
            },
        }
    )


def envelope(body: str, namespace: str = ENV11) -> bytes:
    """Wrap a body."""
    return f'<e:Envelope xmlns:e="{namespace}"><e:Body>{body}</e:Body></e:Envelope>'.encode()


ROWS = (
    '<c:findMarriagesResponse xmlns:c="urn:civil"><c:list><c:m><c:no>1</c:no></c:m>'
    "<c:m><c:no>2</c:no></c:m></c:list><c:next/></c:findMarriagesResponse>"
)


def connector_for(system: System, url: str, root: Path, **more: Any):
    """Open a connector."""
    connection = Connection("civil", url, "hub", "open-sesame", {})
    return open_connector(system, connection, root, clock=FakeClock(), **more)


def read(system: System, url: str, root: Path):
    """Read once."""
    with connector_for(system, url, root) as connector:
        return list(connector.read_pages("marriage", ALL))


def sent(asked) -> etree._Element:
    """Parse what was sent and give the first element of its Body."""
    return etree.fromstring(asked.body).find("{*}Body")[0]


@pytest.mark.parametrize(
    ("version", "namespace", "kind"),
    [("1.1", ENV11, "text/xml"), ("1.2", ENV12, "application/soap+xml")],
)
def test_document_style_in_both_versions(tmp_path, version, namespace, kind):
    """Envelope, media type and action as each version wants them; typed values from the WSDL."""
    system = civil(tmp_path, version=version)
    with serving(answers(200, envelope(ROWS, namespace), XML)) as server:
        (page,) = read(system, server.url, tmp_path)
        asked = server.asked[0]
    assert asked.headers["content-type"].startswith(kind)
    assert namespace == etree.QName(etree.fromstring(asked.body)).namespace
    action = asked.headers.get("soapaction", "") + asked.headers["content-type"]
    assert '"urn:civil#findMarriages"' in action
    assert ["from", "most"] == [etree.QName(e).localname for e in sent(asked)]
    assert "1990-01-01T00:00:00+08:00" == sent(asked)[0].text
    assert ("/ws", None) == (asked.path, page.next_cursor)


def test_decoding_needs_neither_socket_nor_wsdl(tmp_path):
    """Another process may decode, long after."""
    connector = connector_for(civil(tmp_path), "http://127.0.0.1:1", tmp_path)
    decoded = connector.decode("marriage", envelope(ROWS), RecordShape(("no",)))
    assert ["1", "2"] == decoded.frame["no"].to_list()


def test_rpc_style_wraps_its_parts_in_the_operation(tmp_path):
    """Parts without a namespace, the operation in the binding's."""
    system = civil(tmp_path, wsdl(style="rpc"), mark="m{cursor}")
    with serving(answers(200, envelope(ROWS), XML)) as server:
        read(system, server.url, tmp_path)
        element = sent(server.asked[0])
    assert "{urn:civil}findMarriages" == element.tag
    assert ["from", "mark", "most"] == [child.tag for child in element if child.text]


def test_requests_and_answers_in_a_declared_charset(tmp_path):
    """GB18030 both ways, whatever the answer's declaration says."""
    system = civil(tmp_path, charset="GB18030")
    body = '<?xml version="1.0" encoding="UTF-8"?>' + envelope(ROWS.replace("1", "𠮷平")).decode()
    with serving(answers(200, body.encode("gb18030"), XML)) as server:
        with connector_for(system, server.url, tmp_path) as connector:
            (page,) = connector.read_pages("marriage", ALL)
            decoded = connector.decode("marriage", page.body, RecordShape(("no",)))
        asked = server.asked[0]
    assert ["𠮷平", "2"] == decoded.frame["no"].to_list()
    assert "text/xml; charset=GB18030" == asked.headers["content-type"]
    assert b'encoding="GB18030"' in asked.body


def test_username_token_stands_in_the_header_with_fresh_nonces(tmp_path):
    """Two calls, two nonces; no password in clear."""
    system = civil(tmp_path, auth={"kind": "ws_security_username"})
    with serving(answers(200, envelope(ROWS), XML)) as server:
        read(system, server.url, tmp_path)
        read(system, server.url, tmp_path)
        tokens = [etree.fromstring(a.body).find("{*}Header/{*}Security") for a in server.asked]
        bodies = b"".join(a.body for a in server.asked)
    assert 2 == len({token.findtext("{*}UsernameToken/{*}Nonce") for token in tokens})
    assert "hub" == tokens[0].findtext("{*}UsernameToken/{*}Username")
    assert b"open-sesame" not in bodies


def test_signature_as_a_message_part(tmp_path):
    """The part is filled before the WSDL's types are checked."""
    system = civil(
        tmp_path,
        auth={
            "kind": "signed",
            "algorithm": "sm3",
            "text": "{login}{secret}",
            "send": {"in": "message", "values": {"mark": "{signature}"}},
        },
    )
    with serving(answers(200, envelope(ROWS), XML)) as server:
        read(system, server.url, tmp_path)
        assert 64 == len(sent(server.asked[0]).findtext("{*}mark"))


def fault(code: str, namespace: str = ENV11) -> bytes:
    """Write a fault of either version, with a text that quotes a value."""
    if namespace == ENV11:
        text = f"<faultcode>{code}</faultcode><faultstring>no 620899199001010012</faultstring>"
    else:
        main, _, sub = code.partition("/")
        inner = f"<e:Subcode><e:Value>{sub}</e:Value></e:Subcode>" if sub else ""
        text = f"<e:Code><e:Value>{main}</e:Value>{inner}</e:Code><e:Reason/>"
    return envelope(f"<e:Fault>{text}</e:Fault>", namespace)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (fault("wsse:FailedAuthentication"), AuthenticationRefused),
        (fault("e:Client"), SystemRefused),
        (fault("e:Client.BUSY"), SystemUnavailable),
        (fault("e:Server"), SystemUnavailable),
        (fault("e:Server.Database"), SystemUnavailable),
        (fault("e:Sender/x:NOT_YOU", ENV12), AuthenticationRefused),
        (fault("e:Sender", ENV12), SystemRefused),
        (fault("e:Receiver", ENV12), SystemUnavailable),
    ],
)
def test_faults_are_mapped_by_code_whatever_the_status(tmp_path, status, body, expected):
    """Also a fault that comes with 200; its text is never quoted."""
    faults = {"Client.BUSY": "busy", "NOT_YOU": "authentication"}
    system = civil(tmp_path, faults=faults)
    with serving(answers(status, body, XML)) as server, pytest.raises(expected) as caught:
        read(system, server.url, tmp_path)
    assert "620899" not in str(caught.value)


def push(system: System, url: str, root: Path, *data: dict):
    """Send records."""
    records = [OutgoingRecord(f"g{n}", "I", 1, "d", d) for n, d in enumerate(data)]
    with connector_for(system, url, root) as connector:
        return connector.send("notice", records)


def test_a_server_fault_of_a_push_is_unclear_a_client_fault_is_not(tmp_path):
    """Nobody says how far the server came."""
    system = civil(tmp_path)
    with serving(answers(500, fault("e:Server"), XML)) as server:
        with pytest.raises(DeliveryUnclear):
            push(system, server.url, tmp_path, {})
        assert 1 == len(server.asked)
    with serving(answers(500, fault("e:Client"), XML)) as server, pytest.raises(SystemRefused):
        push(system, server.url, tmp_path, {})


def test_receipts_may_be_attributes(tmp_path):
    """Key and outcome as `@name`."""
    body = envelope('<r><a id="g1" ok="false"/><a id="g0" ok="TRUE"/></r>')
    with serving(answers(200, body, XML)) as server:
        receipts = push(civil(tmp_path), server.url, tmp_path, {"amount": "1.50"}, {})
    assert ["accepted", "rejected"] == [receipt.outcome for receipt in receipts]


def test_a_character_that_xml_cannot_carry_refuses_its_record_only(tmp_path):
    """The neighbours are sent."""
    body = envelope('<r><a id="g1" ok="true"/></r>')
    with serving(answers(200, body, XML)) as server:
        receipts = push(civil(tmp_path), server.url, tmp_path, {"note": "a\x01b"}, {"note": "ok"})
        assert 1 == len(sent(server.asked[0]))
    assert ["rejected", "accepted"] == [receipt.outcome for receipt in receipts]


def test_a_message_that_breaks_the_wsdl_is_our_mistake_and_is_not_sent(tmp_path):
    """An unknown field of the push mapping; no value in the message."""
    with serving(answers(200, envelope("<r/>"), XML)) as server:
        with pytest.raises(ConfigInvalid, match="putNotices does not fit the WSDL") as caught:
            push(civil(tmp_path), server.url, tmp_path, {"nmae": "张三"})
        assert [] == server.asked
    assert "张三" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>maintenance</body></html>",
        b"<r/>",
        envelope(""),
        envelope(ROWS)[:-30],
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + envelope(ROWS),
        envelope(ROWS).replace(b"1", b"\xff"),
    ],
)
def test_answers_that_are_no_envelope_are_unreadable(tmp_path, body):
    """Empty, web page, other XML, empty Body, cut, DTD, wrong charset."""
    with serving(answers(200, body, XML)) as server, pytest.raises(AnswerUnreadable):
        read(civil(tmp_path), server.url, tmp_path)


def test_an_html_error_page_is_an_outage_not_a_fault(tmp_path):
    """A proxy's 502."""
    page = answers(502, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
    with serving(page) as server, pytest.raises(SystemUnavailable, match="HTTP 502"):
        read(civil(tmp_path), server.url, tmp_path)


def test_another_digest_stops_everything_before_any_call(tmp_path):
    """The pinned file was changed."""
    system = civil(tmp_path)
    (tmp_path / "connectors" / "wsdl" / "civil.wsdl").write_text(wsdl() + "\n", encoding="utf-8")
    with serving(answers(200, envelope(ROWS), XML)) as server:
        with pytest.raises(InterfaceChanged, match="no call was made"):
            connector_for(system, server.url, tmp_path)
        assert [] == server.asked


def test_a_missing_wsdl_is_told(tmp_path):
    """By its name."""
    system = civil(tmp_path)
    (tmp_path / "connectors" / "wsdl" / "civil.wsdl").unlink()
    with pytest.raises(InterfaceChanged, match=r"civil\.wsdl cannot be read"):
        connector_for(system, "http://127.0.0.1:1", tmp_path)


def test_an_operation_that_the_wsdl_lacks_is_told_with_a_suggestion(tmp_path):
    """Before anything is sent."""
    system = civil(tmp_path, wsdl().replace("findMarriages", "findMarriage"))
    with pytest.raises(InterfaceChanged, match='did you mean "findMarriage"'):
        read(system, "http://127.0.0.1:1", tmp_path)


@pytest.mark.parametrize(
    "imports",
    [
        '<xs:import namespace="urn:x" schemaLocation="http://127.0.0.1:1/x.xsd"/>',
        '<xs:import namespace="urn:x" schemaLocation="/etc/hostname"/>',
        '<xs:include schemaLocation="../../../x.xsd"/>',
    ],
)
def test_nothing_is_fetched_that_is_not_pinned(tmp_path, imports):
    """No network, no file outside of the folder."""
    system = civil(tmp_path, wsdl(imports=imports))
    with pytest.raises(InterfaceChanged):
        read(system, "http://127.0.0.1:1", tmp_path)


def test_a_schema_pinned_beside_the_wsdl_is_read(tmp_path):
    """Multi-part interfaces work from disk."""
    imports = '<xs:import namespace="urn:x" schemaLocation="x.xsd"/>'
    system = civil(tmp_path, wsdl(imports=imports))
    schema = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>'
    (tmp_path / "connectors" / "wsdl" / "x.xsd").write_text(schema, encoding="utf-8")
    with pytest.raises(InterfaceChanged, match=r"'x\.xsd', which is not pinned"):
        read(system, "http://127.0.0.1:1", tmp_path)
    pins = {"x.xsd": hashlib.sha256(schema.encode()).hexdigest()}
    soap = system.interfaces["s"].soap.model_copy(update={"imports": pins})
    interface = system.interfaces["s"].model_copy(update={"soap": soap})
    system = system.model_copy(update={"interfaces": {"s": interface}})
    with serving(answers(200, envelope(ROWS), XML)) as server:
        assert 1 == len(read(system, server.url, tmp_path))


@pytest.mark.parametrize("text", ["no xml", "<a/>", "<!DOCTYPE a><a/>"])
def test_a_wsdl_that_is_none_is_told(tmp_path, text):
    """Pinned, but not understood."""
    with pytest.raises(InterfaceChanged, match="be understood"):
        read(civil(tmp_path, text), "http://127.0.0.1:1", tmp_path)


def test_a_wrong_soap_version_is_told_before_anything_is_sent(tmp_path):
    """The YAML says 1.2, the WSDL binds 1.1."""
    system = civil(tmp_path, wsdl("1.1"), version="1.2")
    with pytest.raises(ConfigInvalid, match="another SOAP version"):
        read(system, "http://127.0.0.1:1", tmp_path)


def test_our_reader_and_zeep_agree_on_typed_rows(tmp_path):
    """Differential: the same answer through zeep's own deserialisation."""
    import zeep
    from zeep.helpers import serialize_object

    rows = "".join(
        f"<FDCQ_YZ><YWH>{n}</YWH><FDZL>址{n}</FDZL><JZMJ>1{n}.50</JZMJ><SZC>{n}</SZC>"
        f"<GXSJ>2018-10-08T00:00:0{n}</GXSJ></FDCQ_YZ>"
        for n in range(3)
    )
    answer = (
        '<QueryRightsResponse xmlns="urn:bdc:share:v2"><Code>200</Code><Message/>'
        f"<Total>3</Total><HasMore>false</HasMore><Records>{rows}</Records></QueryRightsResponse>"
    )
    root = Path(__file__).parents[2]
    client = zeep.Client(str(root / "connectors" / "wsdl" / "ShareService.wsdl"))
    element = client.wsdl.types.get_element("{urn:bdc:share:v2}QueryRightsResponse")
    theirs = serialize_object(
        element.parse(etree.fromstring(answer), client.wsdl.types)["Records"]["FDCQ_YZ"], dict
    )

    from tongban.kernel.systems import load_system

    system = load_system(root / "connectors" / "systems" / "registration.yaml")
    connector = open_connector(system, Connection("r", "http://127.0.0.1:1"), root)
    fields = ("YWH", "FDZL", "JZMJ", "SZC")
    ours = connector.decode("real_estate_right", envelope(answer, ENV12), RecordShape(fields))

    assert [tuple(str(row[f]) for f in fields) for row in theirs] == ours.frame.rows()
