"""Irregular pages are read by the layouts of their records: same rows and drift as the tree."""

from __future__ import annotations

from itertools import starmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.protocols.samples import Irregular
from tests.connectors.test_soap_bulk import FLAT, MARKED, page, reader, row
from tongban.kernel.records import RecordShape

LISTED = RecordShape(("a", "L.q.n", "L.q.@k"), "L.q", frozenset(["a", "b", "L.q.n", "L.q.@k"]))


def quick_and_tree(text: str, shape: RecordShape):
    """Read a page both ways; the quick one must not yield."""
    found = []
    for quick in (True, False):
        source = reader()
        document = source._opened(text.encode(), source.record, quick=quick)
        found.append(document.columns(source.records, shape, whole=True))
    return found


def many(*kinds: str) -> str:
    """A page of forty records of those kinds in turn; `#` is the number of the record."""
    return page(*(kinds[n % len(kinds)].replace("#", str(n)) for n in range(40)))


KINDS = {
    "attributes of some": (row("#"), '<r id="#"><a u="元">#</a><c>x</c></r>'),
    "another order": (row("#"), "<r><c>#</c><a>1</a><b>2</b></r>"),
    "unknown elements": (row("#"), "<r><a>#</a><new>1</new></r>"),
    "a repeated leaf": (row("#"), "<r><a>#</a><a>2</a></r>"),
    "references": ('<r id="&lt;#"><a>&amp;#</a></r>', "<r><b>&gt;</b><a>#</a></r>"),
    "prefixes of their own": (
        "<r><b>1</b><a>#</a></r>",
        '<r><a>#</a><z:b xmlns:z="urn:z">2</z:b></r>',
    ),
    "nil": ('<r><b i:nil="true"/><a>#</a></r>', "<r><a>#</a><b></b></r>"),
    "empty records": ("<r><a>#</a></r>", "<r></r>"),
    "blanks": ("\n  <r>\n <a> # </a>\n</r>", '<r  id="#" ><a >#</a ></r>'),
    "comments and sections": ('<r id="#"><!-- c --><a><![CDATA[<#>]]></a></r>', row("#")),
}


@pytest.mark.parametrize("kinds", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize("shape", [FLAT, MARKED], ids=["flat", "marked"])
def test_records_of_several_layouts_are_read_as_the_tree_reads_them(kinds, shape):
    """Without falling back to it."""
    quick, tree = quick_and_tree(many(*kinds), shape)

    assert tree.frame.rows() == quick.frame.rows()
    assert tree.unknown_fields == quick.unknown_fields
    assert 40 == quick.frame.height


def test_exploded_lists_of_any_length_are_read_by_layout():
    """Each child beside its parent; a parent without children has no row."""
    kinds = (
        '<r><a>#</a><L><q k="1"><n>#</n></q><q k="2"><n>b</n></q></L></r>',
        "<r><L/><a>#</a></r>",
        '<r><a>#</a><L><q k="3"><n>c</n><z>1</z></q></L></r>',
    )
    quick, tree = quick_and_tree(many(*kinds), LISTED)

    assert [("0", "0", "1"), ("0", "b", "2"), ("2", "c", "3")] == quick.frame.rows()[:3]
    assert tree.frame.rows() == quick.frame.rows()
    assert {"L.q.z"} == quick.unknown_fields


ROW = "<r><c>1</c><a>#</a></r>"  # out of order, so that the page has no one grammar
YIELDING = {
    "mixed content": (ROW, "<r><a>#<i/>x</a></r>"),
    "instructions": (ROW, "<r><?p x?><a>#</a></r>"),
    "a sign that closes a tag": (ROW, "<r><a>1>2</a><c>1</c></r>"),
    "nil records": (ROW, '<r i:nil="true"></r>'),
    "something between the records": (ROW, "<r><b>1</b><a>#</a></r><s>1</s>"),
    "values in single quotes": (ROW, "<r id='#'><a>#</a></r>"),
    "values of two lines": (ROW, '<r id="1\n#"><a>#</a></r>'),
    "no name bound to it": (ROW, "<r><x:a>#</x:a></r>"),
    "an attribute twice": (ROW, '<r id="#" id="#"><a>#</a></r>'),
    "crossed tags": (ROW, "<r><a><b>#</a></b></r>"),
    "every record another": (ROW, *(f"<r><x{n}/><a>#</a></r>" for n in range(199))),
}


@pytest.mark.parametrize("kinds", YIELDING.values(), ids=list(YIELDING))
def test_what_only_a_parser_may_judge_is_left_to_the_tree(kinds):
    """Nothing is guessed: the whole page decides."""
    text = page(*(kinds[n % len(kinds)].replace("#", str(n)) for n in range(200)))
    source = reader()
    document = source._opened(text.encode(), source.record, quick=True)

    with pytest.raises(Irregular):
        document.columns(source.records, MARKED, whole=True)


def test_elements_out_of_the_schemas_order_are_drift_in_every_layout():
    """The order of the schema is a, b, L, c."""
    source = reader()
    text = many(row("#"), "<r><b>2</b><a>#</a></r>", "<r><c>3</c><b>2</b></r>")

    decoded = source.decode(text.encode(), FLAT, whole=True)

    assert {"a~", "b~"} <= decoded.unknown_fields
    assert "c~" not in decoded.unknown_fields


NAMES = st.sampled_from(["a", "b", "c", "n"])
VALUES = st.text(st.sampled_from("a1 ="), max_size=3)
RECORDS = st.lists(
    st.tuples(
        st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=3),
        st.none() | VALUES,
        st.integers(0, 2),
    ),
    min_size=8,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(RECORDS)
def test_any_mixture_is_read_as_the_tree_reads_it(records):
    """Order, repeats, attributes and lists as they come."""

    def one(leaves, mark, count):
        inside = "".join(
            f'<{name} u="{text}">{text}</{name}>' if has else f"<{name}>{text}</{name}>"
            for name, text, has in leaves
        )
        items = "".join(f"<q><n>{n}</n></q>" for n in range(count))
        start = "<r>" if mark is None else f'<r id="{mark}">'
        return f"{start}{inside}<L>{items}</L></r>"

    text = page(*starmap(one, records)).encode()
    for shape in (FLAT, MARKED, LISTED):
        source = reader()
        tree = source._opened(text, source.record, quick=False)
        expected = tree.columns(source.records, shape, whole=True)
        assert expected.frame.rows() == source.decode(text, shape, whole=True).frame.rows()
        got = {n for n in source.decode(text, shape, whole=True).unknown_fields if n[-1] != "~"}
        assert expected.unknown_fields == got
