"""Dictionaries that PHP and Axis write are rows with names."""

from __future__ import annotations

from connectors.protocols.soap_page import PageReader
from tests.connectors.test_soap_bulk import ENV, XSI
from tongban.kernel.interfaces import (
    Interface,
)
from tongban.kernel.records import RecordShape

FIELDS = RecordShape(("id", "name", "item.value"), None, frozenset(["id", "name", "item.value"]))


def rows(*items: str, space: str = "http://xml.apache.org/xml-soap"):
    """Decode a page of maps."""
    inside = "".join(f'<item i:type="m:Map">{item}</item>' for item in items)
    body = (
        f'<e:Envelope xmlns:e="{ENV}" xmlns:i="{XSI}" xmlns:m="{space}"><e:Body>'
        f"<r><return>{inside}</return></r></e:Body></e:Envelope>"
    )
    reader = PageReader(Interface(), "x", "return.item", None)
    return reader.decode(body.encode(), FIELDS, whole=True)


def pair(key: str, value: str) -> str:
    """One entry of a map."""
    return f"<item><key>{key}</key><value>{value}</value></item>"


def test_the_values_of_a_map_are_read_by_their_keys():
    """On pages of any length."""
    items = [pair("id", str(n)) + pair("name", f"甲{n}") for n in range(30)]

    assert [(str(n), f"甲{n}", None) for n in range(30)] == rows(*items).frame.rows()


def test_a_key_that_is_no_name_stays_as_it_came():
    """Nothing is lost, and nothing is invented."""
    assert [("7", None, "x")] == rows(pair("id", "7") + pair("1 2", "x")).frame.rows()


def test_a_map_of_another_namespace_is_none():
    """The type's namespace says what it is, not its name."""
    assert [(None, None, "7")] == rows(pair("id", "7"), space="urn:other").frame.rows()
