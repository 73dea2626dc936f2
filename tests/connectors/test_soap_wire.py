"""SOAP on the wire: servers of other styles, encoded values, packages, headers, bad input."""

from __future__ import annotations

import base64
import hashlib
import socket
import xml.etree.ElementTree as ET  # noqa: S405 - our own requests
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from connectors import open_connector
from connectors.errors import (
    AnswerCharsetWrong,
    AnswerHasDtd,
    AnswerIsWebPage,
    AnswerNoEnvelope,
    AnswerNotXml,
    AnswerReferencesBroken,
    AnswerTooLarge,
)
from connectors.protocols.attachments import reference
from tests.connectors.serving import ALL, FakeClock, Reply, answers, serving
from tests.connectors.soap_corpus import CLAIMS_ADDRESS, FOLDER
from tongban.kernel.connections import Connection
from tongban.kernel.errors import (
    AuthenticationRefused,
    InterfaceChanged,
    SystemRefused,
    SystemUnavailable,
)
from tongban.kernel.records import RecordShape
from tongban.kernel.systems import System

ENV11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENV12 = "http://www.w3.org/2003/05/soap-envelope"
ENC = "http://schemas.xmlsoap.org/soap/encoding/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = {"Content-Type": "text/xml"}
CIVIL = {
    "call": {"operation": "find", "body": {"since": "{since}", "most": 9, "areas": ["a", "b"]}},
    "records": "rows.*",
}
CLAIMS = {
    "call": {"operation": "findClaims", "body": {"since": "{since}", "page": "{page}"}},
    "records": "claims.claim",
    "total": "total",
    "paging": {"kind": "page_number", "size": 2, "shifting": "no"},
}
CLAIM_FILES = ("wrapped-messages.wsdl", "wrapped-types.xsd", "wrapped-common.xsd")
CLAIM_ADDRESSES = {CLAIMS_ADDRESS: "wrapped-types.xsd"}


def declare(
    folder: Path,
    wsdl: str,
    dataset: dict[str, Any],
    *,
    imports: tuple[str, ...] = (),
    soap: dict[str, Any] | None = None,
    budget: dict[str, Any] | None = None,
    **interface: Any,
) -> System:
    """Pin files of the corpus, or of the folder, and declare a system that uses them."""
    home = folder / "connectors" / "wsdl"
    home.mkdir(parents=True, exist_ok=True)
    pins = {}
    for name in (wsdl, *imports):
        if not (home / name).exists():
            (home / name).write_bytes((FOLDER / name).read_bytes())
        pins[name] = hashlib.sha256((home / name).read_bytes()).hexdigest()
    pinned = {"wsdl": wsdl, "sha256": pins.pop(wsdl), "imports": pins, **(soap or {})}
    return System.model_validate(
        {
            "system": "office",
            "title": {"zh": "窗口", "en": "Office"},
            "department": {"code": "1", "name": "窗口"},
            "protocol": "soap",
            "connection": "office",
            "interfaces": {"s": {"path": "/ws", "soap": pinned, **interface}},
            "budget": {
                "requests_per_second": 10000,
                "attempts": 2,
                "backoff_first_s": 0.01,
                **(budget or {}),
            },
            "datasets": {"d": dataset},
        }
    )


def claims(folder: Path, **more: Any) -> System:
    """Declare the medical insurance of the corpus."""
    soap = {"locations": CLAIM_ADDRESSES, **more.pop("soap", {})}
    return declare(folder, "wrapped.wsdl", CLAIMS, imports=CLAIM_FILES, soap=soap, **more)


def connect(system: System, url: str, root: Path, **more: Any):
    """Open a connector."""
    extra = more.pop("extra", {})
    connection = Connection("office", url, "hub", "open-sesame", extra)
    return open_connector(system, connection, root, clock=FakeClock(), **more)


