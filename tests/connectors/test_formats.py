"""REST answers and requests in every declared format, over real HTTP, and what is wrong in them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    AnswerCharsetWrong,
    AnswerCountInvalid,
    AnswerHasDtd,
    AnswerIsWebPage,
    AnswerNamesRepeated,
    AnswerNotJson,
    AnswerNotTable,
    AnswerNotXml,
    AnswerTooLarge,
    PageShort,
    RowsMissing,
)
from connectors.protocols.lines import parse_lines, parse_table
from tests.connectors.serving import (
    ACCEPTS,
    ALL,
    JSON,
    FakeClock,
    answers,
    collect,
    connect,
    in_turn,
    ok,
    push,
    raw_serving,
    read,
    rest_system,
    serving,
)
from tongban.kernel.errors import (
    AnswerUnreadable,
    AuthenticationRefused,
    ConfigInvalid,
    SystemRefused,
    SystemUnavailable,
)
from tongban.kernel.interfaces import (
    Csv,
)
from tongban.kernel.records import OutgoingRecord, RecordShape

SHAPE = RecordShape(("id", "name"), None, frozenset({"id", "name"}))
BARE = {"records": ""}
GOOD = {
    "json": (b'{"rows":[{"id":"1","name":"\xe7\x94\xb2"},{"id":"2","name":null}]}', {}),
    "ndjson": (b'{"id":"1","name":"\xe7\x94\xb2"}\n\n{"id":2}\r\n', BARE),
    "xml": (b"<a><rows><id>1</id><name>\xe7\x94\xb2</name></rows><rows><id>2</id></rows></a>", {}),
}


def rows(body, kind, dataset, **interface):
    """Read a body over HTTP and decode it."""
    system = rest_system(interface={"answers": kind, **interface}, dataset=dataset)
    with serving(answers(200, body)) as server, connect(system, server.url) as connector:
        (page,) = connector.read_pages("account", ALL)
        assert body == page.body
        return connector.decode("account", page.body, SHAPE)


@pytest.mark.parametrize("kind", GOOD)
def test_every_format_gives_the_same_columns(kind):
    """Absent and null are null, numbers keep their digits."""
    body, dataset = GOOD[kind]
    assert [("1", "甲"), ("2", None)] == rows(body, kind, dataset).frame.rows()


def test_csv_gives_the_same_columns_and_an_empty_cell_is_an_empty_text():
    """Quotes, line breaks and delimiters inside quotes; in GB18030 as well."""
    body = 'id,name\r\n1,"甲,\n""乙"""\r\n2,\r\n'.encode("gb18030")
    decoded = rows(body, "csv", BARE, charset="gb18030")
    assert [("1", '甲,\n"乙"'), ("2", "")] == decoded.frame.rows()


def test_csv_without_a_header_takes_the_declared_names():
    """And another delimiter."""
    decoded = rows(b"1;a\n2;b\n", "csv", BARE, csv={"delimiter": ";", "header": ["id", "name"]})
    assert [("1", "a"), ("2", "b")] == decoded.frame.rows()


def test_a_table_with_a_header_only_has_no_rows():
    """That is how nothing looks in CSV."""
    assert (0, 2) == rows(b"id,name\n", "csv", BARE).frame.shape


def test_a_new_column_is_drift_and_a_missing_one_is_null():
    """Nothing is silent."""
    decoded = rows(b"id,new\n1,x\n", "csv", BARE)
    assert ([("1", None)], {"new"}) == (decoded.frame.rows(), decoded.unknown_fields)


def test_a_list_of_records_may_be_the_whole_answer():
    """`records` is empty."""
    assert [("1", "a")] == rows(b'[{"id":1,"name":"a"}]', "json", BARE).frame.rows()


def test_json_inside_a_string_is_opened_by_its_layer():
    """As gateways wrap it."""
    inner = json.dumps({"code": 0, "rows": [{"id": 1, "name": "a"}]})
    body = json.dumps({"ok": True, "data": inner}).encode()
    layers = [
        {"check": "ok", "equals": True},
        {"open": "data", "as": "json", "check": "code", "equals": 0},
    ]
    assert [("1", "a")] == rows(body, "json", {}, success=layers).frame.rows()


