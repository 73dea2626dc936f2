"""Drafting from descriptions and samples as foreign tool kits write them."""

from __future__ import annotations

import pytest
import yaml

from tests.connectors.test_soap_wild import ELEMENTS, wsdl
from tongban.kernel.errors import ConfigInvalid
from tongban.onboarding.roles import answer_roles
from tongban.onboarding.sample import read_sample
from tongban.onboarding.sources import Source
from tongban.onboarding.write_identity import account_fields, identity_lines
from tongban.onboarding.wsdl import read_wsdl
from tongban.onboarding.xsd import MOST_NODES

ENV = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def described(text: str):
    """The one operation of a description."""
    return read_wsdl(Source("w.wsdl", "w.wsdl", text.encode())).operations[0]


def sampled(inside: str, *, start: bytes = b"", charset: str = "utf-8"):
    """What a sample answer shows."""
    text = f'<e:Envelope xmlns:e="{ENV}" xmlns:i="{XSI}"><e:Body>{inside}</e:Body></e:Envelope>'
    return answer_roles(read_sample(Source("a.xml", "a.xml", start + text.encode(charset))))


@pytest.mark.parametrize("draft", ["1999", "2000/10"])
def test_drafts_of_the_schema_language_are_read(draft):
    """Old tool kits still write them."""
    space = f"http://www.w3.org/{draft}/XMLSchema"
    text = wsdl(ELEMENTS.replace("dateTime", "timeInstant"), xs=space)

    assert ["datetime", "string", "string"] == [node.type for node in described(text).inputs]


def test_a_net_data_set_has_its_tables_rows_as_records():
    """Its schema says nothing; its rows are two levels below the diffgram."""
    told = (
        '<x:element name="told"><x:complexType><x:sequence><x:element name="set"><x:complexType>'
        '<x:sequence><x:element ref="x:schema"/><x:any/></x:sequence></x:complexType></x:element>'
        "</x:sequence></x:complexType></x:element>"
    )
    text = wsdl(ELEMENTS.partition('<x:element name="told"')[0] + told)

    assert "set.diffgram.*.*" == answer_roles(described(text).output).records


def test_a_message_that_is_one_value_is_its_own_part():
    """So that a draft has a place for it."""
    text = wsdl(
        ELEMENTS.replace('name="ask"', 'name="old"') + '<x:element name="ask" type="x:int"/>'
    )

    assert [("ask", True)] == [(node.name, node.required) for node in described(text).inputs]


def test_types_that_nest_in_squares_end():
    """Twelve levels of twelve children each are more than any machine holds."""
    levels = "".join(
        f'<x:complexType name="n{level}"><x:sequence>'
        + "".join(f'<x:element name="e{n}" type="t:n{level + 1}"/>' for n in range(12))
        + "</x:sequence></x:complexType>"
        for level in range(12)
    )
    text = wsdl(ELEMENTS.replace('name="no" type="x:string"', 'name="no" type="t:n0"') + levels)

    def count(node) -> int:
        return 1 + sum(count(child) for child in node.children)

    assert MOST_NODES <= count(described(text).output) <= MOST_NODES + 200


WHY = {
    "its ports name the binding C, but it binds B": wsdl(port="t:C"),
    "has no wsdl:service": wsdl().partition("<w:service")[0] + "</w:definitions>",
    "abstract part": wsdl().replace("w:binding", "w:documentation"),
    "not SOAP over HTTP": wsdl().replace("wsdl/soap/", "wsdl/http/"),
    r"\(Namespace prefix q on element is not defined\)": wsdl("<q:element/>"),
}


@pytest.mark.parametrize("why", WHY)
def test_what_cannot_be_drafted_says_why(why):
    """A person must know which file to ask for."""
    with pytest.raises(ConfigInvalid, match=why):
        described(WHY[why])


@pytest.mark.parametrize(
    ("start", "charset"),
    [
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="gb2312"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="utf-8"?>', "gb18030"),
        (b'<?xml version="1.0" encoding="GBK"?>', "gbk"),
    ],
)
def test_a_sample_is_read_whatever_charset_it_claims(start, charset):
    """Saved answers are in the charset in which they came."""
    rows = "<row k='1'><name>平凉</name></row><row k='2'><name>甲</name></row>"
    found = sampled(f"<told>{rows}</told>", start=start, charset=charset)

    assert "row" == found.records
    assert {"name": ("平凉", "甲"), "@k": ("1", "2")} == {
        path: node.samples for path, node in found.record.leaves()
    }


def test_a_sample_of_dictionaries_shows_their_keys_as_names():
    """PHP and Axis write rows as items of key and value."""
    row = (
        '<item i:type="m:Map"><item><key>id</key><value>{}</value></item>'
        "<item><key>name</key><value>甲</value></item></item>"
    )
    space = 'xmlns:m="http://xml.apache.org/xml-soap"'
    found = sampled(f"<told {space}><return>{row.format(1)}{row.format(2)}</return></told>")

    assert "return.item" == found.records
    assert ["id", "name"] == [path for path, _ in found.record.leaves()]


def test_an_account_beside_the_question_becomes_identity():
    """.NET services ask for it as optional text; nobody else says that it is one."""
    told = '<x:element minOccurs="0" name="Account" type="x:string"/>'
    told += '<x:element minOccurs="0" name="PassWord" type="x:string"/>'
    text = wsdl(ELEMENTS.replace("<x:sequence>", "<x:sequence>" + told, 1))
    found = read_wsdl(Source("w.wsdl", "w.wsdl", text.encode()))
    to_fill: list[str] = []

    lines = identity_lines(found, found.operations[0], to_fill)

    auth = yaml.safe_load("\n".join(lines))["auth"]
    assert {"Account": "{login}", "PassWord": "{secret:password}"} == auth["values"]
    assert ["Account, PassWord are login and password"] == [
        line.partition(": ")[2].partition(" of ")[0] for line in to_fill
    ]


def test_a_user_name_alone_is_a_filter():
    """Only beside a password is it ours."""
    told = '<x:element minOccurs="0" name="UserName" type="x:string"/>'
    text = wsdl(ELEMENTS.replace("<x:sequence>", "<x:sequence>" + told, 1))

    assert {} == account_fields(described(text))
