"""The quick way never differs from the tree: same rows, drift and refusals, or it yields."""

from __future__ import annotations

from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.protocols.samples import Irregular
from connectors.protocols.shapes import Shape, Spoken
from connectors.protocols.soap_page import PageReader
from tongban.kernel.errors import TongbanError
from tongban.kernel.interfaces import (
    Interface,
)
from tongban.kernel.records import RecordShape

ENV = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
RECORD = Shape(
    "r",
    repeats=True,
    children=(
        Shape("a"),
        Shape("b", nillable=True),
        Shape("L", children=(Shape("q", repeats=True, children=(Shape("n"), Shape("z"))),)),
        Shape("c"),
    ),
)
ANSWER = Shape("resp", children=(Shape("code"), Shape("l", children=(RECORD,))))
MARKED = RecordShape(("a", "@id", "a.@u"), None, frozenset(["a", "@id", "a.@u"]))
FLAT = RecordShape(("a", "b", "c"), None, frozenset("abcL"))
EXPLODED = RecordShape(("a", "L.q.n", "L.q.z"), "L.q", frozenset(["a", "b", "L.q.n"]))


def reader(*, declared: bool = True, success: object = ()) -> PageReader:
    """Read pages with or without a schema."""
    spoken = Spoken(ANSWER, Shape("ask"), "document", False, "") if declared else None
    return PageReader(Interface.model_validate({"success": success}), "x", "l.r", spoken)


def page(*records: str, before: str = "", after: str = "") -> str:
    """Write an answer."""
    inside = f"<code>0</code>{before}<l>{''.join(records)}</l>{after}"
    body = f'<t:resp xmlns:t="urn:t">{inside}</t:resp>'
    return f'<e:Envelope xmlns:e="{ENV}" xmlns:i="{XSI}"><e:Body>{body}</e:Body></e:Envelope>'


def row(n: object, more: str = "") -> str:
    """Write a record."""
    return f"<r><a>{n}</a><b>甲{n}</b>{more}<c>x</c></r>"


ROWS = [row(n) for n in range(12)]
LIST = "<L><q><n>1</n></q><q><n>2</n><z>3</z></q></L>"


def read(text: str, shape: RecordShape, *, quick: bool, declared: bool = True):
    """Give rows and drift, or the refusal's class."""
    which = reader(declared=declared)
    try:
        document = which._opened(text.encode(), which.record, quick=quick)
        decoded = document.columns("l.r", shape, whole=True)
    except TongbanError as exc:
        return type(exc)
    return decoded.frame.rows(), decoded.unknown_fields