def test_totals_and_counts_may_travel_in_headers():
    """Formats without an envelope have no other place."""
    dataset = {"records": "", "total": "header:X-Total-Count", "count": "header:X-Rows"}
    system = rest_system(interface={"answers": "csv"}, dataset=dataset)
    headers = {"X-Total-Count": "2", "X-Rows": "2"}
    with serving(answers(200, b"id\n1\n2\n", headers)) as server:
        assert [2] == [page.declared_total for page in read(server.url, system)]
    with serving(answers(200, b"id\n1\n", headers)) as server, pytest.raises(PageShort):
        read(server.url, system)
    headers.pop("X-Rows")
    with serving(answers(200, b"id\n1\n", headers)) as server, pytest.raises(RowsMissing):
        read(server.url, system)


TWICE = {
    "top": b'{"rows":[],"rows":[{"id":1}]}',
    "record": b'{"rows":[{"id":1,"id":2}]}',
    "nested": b'{"rows":[{"p":{"a":1,"a":1}}]}',
    "in a list": b'{"rows":[{"l":[{"a":1},{"b":1,"c":2,"b":3}]}]}',
    "escaped": b'{"rows":[{"id":1,"\\u0069d":2}]}',
}


@pytest.mark.parametrize("place", TWICE)
def test_a_name_that_comes_twice_in_one_object_is_refused(place):
    """Readers disagree about which one counts, so nobody may guess."""
    with serving(answers(200, TWICE[place], JSON)) as server:
        with pytest.raises(AnswerNamesRepeated, match="two fields of the same name"):
            read(server.url)
        assert 2 == len(server.asked)  # once more, in case of an accident


def test_a_name_that_comes_twice_inside_a_string_is_refused_too():
    """JSON in a string is read as strictly."""
    body = json.dumps({"data": '{"rows":[{"id":1,"id":2}]}'}).encode()
    system = rest_system(interface={"success": [{"open": "data", "as": "json"}]})
    with serving(answers(200, body)) as server, pytest.raises(AnswerNamesRepeated):
        read(server.url, system)


def test_equal_names_in_different_objects_are_normal():
    """Each record has an id."""
    with serving(lambda _a: ok([{"id": 1, "p": {"id": 2}}, {"id": 3}])) as server:
        assert 1 == len(read(server.url))


