"""XML answers become text columns: hardened, strict in charset, by local names, without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.protocols.xmldoc import looks_like_html, parse_xml, to_utf8
from tongban.kernel.errors import AnswerUnreadable
from tongban.kernel.records import RecordShape

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<b>&b;</b>"
)
EXTERNAL = '<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]><b>&x;</b>'


def read(text: str, fields, *, path="l.r", explode=None, known=(), whole=True):
    """Read a text's rows."""
    shape = RecordShape(tuple(fields), explode, frozenset(known) | frozenset(fields))
    return parse_xml(text.encode(), "here").columns(path, shape, whole=whole)


def test_rows_are_read_by_local_name_whatever_the_prefix():
    """Prefixes and namespaces of one page may differ."""
    text = '<x><l><r><a>1</a></r><n:r xmlns:n="urn:n"><n:a>2</n:a></n:r></l></x>'
    assert ["1", "2"] == read(text, ["a"]).frame["a"].to_list()


def test_missing_reordered_and_empty_elements_fall_into_their_columns():
    """Servers break the order of their own schema."""
    text = "<x><l><r><a>1</a><b>2</b></r><r><b>3</b><a>4</a></r><r><a/></r><r/></l></x>"
    expected = [("1", "2"), ("4", "3"), (None, None), (None, None)]
    assert expected == read(text, ["a", "b"]).frame.rows()


def test_unknown_elements_are_reported():
    """Also those that only one row has."""
    text = "<x><l><r><a>1</a></r><r><a>1</a><new>2</new></r></l></x>"
    assert {"new"} == read(text, ["a"]).unknown_fields


def test_repeated_leaf_is_drift_and_the_first_is_taken():
    """Two values for one cell are never silent."""
    decoded = read("<x><l><r><a>1</a><a>2</a></r></l></x>", ["a"])
    assert ["1"] == decoded.frame["a"].to_list()
    assert {"a[]"} == decoded.unknown_fields


def test_nil_is_null_and_cdata_and_entities_are_text():
    """`xsi:nil`, CDATA, character references."""
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    text = (
        f'<x {xsi}><l><r><a xsi:nil="true"/><b><![CDATA[<&>]]></b><c>&lt;&#x7532;</c></r></l></x>'
    )
    assert [(None, "<&>", "<甲")] == read(text, ["a", "b", "c"]).frame.rows()


def test_comments_and_instructions_inside_a_value_do_not_cut_it():
    """The value goes on behind them."""
    assert ["12"] == read("<x><l><r><a>1<!-- c -->2</a></r></l></x>", ["a"]).frame["a"].to_list()


def test_attributes_are_addressed_with_at():
    """Of the record and of its children."""
    text = '<x><l><r id="7"><a unit="元">1</a></r></l></x>'
    assert [("7", "元", "1")] == read(text, ["@id", "a.@unit", "a"]).frame.rows()


def test_nested_fields_and_exploded_lists():
    """Holders below a right, each with the right's number."""
    text = (
        "<x><l><r><k>1</k><L><q><n>a</n></q><q><n>b</n><z>1</z></q></L></r>"
        "<r><k>2</k><L/></r><r><k>3</k></r></l></x>"
    )
    decoded = read(text, ["k", "L.q.n"], explode="L.q")
    assert [("1", "a"), ("1", "b")] == decoded.frame.rows()
    assert {"L.q.z"} == decoded.unknown_fields
    assert ["a", None, None] == read(text.replace("<q><n>b</n><z>1</z></q>", ""), ["L.q.n"]).frame[
        "L.q.n"
    ].to_list()


@pytest.mark.parametrize(
    "text", [BOMB, EXTERNAL, "<!DOCTYPE a><a/>", "  <!-- c --><!DOCTYPE a><a/>"]
)
def test_a_dtd_is_refused_before_parsing(text):
    """Billion laughs and file reading die here."""
    with pytest.raises(AnswerUnreadable, match="DTD"):
        parse_xml(text.encode(), "here")


def test_doctype_inside_a_value_is_just_text():
    """Only the prolog counts."""
    text = "<x><l><r><a><![CDATA[<!DOCTYPE html>]]></a></r></l></x>"
    assert ["<!DOCTYPE html>"] == read(text, ["a"]).frame["a"].to_list()


@pytest.mark.parametrize("text", ["", "   ", "<a>", "<a></b>", "<a>&x;</a>", "text", "<a>\x01</a>"])
def test_broken_xml_is_unreadable(text):
    """Cut, crossed, undefined entity, control character."""
    with pytest.raises(AnswerUnreadable):
        parse_xml(text.encode(), "here")


@pytest.mark.parametrize("charset", ["utf-8", "GB18030", "GBK", "UTF-16"])
def test_declared_charset_wins_over_what_the_answer_claims(charset):
    """Mislabelled answers are read by the system's YAML."""
    body = '<?xml version="1.0" encoding="ISO-8859-1"?><x><l><r><a>平凉</a></r></l></x>'
    document = parse_xml(to_utf8(body.encode(charset), charset, "here"), "here")
    assert "平凉" == document.text("l.r.a")


@pytest.mark.parametrize(
    ("charset", "body"), [("utf-8", "平凉".encode("gbk")), ("gbk", b"\xff\xff")]
)
def test_bytes_of_another_charset_are_refused_with_their_place(charset, body):
    """Strict: no replacement character ever enters the hub."""
    with pytest.raises(AnswerUnreadable, match=r"at byte \d"):
        to_utf8(body, charset, "here")


def test_rare_characters_survive_gb18030():
    """Names with four-byte characters (𠮷, 㐱)."""
    assert "𠮷㐱".encode() == to_utf8("𠮷㐱".encode("gb18030"), "GB18030", "here")


def test_byte_order_mark_is_no_content():
    """Some servers put one in front."""
    assert b"<a/>" == to_utf8(b"\xef\xbb\xbf<a/>", "utf-8", "here")


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>", b"\n <HTML><body>", b"<!-- x --><html>"]
)
def test_web_pages_are_recognised(body):
    """A maintenance page is no answer."""
    assert looks_like_html(body)


def test_an_answer_is_no_web_page():
    """`htmlish` names do not count."""
    assert not looks_like_html(b"<htmlanswer/>")


TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn", "Co")), min_size=1)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), TEXT)))
def test_decoding_equals_a_plain_walk(rows):
    """Against the obvious reader, for any texts and any missing fields."""
    root = etree.Element("x")
    records = etree.SubElement(root, "l")
    for row in rows:
        record = etree.SubElement(records, "r")
        for name, text in row.items():
            etree.SubElement(record, name).text = text
    expected = [tuple(row.get(name) for name in "abc") for row in rows]
    assert expected == read(etree.tostring(root, encoding="unicode"), "abc").frame.rows()


def test_fingerprints_see_attributes_and_leave_out_what_always_differs():
    """Records that are all attributes are not all the same record."""
    document = parse_xml(b'<x><r a="1" t="9"/><r a="2" t="8"/><r a="1" t="7"/></x>', "here")
    first, second, third = document.prints("r", frozenset(["@t"]))
    assert first == third
    assert first != second