def read(system: System, url: str, root: Path, fields: tuple[str, ...], **more: Any):
    """Read all pages and decode them."""
    with connect(system, url, root, **more) as connector:
        pages = list(connector.read_pages("d", ALL))
        return [connector.decode("d", page.body, RecordShape(fields)).frame for page in pages]


def claims_page(*numbers: str, total: int | None = None, more: str = "") -> str:
    """Write an answer of findClaims."""
    rows = "".join(
        f"<claim><no>{n}</no><on>2018-10-08</on><paid>1</paid>{more}</claim>" for n in numbers
    )
    return (
        f'<E:Envelope xmlns:E="{ENV11}"><E:Body><findClaimsResponse xmlns="urn:medical">'
        f"<code>0</code><total>{len(numbers) if total is None else total}</total>"
        f"<claims>{rows}</claims></findClaimsResponse></E:Body></E:Envelope>"
    )


def test_a_server_in_another_style_is_read_through_its_pages(tmp_path):
    """Single quotes, default namespaces, comments, blanks, attributes and a strange prefix."""

    def serve(asked) -> Reply:
        body = ET.fromstring(asked.body).find(f"{{{ENV11}}}Body")  # noqa: S314 - our own
        page = int(body[0].findtext("{urn:medical}page"))
        rows = "".join(
            f"\n   <claim>\n\t<no >{n}</no ><!-- no {n} -->\n\t<on>2018-10-08</on><paid>2</paid>\n"
            f"   </claim>"
            for n in ((1, 2), (3,))[page - 1]
        )
        return (
            200,
            {"Content-Type": "text/xml;charset='utf-8'"},
            f"<?xml version='1.0'?>\n<!-- a proxy was here -->\n"
            f"<Envelope xmlns='{ENV11}' id='e1'>\n <Header> <trace xmlns='urn:x'/> </Header>\n"
            f" <Body\n  encodingStyle=''>\n  <q:findClaimsResponse xmlns:q='urn:medical'\n"
            f"    xmlns='urn:medical'><code><![CDATA[0]]></code><q:total> 3 </q:total>\n"
            f"  <claims>{rows}\n</claims></q:findClaimsResponse>\n </Body>\n</Envelope>\n".encode(),
        )

    system = claims(tmp_path, success=[{"check": "code", "equals": "0"}])
    with serving(serve) as server:
        frames = read(system, server.url, tmp_path, ("no", "paid"))
    assert [[("1", "2"), ("2", "2")], [("3", "2")]] == [frame.rows() for frame in frames]


def test_a_request_of_several_files_obeys_its_schema(tmp_path):
    """Imports by the address that the department wrote, from pinned files, without a network."""
    with serving(answers(200, claims_page("1").encode(), XML)) as server:
        read(claims(tmp_path), server.url, tmp_path, ("no",))
        body = ET.fromstring(server.asked[0].body).find(f"{{{ENV11}}}Body")  # noqa: S314
    assert "{urn:medical}findClaims" == body[0].tag
    assert ["{urn:medical}since", "{urn:medical}page"] == [child.tag for child in body[0]]
    assert '"urn:medical/findClaims"' == server.asked[0].headers["soapaction"]