BAD = [
    ("invalid JSON", "auto", b'{"rows":[}', AnswerNotJson),
    ("cut JSON", "auto", b'{"rows":[{"id":1', AnswerNotJson),
    ("NaN", "auto", b'{"rows":[{"id":NaN}]}', AnswerNotJson),
    ("XML where JSON is declared", "json", b"<a/>", AnswerNotJson),
    ("JSON where XML is declared", "xml", b'{"rows":[]}', AnswerNotXml),
    ("cut XML", "auto", b"<a><rows><id>1</id>", AnswerNotXml),
    ("entities", "auto", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', AnswerHasDtd),
    ("a web page", "auto", b"<html><body>maintenance</body></html>", AnswerIsWebPage),
    ("a web page instead of CSV", "csv", b"<!doctype html><html></html>", AnswerIsWebPage),
    ("a web page instead of NDJSON", "ndjson", b"<html></html>", AnswerIsWebPage),
    ("wrong charset", "auto", '{"rows":[{"id":"平凉"}]}'.encode("gbk"), AnswerCharsetWrong),
    ("NDJSON with a cut line", "ndjson", b'{"id":1}\n{"id":', AnswerNotJson),
    ("NDJSON with two records in a line", "ndjson", b'{"id":1},{"id":2}\n', AnswerNotJson),
    ("NDJSON with a record over two lines", "ndjson", b'{"id":\n1}\n', AnswerNotJson),
    ("NDJSON with a number", "ndjson", b"1\n", AnswerNotJson),
    ("NDJSON with a name twice", "ndjson", b'{"id":1,"id":2}\n', AnswerNamesRepeated),
    ("CSV with two equal columns", "csv", b"id,id\n1,2\n", AnswerNamesRepeated),
    ("CSV with a short row", "csv", b"id,name\n1\n", AnswerNotTable),
    ("CSV with a long row", "csv", b"id,name\n1,2,3\n", AnswerNotTable),
    ("CSV with an open quote", "csv", b'id,name\n1,"a\n', AnswerNotTable),
    ("CSV without anything", "csv", b"", AnswerNotTable),
    ("CSV with a nameless column", "csv", b"id,\n1,2\n", AnswerNotTable),
    ("CSV with a zero byte", "csv", b"id,name\n1,\x00\n", AnswerNotTable),
]


@pytest.mark.parametrize(("what", "kind", "body", "expected"), BAD, ids=[bad[0] for bad in BAD])
def test_each_bad_answer_has_its_own_error_and_is_kept(what, kind, body, expected):
    """With its digest in the error and the page itself in good hands; no text of it shows."""
    kept = []
    dataset = BARE if kind in {"csv", "ndjson"} else {}
    system = rest_system(interface={"answers": kind}, dataset=dataset)
    with serving(answers(200, body)) as server, pytest.raises(AnswerUnreadable) as caught:
        read(server.url, system, on_unreadable=lambda _w, page: kept.append(page))
    assert expected is type(caught.value), what
    assert {body} == set(kept)
    assert "平凉" not in str(caught.value)


@pytest.mark.parametrize("total", ["-1", "1.5", '"many"', "1e-3", "12345678901234567890"])
def test_a_total_that_is_no_count_has_its_own_error(total):
    """A negative total would end every reading at once."""
    body = f'{{"rows":[],"total":{total}}}'.encode()
    system = rest_system(dataset={"total": "total"})
    with serving(answers(200, body)) as server, pytest.raises(AnswerCountInvalid):
        read(server.url, system)


def test_two_hundred_megabytes_are_refused_before_they_are_read():
    """By its Content-Length; nobody downloads it first."""
    sent = []

    def handler(_asked):
        sent.append(1)
        return 200, {"Content-Length": str(200 << 20)}, b'{"rows":['

    with serving(handler) as server, pytest.raises(AnswerTooLarge, match="more than 64 MB"):
        read(server.url, rest_system(budget={"attempts": 1}))


def test_the_codes_of_all_bad_answers_differ():
    """The code is what the operator sees first."""
    kinds = {bad[3] for bad in BAD} | {AnswerTooLarge, AnswerCountInvalid}
    assert len(kinds) == len({kind.code for kind in kinds})


GATEWAY = {"success": [{"check": "code", "equals": "0", "codes": {"9": "authentication"}}]}


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_an_error_of_the_gateway_in_json_is_understood_where_lines_are_expected(kind):
    """Its code decides; it is no row."""
    system = rest_system(interface={"answers": kind, **GATEWAY}, dataset=BARE)
    with serving(answers(200, b'{"code":"9"}')) as server, pytest.raises(AuthenticationRefused):
        read(server.url, system)
    with serving(answers(200, b'{"code":"7"}')) as server, pytest.raises(SystemRefused):
        read(server.url, system)


def test_ndjson_records_pass_by_declared_layers():
    """Two lines are two records, also where one looks like an answer."""
    system = rest_system(interface={"answers": "ndjson", **GATEWAY}, dataset=BARE)
    body = b'{"code":"7","id":1}\n{"code":"8","id":2}\n'
    with serving(answers(200, body)) as server, connect(system, server.url) as connector:
        (page,) = connector.read_pages("account", ALL)
        frame = connector.decode("account", page.body, SHAPE).frame
    assert ["1", "2"] == frame["id"].to_list()


def test_lists_inside_csv_rows_are_a_configuration_error():
    """A mapping with `explode` would silently give nothing."""
    table = parse_table(b"id\n1\n", Csv(), "here")
    shape = RecordShape(("id", "l.x"), "l", frozenset({"id", "l.x"}))
    with pytest.raises(ConfigInvalid, match="explode"):
        table.columns("", shape, whole=True)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=20))