ODD = {
    "nothing odd": page(*ROWS),
    "few": page(*ROWS[:3]),
    "reordered late": page(*ROWS, "<r><b>1</b><a>2</a></r>"),
    "unknown late": page(*ROWS, row(1, "<new>1</new>")),
    "unknown everywhere": page(*[row(n, "<new>1</new>") for n in range(12)]),
    "repeated leaf": page(*ROWS, "<r><a>1</a><a>2</a></r>"),
    "attribute late": page(*ROWS, '<r><a u="1">1</a></r>'),
    "attribute of a record": page(*ROWS, '<r id="7"><a>1</a></r>'),
    "attributes everywhere": page(
        *[f'<r id="{n}" s="&lt;甲"><a u="元">{n}</a><b/></r>' for n in range(12)]
    ),
    "attributes sometimes": page(
        *[row(n).replace("<a>", '<a u="元" v="">') if n % 2 else row(n) for n in range(12)]
    ),
    "attributes in any order": page(
        *['<r x="1" y="2"><a>1</a></r>'] * 12, '<r y="2" x="1"><a>1</a></r>'
    ),
    "attributes in single quotes": page(*["<r id='1'><a>1</a></r>"] * 12),
    "attribute twice": page(*['<r id="1"><a>1</a></r>'] * 12, '<r id="1" id="2"><a>1</a></r>'),
    "attribute with a line end": page(*['<r id="1\n2"><a>1</a></r>'] * 12),
    "attribute that is new": page(*['<r id="1"><a>1</a></r>'] * 12, '<r x="1"><a>1</a></r>'),
    "attributes of lists": page(
        *[f'<r><a>{n}</a><L n="1"><q i="7"><n k="v">1</n></q></L></r>' for n in range(12)]
    ),
    "typed and marked": page(*[f'<r><a i:type="s" u="1">{n}</a></r>' for n in range(12)]),
    "misordered everywhere": page(*[f"<r><b>{n}</b><a>{n}</a></r>" for n in range(12)]),
    "CDATA everywhere": page(*[f"<r><a><![CDATA[<b>&{n}]]></a>\n</r>" for n in range(12)]),
    "CDATA and text": page(*["<r><a>x<![CDATA[]]>y<![CDATA[ ]] ]]></a></r>" for n in range(12)]),
    "comments everywhere": page(*[f"<r><!-- <r> --><a>{n}<!--x--></a></r>" for n in range(12)]),
    "comment in a tag": page(*["<r><a>1</a></r>"] * 12, "<r><a<!-- x -->>1</a></r>"),
    "bad comment": page(*["<r><a>1</a></r>"] * 12, "<!-- a -- b -->"),
    "nil": page(*ROWS, '<r><a>1</a><b i:nil="true"/></r>', *ROWS),
    "nil in long form": page('<r><b i:nil="1"></b></r>', *ROWS),
    "nil record": page(*ROWS, '<r i:nil="true"/>'),
    "typed": page(*[f'<r><a i:type="s">{n}</a></r>' for n in range(12)]),
    "empty both ways": page(*ROWS, "<r><a/><b></b></r>", "<r></r>", "<r/>"),
    "empty leaves": page(*ROWS, "<r><a/><b></b></r>", "<r></r>", *ROWS),
    "blanks between": page(*[f"\n <r>\n  <a>{n}</a> <b> x </b>\n </r>\n" for n in range(12)]),
    "line ends": page(*[f"\r\n<r>\r\n<a>1\r2\r\n3{n}</a></r>" for n in range(12)]),
    "comment between": page(*ROWS, "<!-- x -->", *ROWS),
    "comment inside": page(*ROWS, "<r><a>1<!-- x -->2</a></r>"),
    "records in a comment": page(*ROWS, f"<!-- {''.join(ROWS)} -->"),
    "records in a comment before": page(*ROWS, before=f"<!-- {''.join(ROWS)} -->"),
    "records in CDATA before": page(*ROWS, before=f"<x><![CDATA[{''.join(ROWS)}]]></x>"),
    "records in CDATA only": page(before=f"<x><![CDATA[{''.join(ROWS)}]]></x>"),
    "instruction": page(*ROWS, "<?php x ?>", *ROWS),
    "CDATA": page(*ROWS, "<r><a><![CDATA[<r>&</r>]]></a></r>"),
    "references": page(*[row("&lt;&#x7532;&#30002;&amp;amp;&quot;&apos;") for _ in range(12)]),
    "undefined reference": page(*ROWS, row("&x;")),
    "undefined reference unread": page(*ROWS, row(1, "<L><q><n>&x;</n></q></L>")),
    "reference to nothing": page(*ROWS, row("&#1;")),
    "reference too large": page(*ROWS, row("&#x110000;")),
    "lonely ampersand": page(*ROWS, row("a & b")),
    "control character": page(*ROWS, row("\x02")),
    "not a character": page(*ROWS, row("\ufffe")),
    "end of CDATA": page(*ROWS, row("]]>")),
    "text between": page(*ROWS, "lost", *ROWS),
    "text in a record": page(*ROWS, "<r>lost<a>1</a></r>"),
    "element between": page(*ROWS, "<s/>", *ROWS),
    "two lists": page(*ROWS, after=f"<m>{''.join(ROWS)}</m>"),
    "same name elsewhere": page(*ROWS, before="<r><a>9</a></r>"),
    "same name inside": page(*[row(n, "<r><a>1</a></r>") for n in range(12)]),
    "two blocks": page(*ROWS, "</l><l>", *ROWS),
    "crossed": page(*ROWS, "<r><a>1</b></r>"),
    "cut": page(*ROWS)[:-40],
    "cut in a record": page(*ROWS)[:-120],
    "unbound prefix": page(*ROWS, "<r><u:a>1</u:a></r>"),
    "unbound prefix early": page(ROWS[0], "<r><u:a>1</u:a></r>", *ROWS),
    "other prefix": page(*ROWS, '<r xmlns:u="urn:u"><u:a>1</u:a></r>'),
    "other prefix everywhere": page(*[f"<t:r><t:a>{n}</t:a></t:r>" for n in range(12)]),
    "leaf with children": page(*ROWS, "<r><a>1<k>2</k></a></r>"),
    "lists": page(*[row(n, LIST if n % 3 else "<L/>") for n in range(12)]),
    "list of one": page(*[row(n, "<L><q><n>1</n></q></L>") for n in range(12)]),
    "two lists in a record": page(*[row(n, LIST + LIST) for n in range(12)]),
    "lists that hold more": page(*[row(n, "<L><q><n>1</n><y>2</y></q></L>") for n in range(12)]),
    "lists with text": page(*[row(n, LIST) for n in range(12)], row(1, "<L>x</L>")),
    "blank lists": page(*[f"<r> <a>{n}</a> <L> {LIST[3:-4]} </L> </r>" for n in range(12)]),
    "DTD": "<!DOCTYPE x>" + page(*ROWS),
    "no records": page(),
    "a fault": page(*ROWS).replace("<t:resp", "<e:Fault").replace("t:resp>", "e:Fault>"),
    "second in the Body": page(*ROWS).replace("</e:Body>", "<t:more/></e:Body>"),
    "quote in a tag": page(*ROWS, "<r><a >1</a ></r>"),
}


