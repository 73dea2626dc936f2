"""Descriptions as they are in the wild: understood, or refused with what to do."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # noqa: S405 - our own requests

import pytest

from connectors import check_operations
from connectors.protocols.mended import mended
from tests.connectors.serving import Reply, serving
from tests.connectors.test_soap_wire import ENV11, XML, declare, read
from tongban.kernel.errors import ConfigInvalid, InterfaceChanged

XS = "http://www.w3.org/2001/XMLSchema"
ASK = {"call": {"operation": "ask", "body": {"since": "{since}"}}, "records": "row"}
ELEMENTS = """
  <x:element name="ask"><x:complexType><x:sequence><x:element name="since" type="x:dateTime"/>
    <x:element name="part" type="x:string" minOccurs="0" maxOccurs="unbounded"/></x:sequence>
    <x:attribute name="lang" type="x:string"/></x:complexType></x:element>
  <x:element name="told"><x:complexType><x:sequence><x:element name="row" maxOccurs="unbounded">
    <x:complexType><x:sequence><x:element name="no" type="x:string"/></x:sequence></x:complexType>
  </x:element></x:sequence></x:complexType></x:element>"""
ANSWER = (
    f'<e:Envelope xmlns:e="{ENV11}"><e:Body><told xmlns="urn:w"><row><no>1</no></row></told>'
    "</e:Body></e:Envelope>"
).encode()


def wsdl(elements: str = ELEMENTS, *, xs: str = XS, start: str = "", more: str = "", **parts: str):
    """Write a description; `parts` replaces its messages, binding or port."""
    messages = parts.get(
        "messages",
        '<w:message name="i"><w:part name="p" element="t:ask"/></w:message>'
        '<w:message name="o"><w:part name="p" element="t:told"/></w:message>',
    )
    bound = parts.get("bound", "")
    return f"""{start}<?xml version="1.0" encoding="UTF-8"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:w" xmlns:x="{xs}"
 xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" targetNamespace="urn:w"><w:types>
 <x:schema targetNamespace="urn:w" elementFormDefault="qualified">{elements}</x:schema>{more}
 </w:types>{messages}
 <w:portType name="P"><w:operation name="ask"><w:input message="t:i"/><w:output message="t:o"/>
 </w:operation></w:portType>
 <w:binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
 <w:operation name="ask"><s:operation soapAction="urn:ask"/><w:input>{bound}<s:body use="literal"/>
 </w:input><w:output><s:body use="literal"/></w:output></w:operation></w:binding>
 <w:service name="S"><w:port name="Q" binding="{parts.get("port", "t:B")}">
 <s:address location="http://x/"/></w:port></w:service></w:definitions>"""


def asked(tmp_path, text: str, *, dataset=ASK, files=None, **more):
    """Pin a description, call it, and give the request's element, its headers and the rows."""
    home = tmp_path / "connectors" / "wsdl"
    for name, content in {"a/w.wsdl": text, **(files or {})}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content, encoding="utf-8")
    found = []

    def serve(request) -> Reply:
        body = ET.fromstring(request.body).find(f"{{{ENV11}}}Body")  # noqa: S314 - our own
        found.append((body[0], request.headers))
        return 200, XML, ANSWER

    system = declare(tmp_path, "a/w.wsdl", dataset, imports=tuple(files or ()), **more)
    with serving(serve) as server:
        (frame,) = read(system, server.url, tmp_path, ("no",))
    return *found[0], frame["no"].to_list()


DANGLING = '<x:element name="other" type="t:nowhere"/><x:element name="far" type="q:none"/>'
WILD = {
    "types that are nowhere": wsdl(ELEMENTS + DANGLING.replace("q:", "t:")),
    "a header without its message": wsdl(bound='<s:header message="t:h" part="h" use="literal"/>'),
    "a port that names another namespace": wsdl(port="s:B"),
    "a comment before its declaration": wsdl(start="<!-- saved from a page - by hand -->\n"),
    "the schema draft of 1999": wsdl(
        ELEMENTS.replace("unbounded", "*").replace("dateTime", "timeInstant"),
        xs="http://www.w3.org/1999/XMLSchema",
    ),
    "the schema draft of 2000": wsdl(
        ELEMENTS.replace("dateTime", "timeInstant")
        + '<x:simpleType name="k" base="x:string"><x:maxLength value="3"/></x:simpleType>',
        xs="http://www.w3.org/2000/10/XMLSchema",
    ),
}


@pytest.mark.parametrize("text", WILD.values(), ids=list(WILD))
def test_what_has_one_meaning_is_understood_and_called(tmp_path, text):
    """Zeep refuses each of these as a whole, or drops the operation."""
    element, headers, rows = asked(tmp_path, text)

    assert "{urn:w}ask" == element.tag
    assert ["{urn:w}since"] == [child.tag for child in element]
    assert '"urn:ask"' == headers["soapaction"]
    assert ["1"] == rows


