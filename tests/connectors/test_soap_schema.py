"""What a WSDL's schema says about records: names, order, repeats, nil, bytes, attributes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from connectors.protocols.schema import Schemas, schemas_of
from connectors.protocols.shapes import Shape
from connectors.protocols.soap_page import PageReader
from tests.connectors.soap_corpus import FOLDER, STYLES
from tongban.kernel.errors import InterfaceChanged
from tongban.kernel.interfaces import (
    Interface,
    Soap,
)
from tongban.kernel.records import RecordShape

WSDL = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:z"
  xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema"
  targetNamespace="urn:z"><w:types>
  <x:schema targetNamespace="urn:z" elementFormDefault="qualified">{schema}</x:schema></w:types>
 <w:message name="a"><w:part name="p" element="t:ask"/></w:message>
 <w:message name="b"><w:part name="p" element="t:told"/></w:message>
 <w:portType name="P"><w:operation name="ask"><w:input message="t:a"/><w:output message="t:b"/>
 </w:operation></w:portType>
 <w:binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <w:operation name="ask"><s:operation soapAction=""/><w:input><s:body use="literal"/></w:input>
  <w:output><s:body use="literal"/></w:output></w:operation></w:binding>
 <w:service name="S"><w:port name="Q" binding="t:B"><s:address location="http://x/"/></w:port>
 </w:service></w:definitions>"""


