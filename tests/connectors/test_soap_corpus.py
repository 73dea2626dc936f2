"""What we read equals zeep's own deserialisation, on every answer of the corpus, both ways."""

from __future__ import annotations

import pytest

from connectors.protocols.pages import PageDocument
from connectors.protocols.samples import Irregular
from tests.connectors.soap_corpus import CASES, STYLES, Style, leaves, means, zeep_value
from tongban.kernel.records import RecordShape

IDS = [f"{style.name}-{path.stem}" for style, path in CASES]
REGULAR = {"regular", "optional", "prefixed_and_pretty", "nested", "derived_types", "line_ends"}


def wanted(style: Style, *, attributes: bool) -> RecordShape:
    """Ask for every field that a record may have."""
    record = style.reader.record
    assert record is not None
    names = [name for name, _ in leaves(record) if attributes or "@" not in name]
    return RecordShape(tuple(names), None, frozenset(names))


@pytest.mark.parametrize("attributes", [False, True])
@pytest.mark.parametrize(("style", "path"), CASES, ids=IDS)
def test_every_value_is_the_one_that_zeep_reads(style, path, attributes):
    """Names, order, nil, nesting, attributes, references, bytes; with attributes as a tree."""
    body = path.read_bytes()
    shape = wanted(style, attributes=attributes)
    theirs = style.zeep_rows(body)

    ours = style.reader.decode(body, shape, whole=True).frame

    assert len(theirs) == ours.height
    for name in shape.fields:
        pairs = zip(ours[name], (zeep_value(row, name) for row in theirs), strict=True)
        assert [] == [pair for pair in pairs if not means(*pair)], name


@pytest.mark.parametrize(("style", "path"), CASES, ids=IDS)
def test_the_quick_way_and_the_tree_give_the_same(style, path):
    """Rows and drift; what the quick way cannot prove it leaves to the tree."""
    body, reader = path.read_bytes(), style.reader
    shape = wanted(style, attributes=False)
    tree = reader._opened(body, reader.record, quick=False).columns(
        reader.records, shape, whole=True
    )
    document = reader._opened(body, reader.record, quick=True)
    try:
        quick = document.columns(reader.records, shape, whole=True)
    except Irregular:
        assert path.stem not in REGULAR
        return

    assert tree.frame.equals(quick.frame)
    assert tree.unknown_fields == quick.unknown_fields


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_the_quick_way_is_taken_where_it_should_be(style):
    """A corpus that only ever fell back would prove nothing."""
    for path in style.answers():
        if path.stem in REGULAR:
            document = style.reader._opened(path.read_bytes(), style.reader.record, quick=True)
            assert isinstance(document, PageDocument)


def test_exploded_lists_equal_zeeps_nested_objects():
    """Items of a claim, each beside its claim's number; claims without items have none."""
    style = STYLES[0]
    path = next(p for p in style.answers() if p.stem == "nested")
    body = path.read_bytes()
    expected = [
        (row.no, item.name, str(item.price))
        for row in style.zeep_rows(body)
        for item in (row["items"].item if row["items"] else ())
    ]
    shape = RecordShape(("no", "items.item.name", "items.item.price"), "items.item")

    for quick in (True, False):
        document = style.reader._opened(body, style.reader.record, quick=quick)
        assert expected == document.columns(style.reader.records, shape, whole=False).frame.rows()


def test_bytes_never_stand_in_a_column():
    """Base64 and hex are references with digest and size."""
    style = STYLES[0]
    path = next(p for p in style.answers() if p.stem == "binary")
    frame = style.reader.decode(path.read_bytes(), RecordShape(("scan", "seal")), whole=False).frame
    assert all(v.startswith("attachment:sha256=") for name in frame.columns for v in frame[name])
    assert frame["scan"][0].endswith(";size=120")
    assert frame["seal"][0].endswith(";size=5")