@pytest.mark.parametrize("shape", [FLAT, EXPLODED, MARKED], ids=["flat", "exploded", "marked"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("name", ODD)
def test_odd_pages_are_read_as_the_tree_reads_them(name, declared, shape):
    """Whatever a server writes: the quick way gives the same, or leaves the page to the tree."""
    expected = read(ODD[name], shape, quick=False, declared=declared)
    try:
        found = read(ODD[name], shape, quick=True, declared=declared)
    except Irregular:
        return
    assert expected == found


@pytest.mark.parametrize(
    "name",
    [
        "nothing odd",
        "references",
        "lists",
        "empty leaves",
        "nil",
        "attributes everywhere",
        "attributes of lists",
        "CDATA everywhere",
        "comments everywhere",
        "misordered everywhere",
    ],
)
def test_the_common_ones_go_the_quick_way(name):
    """Else the test above would hold for nothing."""
    for shape in (FLAT, EXPLODED, MARKED):
        assert not isinstance(read(ODD[name], shape, quick=True), type), shape


@pytest.mark.parametrize("name", ODD)
def test_decoding_gives_the_trees_answer_in_the_end(name):
    """What a caller sees: rows or a named refusal, never the inner signal."""
    expected = read(ODD[name], FLAT, quick=False)
    if isinstance(expected, type):
        with pytest.raises(expected):
            reader().decode(ODD[name].encode(), FLAT, whole=True)
        return
    decoded = reader().decode(ODD[name].encode(), FLAT, whole=True)
    assert expected[0] == decoded.frame.rows()
    assert expected[1] <= decoded.unknown_fields


def test_an_element_out_of_the_schemas_order_is_read_and_reported():
    """`name~`: the value is in its column, the drift in the finding."""
    text = page("<r><b>1</b><a>2</a></r>", "<r><a>3</a><L><q><z>1</z><n>2</n></q></L></r>")
    decoded = reader().decode(text.encode(), FLAT, whole=True)
    assert [("2", "1", None), ("3", None, None)] == decoded.frame.rows()
    assert {"a~", "L.q.n~"} == decoded.unknown_fields


def test_an_unknown_attribute_is_reported():
    """It would be lost in silence."""
    text = page('<r state="new"><a unit="元">1</a></r>')
    decoded = reader().decode(text.encode(), FLAT, whole=True)
    assert {"@state", "a.@unit"} == decoded.unknown_fields


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=8)
CELL = st.one_of(st.none(), TEXT)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(CELL, CELL, CELL, st.lists(CELL, max_size=3)), min_size=8, max_size=14))
def test_any_texts_come_out_as_the_tree_reads_them(rows):
    """Missing, empty, escaped, forbidden: rows, or the same refusal."""

    def cell(name: str, text: str | None) -> str:
        return "" if text is None else f"<{name}>{escape(text)}</{name}>"

    def items(names: list[str | None]) -> str:
        return "".join(f"<q>{cell('n', name)}</q>" for name in names)

    records = [
        f"<r>{cell('a', a)}{cell('b', b)}<L>{items(q)}</L>{cell('c', c)}</r>" for a, b, c, q in rows
    ]
    for shape in (FLAT, EXPLODED):
        expected = read(page(*records), shape, quick=False)
        with suppress(Irregular):
            assert expected == read(page(*records), shape, quick=True)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "gbk"])
def test_xml_in_a_string_is_cut_too(charset):
    """Escaped or in CDATA, in the declared charset."""
    layers = [{"open": "data", "as": "xml", "check": "code", "equals": "0"}]
    inner = f"<doc><code>0</code><l>{''.join(ROWS)}</l></doc>"
    which = PageReader(
        Interface.model_validate({"success": layers, "charset": charset}), "x", "l.r", None
    )
    for text in (escape(inner), f"<![CDATA[{inner}]]>"):
        body = page(before=f"<data>{text}</data>").encode(charset)
        assert 12 == which.decode(body, FLAT, whole=True).frame.height
        assert ("0", "甲0", "x") == which.decode(body, FLAT, whole=True).frame.row(0)


def test_a_failing_layer_is_told_from_the_same_scan():
    """Success layers are checked before any record is read."""
    which = reader(success=[{"check": "code", "equals": "1", "codes": {"0": "busy"}}])
    with pytest.raises(TongbanError, match="busy"):
        which.decode(page(*ROWS).encode(), FLAT, whole=True)