STANDARD = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/"
  xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema"
  xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:t="urn:all" targetNamespace="urn:all"
  xmlns:mime="http://www.w3.org/2005/05/xmlmime" xmlns:wsse="{wsse}" xmlns:wsu="{wsu}"
  xmlns:env="http://schemas.xmlsoap.org/soap/envelope/">
 <w:types><x:schema targetNamespace="urn:all">
  <x:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>
  <x:import namespace="http://schemas.xmlsoap.org/soap/envelope/"/>
  <x:import namespace="http://www.w3.org/XML/1998/namespace"
            schemaLocation="http://www.w3.org/2001/xml.xsd"/>
  <x:import namespace="http://www.w3.org/2005/05/xmlmime" schemaLocation="http://nowhere/x.xsd"/>
  <x:import namespace="{wsse}" schemaLocation="{wsse}"/>
  <x:import namespace="{wsu}"/>
  <x:element name="ask"><x:complexType><x:sequence>
    <x:element ref="wsse:UsernameToken" minOccurs="0"/>
    <x:element ref="wsu:Timestamp" minOccurs="0"/>
    <x:element name="list" type="enc:Array" minOccurs="0"/>
    <x:element name="scan" type="mime:base64Binary" minOccurs="0"/>
    <x:element name="since" type="x:string"/>
  </x:sequence><x:attribute ref="xml:lang"/><x:attribute ref="env:mustUnderstand"/>
  </x:complexType></x:element>
  <x:element name="told"><x:complexType><x:sequence>
    <x:element name="r" minOccurs="0" maxOccurs="unbounded"/>
  </x:sequence></x:complexType></x:element>
 </x:schema></w:types>
 <w:message name="a"><w:part name="p" element="t:ask"/></w:message>
 <w:message name="b"><w:part name="p" element="t:told"/></w:message>
 <w:portType name="P"><w:operation name="ask"><w:input message="t:a"/><w:output message="t:b"/>
 </w:operation></w:portType>
 <w:binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <w:operation name="ask"><s:operation soapAction=""/><w:input><s:body use="literal"/></w:input>
  <w:output><s:body use="literal"/></w:output></w:operation></w:binding>
 <w:service name="S"><w:port name="Q" binding="t:B"><s:address location="http://x/"/></w:port>
 </w:service></w:definitions>"""
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"


def test_standard_namespaces_need_no_file_and_no_network(tmp_path, monkeypatch):
    """SOAP encoding and envelope, xml, xmlmime, WS-Security: with and without a location."""
    home = tmp_path / "connectors" / "wsdl"
    home.mkdir(parents=True)
    text = STANDARD.format(wsse=f"{_WSS}-secext-1.0.xsd", wsu=f"{_WSS}-utility-1.0.xsd")
    (home / "all.wsdl").write_text(text, encoding="utf-8")
    call = {"operation": "ask", "body": {"since": "{since}"}}
    system = declare(tmp_path, "all.wsdl", {"call": call, "records": "r"})
    body = f'<e:Envelope xmlns:e="{ENV11}"><e:Body><told xmlns="urn:all"/></e:Body></e:Envelope>'
    with serving(answers(200, body.encode(), XML)) as server:
        real, ours = socket.socket.connect, int(server.url.rpartition(":")[2])

        def only_ours(self: socket.socket, address: Any) -> None:
            assert ours == address[1], "something went out to the network"
            real(self, address)

        monkeypatch.setattr(socket.socket, "connect", only_ours)
        assert [0] == [frame.height for frame in read(system, server.url, tmp_path, ("a",))]


@pytest.mark.parametrize("name", ["wrapped-types.xsd", "wrapped-messages.wsdl"])
def test_an_import_that_is_not_pinned_stops_the_call(tmp_path, name):
    """By name, before anything is sent."""
    files = tuple(file for file in CLAIM_FILES if file != name)
    locations = {} if name == "wrapped-types.xsd" else CLAIM_ADDRESSES
    system = declare(tmp_path, "wrapped.wsdl", CLAIMS, imports=files, soap={"locations": locations})
    with serving(answers(200, b"", XML)) as server:
        with pytest.raises(InterfaceChanged, match="not pinned"):
            read(system, server.url, tmp_path, ("no",))
        assert [] == server.asked


def test_encoded_requests_carry_style_types_and_array_length(tmp_path):
    """What a server of the rpc/encoded age looks for."""
    path = FOLDER / "rpc_encoded" / "multiref.xml"
    system = declare(tmp_path, "rpc_encoded.wsdl", CIVIL)
    with serving(answers(200, path.read_bytes(), XML)) as server:
        (frame,) = read(system, server.url, tmp_path, ("no", "wife.name"))
        sent = ET.fromstring(server.asked[0].body).find(f"{{{ENV11}}}Body")[0]  # noqa: S314
    assert "{urn:civil:old}find" == sent.tag
    assert ENC == sent.get(f"{{{ENV11}}}encodingStyle")
    assert "xsd:int" == sent.find("most").get(f"{{{XSI}}}type")
    assert "xsd:string[2]" == sent.find("areas").get(f"{{{ENC}}}arrayType")
    assert ["a", "b"] == [item.text for item in sent.find("areas")]
    assert ("000", "人1") == frame.row(0)


def encoded(rows: str, beside: str) -> bytes:
    """Write an rpc/encoded answer."""
    return (
        f'<e:Envelope xmlns:e="{ENV11}" xmlns:n="urn:civil:old"><e:Body>'
        f'<n:findResponse e:encodingStyle="{ENC}"><rows>{rows}</rows></n:findResponse>{beside}'
        "</e:Body></e:Envelope>"
    ).encode()


LAUGHS = "".join(
    f'<m id="l{n}"><no>x</no>' + f'<k href="#l{n + 1}"/>' * 10 + "</m>" for n in range(12)
)


@pytest.mark.parametrize(
    ("rows", "beside"),
    [
        ('<i href="#no"/>', ""),
        ('<i href="#a"/>', '<m id="a"><k href="#b"/></m><m id="b"><k href="#a"/></m>'),
        ('<i href="#l0"/>', LAUGHS + '<m id="l12"/>'),
    ],
    ids=["dangling", "circle", "laughs"],
)
def test_references_that_do_not_resolve_are_refused(tmp_path, rows, beside):
    """Also those that would make a small page large."""
    system = declare(tmp_path, "rpc_encoded.wsdl", CIVIL)
    with (
        serving(answers(200, encoded(rows, beside), XML)) as server,
        pytest.raises(AnswerReferencesBroken),
    ):
        read(system, server.url, tmp_path, ("no",))


def test_references_of_soap_12_are_resolved(tmp_path):
    """`enc:ref` and `enc:id`."""
    body = encoded('<i c:ref="a"/><i c:ref="a"/>', '<m c:id="a"><no>7</no></m>')
    body = body.replace(b"<e:Body>", b'<e:Body xmlns:c="http://www.w3.org/2003/05/soap-encoding">')
    system = declare(tmp_path, "rpc_encoded.wsdl", CIVIL)
    with serving(answers(200, body, XML)) as server:
        (frame,) = read(system, server.url, tmp_path, ("no",))
    assert [("7",), ("7",)] == frame.rows()


SCAN = b"\x00\x01\r\n--not the boundary\r\n\xff" * 100
XOP = "http://www.w3.org/2004/08/xop/include"


def package(xml: str, *parts: tuple[str, bytes], coding: str = "binary", end: str = "--") -> bytes:
    """Write a MIME package as MTOM servers do."""
    head = "--uuid:7b\r\nContent-Type: application/xop+xml; charset=UTF-8; type='text/xml'\r\n"
    head += "Content-Transfer-Encoding: 8bit\r\nContent-ID: <root@x>\r\n\r\n"
    lines = [head.encode(), xml.encode()]
    for name, body in parts:
        about = f"\r\n--uuid:7b\r\ncontent-id: <{name}>\r\nContent-Transfer-Encoding: {coding}"
        lines += [about.encode(), b"\r\nContent-Type: application/pdf\r\n\r\n", body]
    return b"".join(lines) + f"\r\n--uuid:7b{end}\r\n".encode()


def included(cid: str) -> str:
    """Write a scan that points to a part."""
    return f'<scan><x:Include xmlns:x="{XOP}" href="cid:{cid}"/></scan>'


MIME = {"Content-Type": 'multipart/related; boundary="uuid:7b"; type="application/xop+xml"'}


def test_attachments_of_a_package_become_references(tmp_path):
    """Digest, size and content id in the column; the bytes stay with the page as received."""
    body = package(claims_page("1", more=included("s%401")), ("s@1", SCAN))
    with (
        serving(answers(200, body, MIME)) as server,
        connect(claims(tmp_path), server.url, tmp_path) as connector,
    ):
        (page,) = connector.read_pages("d", ALL)
        frame = connector.decode("d", page.body, RecordShape(("no", "scan"))).frame
    assert [("1", reference(SCAN, "s@1"))] == frame.rows()
    assert f";size={len(SCAN)};cid=s@1" in frame["scan"][0]
    assert page.body == body


def test_parts_in_base64_are_opened_before_they_are_counted(tmp_path):
    """Older SwA servers."""
    body = package(
        claims_page("1", more=included("s")), ("s", base64.encodebytes(SCAN)), coding="base64"
    )
    with serving(answers(200, body, MIME)) as server:
        (frame,) = read(claims(tmp_path), server.url, tmp_path, ("scan",))
    assert [(reference(SCAN, "s"),)] == frame.rows()


@pytest.mark.parametrize(
    "body",
    [
        package(claims_page("1", more=included("other")), ("s", SCAN)),
        package(claims_page("1", more=included("s")), ("s", SCAN), end=""),
        package("", ("s", SCAN)).replace(b"xop+xml", b"json"),
    ],
    ids=["points nowhere", "cut", "no XML"],
)
def test_broken_packages_are_refused(tmp_path, body):
    """A part that is missing, an end that is missing, an XML part that is missing."""
    with serving(answers(200, body, MIME)) as server, pytest.raises(AnswerReferencesBroken):
        read(claims(tmp_path), server.url, tmp_path, ("scan",))


def test_declared_soap_headers_stand_in_every_request(tmp_path):
    """As .NET services want them: an element of their own with login and password."""
    headers = {
        "{urn:h}AuthHeader": {"User": "{login}", "Pass": "{secret:password}", "@v": "1"},
        "{urn:h}Trace": "t-{now:yyyyMMdd}",
    }
    system = claims(tmp_path, soap={"headers": headers})
    with serving(answers(200, claims_page("1").encode(), XML)) as server:
        read(system, server.url, tmp_path, ("no",))
        header = ET.fromstring(server.asked[0].body).find(f"{{{ENV11}}}Header")  # noqa: S314
    assert ["hub", "open-sesame"] == [child.text for child in header[0]]
    assert "{urn:h}User" == header[0][0].tag
    assert ("1", "t-20181008") == (header[0].get("v"), header[1].text)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("E-BUSY", SystemUnavailable), ("E-WHO", AuthenticationRefused), ("E-9", SystemRefused)],
)
def test_the_departments_own_code_in_a_faults_detail_decides(tmp_path, code, expected):
    """`soap:Server` alone would say nothing."""
    body = (
        f'<E:Envelope xmlns:E="{ENV11}"><E:Body><E:Fault><faultcode>E:Server</faultcode>'
        f'<faultstring>x</faultstring><detail><b:Biz xmlns:b="urn:b"><code>{code}</code></b:Biz>'
        "</detail></E:Fault></E:Body></E:Envelope>"
    )
    faults = {"E-BUSY": "busy", "E-WHO": "authentication", "E-9": "refused"}
    system = claims(tmp_path, soap={"fault_code": "Biz.code"}, faults=faults)
    with serving(answers(200, body.encode(), XML)) as server, pytest.raises(expected):
        read(system, server.url, tmp_path, ("no",))


GOOD = claims_page("1", "2")
BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + GOOD.replace(
    "<no>1", "<no>&b;"
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GOOD[:-30].encode(), AnswerNotXml),
        (GOOD.replace("<no>1", "<no>1<").encode(), AnswerNotXml),
        (b"", AnswerNotXml),
        (("<a>" * 300 + "</a>" * 300).encode(), AnswerNotXml),
        (BOMB.encode(), AnswerHasDtd),
        (GOOD.replace("1", "平凉").encode("gbk"), AnswerCharsetWrong),
        (b"<!DOCTYPE html><html><body>closed</body></html>", AnswerIsWebPage),
        (b"<html><body><br></html>", AnswerIsWebPage),
        (b"<answer/>", AnswerNoEnvelope),
        (GOOD.encode() + b" " * 2_000_000, AnswerTooLarge),
    ],
    ids=[
        "truncated",
        "not well-formed",
        "empty",
        "deep",
        "billion laughs",
        "charset",
        "page",
        "html",
        "no envelope",
        "large",
    ],
)
def test_each_bad_input_has_a_code_of_its_own_and_is_kept(tmp_path, body, expected):
    """What came goes to whoever keeps evidence, and the error says which trouble it is."""
    kept: list[tuple[str, bytes]] = []
    system = claims(tmp_path, budget={"max_answer_mb": 1})
    with serving(answers(200, body, XML)) as server, pytest.raises(expected) as caught:
        read(system, server.url, tmp_path, ("no",), on_unreadable=lambda w, b: kept.append((w, b)))
    assert expected is type(caught.value)
    assert expected.code.startswith("fatal.answer_")
    assert "office: d" == kept[0][0]
    assert body.startswith(kept[0][1])
    assert kept[0][1] or not body


def test_a_long_text_is_read_as_long_as_the_budget_allows_it(tmp_path):
    """libxml2's own limit of 10 MB per text is not ours: a document may travel in a string."""
    note = f"<note>{'长' * 4_000_000}</note>"
    system = claims(tmp_path)
    with connect(system, "http://127.0.0.1:1", tmp_path) as connector:
        body = claims_page("1", more=note).encode()
        frame = connector.decode("d", body, RecordShape(("note",))).frame
    assert 4_000_000 == frame["note"].str.len_chars()[0]