def answer(folder: Path, schema: str, **files: str) -> Shape:
    """Describe the answer of a WSDL with that schema."""
    pins = {}
    for name, text in {"z.wsdl": WSDL.format(schema=schema), **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
        pins[name] = hashlib.sha256(text.encode()).hexdigest()
    soap = Soap(wsdl="z.wsdl", sha256=pins.pop("z.wsdl"), imports=pins)
    spoken = schemas_of(folder, soap).operation("ask", soap)
    assert spoken is not None
    return spoken.answer


def told(inside: str, more: str = "") -> str:
    """Write the schema of an answer."""
    return (
        f'<x:element name="ask"/><x:element name="told"><x:complexType>{inside}</x:complexType>'
        f"</x:element>{more}"
    )


def names(shape: Shape) -> list[str]:
    """Give the names of the children."""
    return [child.name for child in shape.children]


def test_a_record_of_the_corpus_is_known_whole():
    """Sequence, choice, group, extension, attribute group, imports of three files."""
    record = STYLES[0].reader.record
    assert names(record) == [
        "no",
        "on",
        "at",
        "paid",
        "days",
        "isUrgent",
        "cardNo",
        "residentId",
        "hospital",
        "ward",
        "patient",
        "items",
        "amount",
        "scan",
        "seal",
        "note",
    ]
    assert ("id", "state") == record.attributes
    assert ["base64", "hex"] == [record.child(name).binary for name in ("scan", "seal")]
    assert record.child("paid").nillable
    assert record.at("items.item").repeats
    assert ("currency",) == record.child("amount").attributes
    assert "结算编号" == record.child("no").label
    assert ["name", "born"] == names(record.child("patient"))


@pytest.mark.parametrize(
    ("particle", "ordered", "repeats"),
    [
        ("sequence", True, False),
        ("choice", True, False),
        ("all", False, False),
        ('sequence maxOccurs="unbounded"', False, True),
        ('choice maxOccurs="9"', False, True),
    ],
)
def test_what_a_particle_means_for_order_and_repeats(tmp_path, particle, ordered, repeats):
    """A repeated choice may come in any order."""
    end = particle.partition(" ")[0]
    inside = f'<x:{particle}><x:element name="a"/><x:element name="b"/></x:{end}>'
    shape = answer(tmp_path, told(inside))
    assert (ordered, [repeats] * 2) == (shape.ordered, [c.repeats for c in shape.children])


def test_recursive_types_end(tmp_path):
    """A tree of trees is known for one level and open below."""
    tree = (
        '<x:complexType name="T"><x:sequence><x:element name="l" type="t:T"/>'
        '<x:element name="r" type="t:T"/><x:element name="v"/></x:sequence></x:complexType>'
    )
    shape = answer(
        tmp_path, told('<x:sequence><x:element name="t" type="t:T"/></x:sequence>', tree)
    )
    assert ["l", "r", "v"] == names(shape.at("t"))
    assert shape.at("t.l").is_open


def test_squares_of_types_cost_no_time(tmp_path):
    """Thirty types that each hold the next one twice."""
    types = "".join(
        f'<x:complexType name="T{n}"><x:sequence><x:element name="a" type="t:T{n + 1}"/>'
        f'<x:element name="b" type="t:T{n + 1}"/></x:sequence></x:complexType>'
        for n in range(30)
    )
    last = (
        '<x:complexType name="T30"><x:sequence><x:element name="v"/></x:sequence></x:complexType>'
    )
    inside = '<x:sequence><x:element name="t" type="t:T0"/></x:sequence>'
    assert ["a", "b"] == names(answer(tmp_path, told(inside, types + last)).at("t"))


def test_an_included_schema_without_a_namespace_takes_the_includers(tmp_path):
    """A chameleon."""
    inner = (
        '<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:complexType name="T"><x:sequence>'
        '<x:element name="v" type="U"/></x:sequence></x:complexType>'
        '<x:complexType name="U"><x:sequence><x:element name="w"/></x:sequence></x:complexType>'
        "</x:schema>"
    )
    schema = '<x:include schemaLocation="i.xsd"/>' + told(
        '<x:sequence><x:element name="t" type="t:T"/></x:sequence>'
    )
    assert ["w"] == names(answer(tmp_path, schema, **{"i.xsd": inner}).at("t.v"))


SUBSTITUTION = told(
    '<x:sequence><x:element ref="t:r" maxOccurs="unbounded"/></x:sequence>',
    '<x:element name="r"><x:complexType><x:sequence><x:element ref="t:id"/>'
    '<x:element name="n"/></x:sequence></x:complexType></x:element>'
    '<x:element name="id"/><x:element name="passport" substitutionGroup="t:id"/>'
    '<x:element name="permit" substitutionGroup="t:passport"/>',
)


def test_members_of_a_substitution_group_stand_at_their_heads_place(tmp_path):
    """Also members of members; each is read by its own name, and none is drift of order."""
    shape = answer(tmp_path, SUBSTITUTION)
    assert ("passport", "permit") == shape.at("r.id").alternatives
    soap = Soap(
        wsdl="z.wsdl", sha256=hashlib.sha256((tmp_path / "z.wsdl").read_bytes()).hexdigest()
    )
    reader = PageReader(Interface(), "x", "r", schemas_of(tmp_path, soap).operation("ask", soap))
    kinds = ("id", "passport", "permit")
    rows = "".join(f"<r><{kinds[n % 3]}>{n}</{kinds[n % 3]}><n>x</n></r>" for n in range(12))
    body = f'<E xmlns:e="urn:e"><Body><told xmlns="urn:z">{rows}</told></Body></E>'
    body = body.replace("<E ", "<Envelope ").replace("</E>", "</Envelope>")
    wanted = RecordShape((*kinds, "n"), None, frozenset((*kinds, "n")))
    decoded = reader.decode(body.encode(), wanted, whole=True)
    assert [("0", None, None, "x"), (None, "1", None, "x"), (None, None, "2", "x")] == (
        decoded.frame.rows()[:3]
    )
    assert not decoded.unknown_fields


def test_an_unknown_type_is_open_not_an_error(tmp_path):
    """What the schema does not say does not stop the reader."""
    inside = '<x:sequence><x:element name="a" type="t:NoSuch"/><x:any/></x:sequence>'
    shape = answer(tmp_path, told(inside))
    assert shape.is_open
    assert shape.at("a").is_open


def test_a_pinned_file_that_is_no_xml_is_told(tmp_path):
    """By its name."""
    (tmp_path / "z.wsdl").write_text("no xml", encoding="utf-8")
    soap = Soap(wsdl="z.wsdl", sha256="0" * 64)
    with pytest.raises(InterfaceChanged, match=r"z\.wsdl.*no well-formed XML"):
        schemas_of(tmp_path, soap)


def test_encoded_arrays_are_known_by_their_items():
    """`wsdl:arrayType` says what an array holds."""
    spoken = schemas_of(FOLDER, STYLES[3].soap).operation("find", STYLES[3].soap)
    assert spoken.encoded
    assert ("urn:civil:old", "Marriage") == spoken.answer.at("rows").array_of
    assert ["no", "on", "fee", "husband", "wife"] == names(spoken.answer.at("rows.*"))


def test_both_versions_of_one_service_are_told_apart(tmp_path):
    """The port that speaks the declared version is the one that counts."""
    assert isinstance(schemas_of(FOLDER, STYLES[1].soap), Schemas)
    other = STYLES[1].soap.model_copy(update={"version": "1.1"})
    assert schemas_of(FOLDER, other).operation("Query", other) is None