def test_a_request_without_zeep_has_order_lists_and_attributes_of_the_schema(tmp_path):
    """As zeep would have written it."""
    body = {"part": ["a", "b"], "since": "{since}", "@lang": "zh"}
    dataset = {**ASK, "call": {"operation": "ask", "body": body}}

    element, *_ = asked(tmp_path, WILD["types that are nowhere"], dataset=dataset)

    assert ["since", "part", "part"] == [child.tag.rpartition("}")[2] for child in element]
    assert {"lang": "zh"} == element.attrib


@pytest.mark.parametrize("kind", ["types that are nowhere", "whole"])
def test_a_value_without_a_place_is_refused_by_name(tmp_path, kind):
    """Whoever writes the request; the value itself is never quoted."""
    dataset = {**ASK, "call": {"operation": "ask", "body": {"since": "{since}", "age": "x7x"}}}

    with pytest.raises(ConfigInvalid, match="does not fit") as caught:
        asked(tmp_path, WILD.get(kind, wsdl()), dataset=dataset)

    assert "age" in str(caught.value)
    assert "x7x" not in str(caught.value)


def test_attributes_of_a_request_are_named_with_an_at_sign(tmp_path):
    """In YAML everywhere the same."""
    dataset = {**ASK, "call": {"operation": "ask", "body": {"since": "{since}", "@lang": "zh"}}}

    element, *_ = asked(tmp_path, wsdl(), dataset=dataset)

    assert {"lang": "zh"} == element.attrib


def test_a_message_that_is_one_value_is_sent(tmp_path):
    """A bare element with a text has no parts to be named."""
    text = wsdl(
        ELEMENTS.replace('name="ask"', 'name="asked"') + '<x:element name="ask" type="x:string"/>'
    )
    dataset = {**ASK, "call": {"operation": "ask", "body": {"ask": "62"}}}

    element, *_ = asked(tmp_path, text, dataset=dataset)

    assert ("{urn:w}ask", "62") == (element.tag, element.text)


@pytest.mark.parametrize("space", ["urn:w", "urn:wrong"])
def test_imports_above_the_wsdl_and_of_a_wrong_namespace_are_read_where_they_are_pinned(
    tmp_path, space
):
    """`../../b/w.xsd` leads out of the folder, where nothing is read; the pinned copy is."""
    schema = f'<x:schema xmlns:x="{XS}" targetNamespace="urn:w" elementFormDefault="qualified">'
    text = wsdl(
        "",
        more=f'<x:schema><x:import namespace="{space}" schemaLocation="../../b/w.xsd"/></x:schema>',
    ).replace('<x:schema targetNamespace="urn:w" elementFormDefault="qualified"></x:schema>', "")
    soap = {"locations": {"../b/w.xsd": "a/w.xsd"}}

    element, *_ = asked(
        tmp_path, text, files={"a/w.xsd": f"{schema}{ELEMENTS}</x:schema>"}, soap=soap
    )

    assert ["{urn:w}since"] == [child.tag for child in element]


def test_parts_that_travel_in_a_header_are_no_body(tmp_path):
    """The message names both; the binding says which is which."""
    messages = (
        '<w:message name="i"><w:part name="h" element="t:told"/><w:part name="p" element="t:ask"/>'
        '</w:message><w:message name="o"><w:part name="p" element="t:told"/></w:message>'
    )
    text = wsdl(messages=messages, bound='<s:header message="t:i" part="h" use="literal"/>')
    element, *_ = asked(tmp_path, text)

    check_operations(declare(tmp_path, "a/w.wsdl", ASK), tmp_path)
    assert "{urn:w}ask" == element.tag


def test_several_parts_in_one_body_are_refused_by_the_check(tmp_path):
    """Only the first would be read, so nothing is."""
    messages = (
        '<w:message name="i"><w:part name="p" element="t:ask"/></w:message><w:message name="o">'
        '<w:part name="one" element="t:told"/><w:part name="two" element="t:told"/></w:message>'
    )
    home = tmp_path / "connectors" / "wsdl"
    home.mkdir(parents=True)
    (home / "w.wsdl").write_text(wsdl(messages=messages), encoding="utf-8")

    with pytest.raises(ConfigInvalid, match=r"the answer of ask .*\(one, two\)"):
        check_operations(declare(tmp_path, "w.wsdl", ASK), tmp_path)


def test_an_operation_that_nobody_describes_is_still_refused(tmp_path):
    """Our own reading invents nothing."""
    dataset = {**ASK, "call": {"operation": "asks", "body": {}}}

    with pytest.raises(InterfaceChanged, match='no operation "asks"'):
        asked(tmp_path, wsdl(), dataset=dataset)


def test_a_valid_description_is_not_touched():
    """Byte for byte."""
    assert wsdl().encode() == mended(wsdl().encode())