def test_csv_reads_back_what_any_writer_writes(written):
    """Every text survives, line breaks and quotes included."""
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("id", "name"), *written])
    table = parse_table(stream.getvalue().encode(), Csv(), "here")
    assert written == table.columns("", SHAPE, whole=True).frame.rows()


@given(st.lists(st.fixed_dictionaries({"id": TEXT, "name": st.none() | TEXT}), max_size=20))
def test_ndjson_reads_back_what_was_written(written):
    """One line each, whatever is inside the texts."""
    body = "".join(json.dumps(row) + "\n" for row in written).encode()
    document = parse_lines(body, "here")
    expected = [(row["id"], row["name"]) for row in written]
    assert len(written) == document.count("")
    assert expected == document.columns("", SHAPE, whole=True).frame.rows()


XML_START = '<?xml version="1.0" encoding="utf-8"?>\n'
SENT = {
    "xml": (
        {"In": {"@v": "1", "Row": "{records}"}},
        XML_START + '<In v="1"><Row><id>g1</id><name>甲&amp;乙</name></Row></In>',
    ),
    "ndjson": ({"rows": "{records}"}, '{"id":"g1","name":"甲&乙"}\n'),
    "csv": ({"rows": "{records}"}, "id,name\r\ng1,甲&乙\r\n"),
    "json": ({"rows": "{records}"}, '{"rows":[{"id":"g1","name":"甲&乙"}]}'),
}


@pytest.mark.parametrize("kind", SENT)
def test_every_format_is_also_sent(kind):
    """With the content type of the format; the answers come as JSON."""
    body, expected = SENT[kind]
    call = {"method": "POST", "path": "/in", "body": body, "send_as": kind}
    system = rest_system(accepts={**ACCEPTS, "call": call})
    good = answers(200, b'{"results":[{"id":"g1","s":"ok"}]}', JSON)
    record = OutgoingRecord("g1", "I", 1, "d", {"name": "甲&乙"})
    with serving(good) as server:
        assert "accepted" == push(server.url, system, [record])[0].outcome
        (asked,) = server.asked
    assert expected == asked.body.decode()
    assert kind in asked.headers["content-type"]


def test_a_retry_after_date_is_measured_on_the_servers_clock():
    """Its clock may be an hour wrong; the difference is right."""
    clock = FakeClock()
    lines = (
        "HTTP/1.1 503 Busy",
        "Content-Length: 0",
        "Connection: close",
        "Date: Mon, 08 Oct 2018 07:00:00 GMT",
        "Retry-After: Mon, 08 Oct 2018 07:00:09 GMT",
        "\r\n",
    )
    busy = "\r\n".join(lines).encode()
    system = rest_system(budget={"attempts": 2})
    with raw_serving(lambda c: c.sendall(busy)) as server, pytest.raises(SystemUnavailable):
        read(server.url, system, clock=clock)
    assert [9.0] == clock.waits


def test_pages_before_a_bad_one_are_handed_out():
    """What was good stays good."""
    dataset = {
        "call": {"path": "/a", "query": {"c": "{cursor}"}},
        "paging": {"kind": "cursor", "size": 1, "next": "next"},
    }
    handler = in_turn(lambda _a: ok([{"id": 1}], next="x"), answers(200, b"{"))
    with serving(handler) as server:
        connector = connect(rest_system(dataset=dataset), server.url)
        kept = []
        with pytest.raises(AnswerNotJson):
            collect(connector.read_pages("account", ALL), kept)
        assert 1 == len(kept)


def test_an_error_status_wins_over_its_body():
    """A 502 with half a page of JSON is an outage, not broken JSON."""
    with serving(answers(502, b'{"rows":[')) as server, pytest.raises(SystemUnavailable):
        read(server.url)