def test_bytes_that_no_schema_declares_are_declared_in_the_yaml(tmp_path):
    """A document in a string has no schema; `attachments` names its fields."""
    dataset = {**CLAIMS, "attachments": {"note": "base64", "no": "hex"}}
    soap = {"locations": CLAIM_ADDRESSES}
    system = declare(tmp_path, "wrapped.wsdl", dataset, imports=CLAIM_FILES, soap=soap)
    page = claims_page("00ff", more="<note>AAEC\n</note>").encode()
    with connect(system, "http://127.0.0.1:1", tmp_path) as connector:
        frame = connector.decode("d", page, RecordShape(("no", "note", "paid"))).frame
    assert [(reference(b"\x00\xff"), reference(b"\x00\x01\x02"), "1")] == frame.rows()


def test_an_encrypted_field_is_no_attachment(tmp_path):
    """The schema says base64, the YAML says that it is to be decrypted: the YAML wins."""
    key, iv = bytes(range(16)), bytes(16)
    pad = padding.PKCS7(128).padder()
    seal = Cipher(algorithms.SM4(key), modes.CBC(iv)).encryptor()
    sealed = iv + seal.update(pad.update("甲".encode()) + pad.finalize()) + seal.finalize()
    dataset = {**CLAIMS, "encrypted": {"fields": ["scan"], "cipher": "sm4_cbc"}}
    soap = {"locations": CLAIM_ADDRESSES}
    system = declare(tmp_path, "wrapped.wsdl", dataset, imports=CLAIM_FILES, soap=soap)
    page = claims_page("1", more=f"<scan>{base64.b64encode(sealed).decode()}</scan>").encode()
    extra = {"field_key": key.hex()}
    with connect(system, "http://127.0.0.1:1", tmp_path, extra=extra) as connector:
        assert [("甲",)] == connector.decode("d", page, RecordShape(("scan",))).frame.rows()
