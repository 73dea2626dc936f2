"""Hubs for compares: the real catalog beside a fake of civil affairs, and a SOAP department."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import psycopg
from lxml import etree
from psycopg.rows import dict_row

from tests.connectors.serving import Asked, Reply
from tongban.hub import Hub, open_hub
from tongban.kernel.catalog import load_catalog
from tongban.kernel.settings import load_settings
from tongban.onboarding.fake import people
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving

ROOT = Path(__file__).parents[2]
ASKER = "li.na@62089901"
PURPOSE = "deed_tax_family"

WSDL = """<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:tns="urn:cl:compare" targetNamespace="urn:cl:compare" name="DisabledCompare">
  <wsdl:types><xs:schema targetNamespace="urn:cl:compare" elementFormDefault="qualified">
    <xs:element name="compare"><xs:complexType><xs:sequence>
      <xs:element name="ywlx" type="xs:string"/><xs:element name="qqr" type="xs:string"/>
      <xs:element name="record" maxOccurs="unbounded"><xs:complexType><xs:sequence>
        <xs:element name="xh" type="xs:int"/><xs:element name="zjhm" type="xs:string"/>
        <xs:element name="xm" type="xs:string"/>
      </xs:sequence></xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="compareResponse"><xs:complexType><xs:sequence>
      <xs:element name="code" type="xs:string"/>
      <xs:element name="result" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
        <xs:element name="xh" type="xs:int"/><xs:element name="jg" type="xs:string"/>
        <xs:element name="hzbh" type="xs:string" minOccurs="0"/>
      </xs:sequence></xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="in"><wsdl:part name="parameters" element="tns:compare"/></wsdl:message>
  <wsdl:message name="out">
    <wsdl:part name="parameters" element="tns:compareResponse"/></wsdl:message>
  <wsdl:portType name="Port"><wsdl:operation name="compare">
    <wsdl:input message="tns:in"/><wsdl:output message="tns:out"/>
  </wsdl:operation></wsdl:portType>
  <wsdl:binding name="Binding" type="tns:Port">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="compare"><soap:operation soapAction="urn:cl:compare"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input>
      <wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="Service"><wsdl:port name="Port" binding="tns:Binding">
    <soap:address location="http://compare.invalid/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
"""
SOAP_SYSTEM = """\
system: disabled_union
title: {zh: 残疾人联合会, en: Disabled Persons Federation}
department: {code: "62089930", name: 平凉市残疾人联合会}
protocol: soap
connection: disabled_union
interfaces:
  share:
    path: /cl/services/Compare
    charset: GB18030
    soap: {wsdl: Compare.wsdl, version: "1.1", sha256: DIGEST}
    auth: {kind: ws_security_username, password: digest}
    success:
      - {check: code, equals: "00", codes: {"99": busy}}
budget: {requests_per_second: 1000, attempts: 2, backoff_first_s: 0.01}
compares:
  disability:
    label: {zh: 残疾人证比对, en: Does this person hold a disability certificate?}
    asks:
      id_no: {type: resident_id}
      name: {type: person_name}
    batch: 3
    call:
      operation: compare
      body: {ywlx: "{purpose_label}", qqr: "{asker}", record: "{questions}"}
    question: {xh: "{number}", zjhm: "{id_no}", xm: "{name}"}
    answers:
      records: result
      number: xh
      answer: {path: jg, codes: {Y: yes, N: no, S: suspended}}
      missing: no
      receipt_no: hzbh
    purposes: {bus_pass: 公交卡年审}
"""
SPACE = "{urn:cl:compare}"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


def pair(number: int) -> dict[str, str]:
    """Two people who do not exist."""
    one, other = 2 * number, 2 * number + 1
    return {
        "name_a": people.name_of(one),
        "id_a": people.resident_id_of(one),
        "name_b": people.name_of(other),
        "id_b": people.resident_id_of(other),
    }


def person(number: int) -> dict[str, str]:
    """One person who does not exist."""
    return {"id_no": people.resident_id_of(number), "name": people.name_of(number)}


def hub_at(root: Path, home: Path, url: str, connections: dict[str, dict[str, Any]]) -> Hub:
    """Open a hub with these connections."""
    settings = load_settings({"TONGBAN_ROOT": str(root), "TONGBAN_HOME": str(home)})
    settings.connections_dir.mkdir(parents=True, exist_ok=True)
    for name, document in connections.items():
        path = settings.connections_dir / f"{name}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
    return open_hub(replace(settings, database_url=url))


@contextmanager
def civil_affairs(home: Path, url: str) -> Generator[Hub]:
    """A hub of the real catalog, connected to a fake of civil affairs."""
    department = Department(load_catalog(ROOT), "civil_affairs", rows=1)
    with serving(department) as address:
        account = department.open_account(address, home / "account")
        with hub_at(ROOT, home, url, {"civil_affairs": account}) as hub:
            yield hub


def soap_root(folder: Path) -> Path:
    """A catalog of one SOAP department that only compares."""
    (folder / "connectors" / "systems").mkdir(parents=True)
    (folder / "connectors" / "wsdl").mkdir()
    (folder / "connectors" / "wsdl" / "Compare.wsdl").write_text(WSDL, encoding="utf-8")
    digest = hashlib.sha256(WSDL.encode()).hexdigest()
    text = SOAP_SYSTEM.replace("DIGEST", digest)
    (folder / "connectors" / "systems" / "disabled_union.yaml").write_text(text, encoding="utf-8")
    return folder


def soap_answers(say: Callable[[str, str], str | None]) -> Callable[[Asked], Reply]:
    """A SOAP server that answers each (number, id) with a code, or leaves it out."""

    def answer(asked: Asked) -> Reply:
        root = etree.fromstring(asked.body)
        rows = ""
        for record in root.iter(f"{SPACE}record"):
            number = record.findtext(f"{SPACE}xh") or ""
            code = say(number, record.findtext(f"{SPACE}zjhm") or "")
            if code is not None:
                row = f"<xh>{number}</xh><jg>{escape(code)}</jg><hzbh>R-{number}</hzbh>"
                rows += f"<result>{row}</result>"
        body = f'<compareResponse xmlns="urn:cl:compare"><code>00</code>{rows}</compareResponse>'
        text = f'<e:Envelope xmlns:e="{ENVELOPE}"><e:Body>{body}</e:Body></e:Envelope>'
        return 200, {"Content-Type": "text/xml; charset=GB18030"}, text.encode("gb18030")

    return answer


def rows_of(url: str, sql: str = "SELECT * FROM hub.comparison ORDER BY asked_at") -> list[Any]:
    """Ask the hub's database."""
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(sql.encode()).fetchall()
