"""What servers of other teams were seen to answer: each is read whole, or refused by its name."""

from __future__ import annotations

import json
import zlib

import pytest

from connectors.errors import AnswerListMissing, LinkLeavesHost
from tests.connectors.serving import (
    ALL,
    JSON,
    Asked,
    Reply,
    answers,
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
    ConfigInvalid,
    DeliveryUnclear,
    SystemUnavailable,
)
from tongban.kernel.records import OutgoingRecord, RecordShape

ROWS = [{"id": str(n)} for n in range(7)]
SHAPE = RecordShape(("id", "name"), None, frozenset({"id", "name"}))
PAGES = {"kind": "page_number", "size": 3, "shifting": "no"}


def ids(url: str, dataset: dict, **interface: object) -> list[str]:
    """Pull the dataset and decode what was landed."""
    system = rest_system(interface=interface, dataset=dataset)
    with connect(system, url) as connector:
        bodies = [page.body for page in connector.read_pages("account", ALL)]
        frames = [connector.decode("account", body, SHAPE).frame for body in bodies]
    return [each for frame in frames for each in frame["id"].to_list()]


def numbered(nothing: Reply):
    """Numbered pages of three rows; `nothing` comes after the last."""

    def answer(asked: Asked) -> Reply:
        at = 3 * (int(asked.query["page"]) - 1)
        return ok(ROWS[at : at + 3], code=0) if at < len(ROWS) else nothing

    return answer


@pytest.mark.parametrize(
    "nothing",
    [
        (200, JSON, b"null"),
        (200, JSON, b"{}"),
        (200, JSON, b'{"rows":null}'),
        (200, JSON, b'{"rows":{}}'),
        (200, JSON, b'{"rows":""}'),
        (200, JSON, b'{"nextPageToken":"","count":0}'),
        (204, {}, b""),
    ],
    ids=["null", "object", "null-list", "php", "text", "omitted", "204"],
)
def test_every_way_to_say_no_rows_ends_the_pages(nothing):
    """They differ by language and serializer; none is an error."""
    dataset = {"call": {"path": "/a", "query": {"p": "1", "page": "{page}"}}, "paging": PAGES}
    with serving(numbered(nothing)) as server:
        assert [row["id"] for row in ROWS] == ids(server.url, dataset)


@pytest.mark.parametrize("body", [b"{}", b"null"])
def test_an_answer_without_its_code_is_no_rows_only_where_that_is_declared(body):
    """Silence is no success by itself."""
    layer = {"check": "code", "equals": "0"}
    with serving(answers(200, body, JSON)) as server:
        with pytest.raises(AnswerUnreadable, match=r'codes: \{"": empty\}'):
            ids(server.url, {}, success=[layer])
        assert [] == ids(server.url, {}, success=[layer | {"codes": {"": "empty"}}])


def test_the_body_of_a_status_that_means_no_rows_is_not_read_as_a_page():
    """It was landed as it came, and then refused when it was decoded."""
    interface = {"statuses": {404: "empty"}, "success": [{"check": "code", "equals": "0"}]}
    with serving(answers(404, b'{"code":404,"msg":"none"}', JSON)) as server:
        assert [] == ids(server.url, {}, **interface)


def test_a_lone_record_in_place_of_a_list_is_a_list_of_one():
    """As sources write it that turn XML into JSON."""
    with serving(answers(200, b'{"data":{"row":{"id":"7","name":"x"}}}', JSON)) as server:
        assert ["7"] == ids(server.url, {"records": "data.row"})


def test_an_object_around_the_list_is_not_taken_for_a_record():
    """A wrong path must not make rows of nothing."""
    with (
        serving(answers(200, b'{"data":{"list":[{"id":"7"}],"total":1}}', JSON)) as server,
        pytest.raises(AnswerUnreadable, match="correct `records`"),
    ):
        ids(server.url, {"records": "data"})


@pytest.mark.parametrize(
    ("body", "layers"),
    [
        ({"error": "denied"}, []),
        ({"code": 500, "msg": "down"}, []),
        ({"code": 0, "records": [{"id": "1"}]}, [{"check": "code", "equals": "0"}]),
        ({"code": 0, "data": {"list": [{"id": "1"}]}}, [{"check": "code", "equals": "0"}]),
    ],
    ids=["error", "undeclared-code", "renamed", "moved"],
)
def test_a_list_that_is_gone_is_not_taken_for_an_empty_window(body, layers):
    """Otherwise the next window begins after rows that nobody has read."""
    kept: list[bytes] = []
    system = rest_system(interface={"success": layers})
    with (
        serving(answers(200, json.dumps(body).encode(), JSON)) as server,
        pytest.raises(AnswerListMissing) as caught,
    ):
        read(server.url, system, on_unreadable=lambda _where, page: kept.append(page))

    assert [json.dumps(body).encode()] == kept
    assert {"sha256", "size", "path"} <= set(caught.value.context)


@pytest.mark.parametrize(
    "body",
    [{"code": 0, "msg": "ok"}, {"code": 0, "data": {"total": 0, "facets": [{"k": 1}]}}],
)
def test_success_without_a_list_is_no_rows(body):
    """Serializers that leave empty lists out are common."""
    dataset = {"records": "data.list", "total": "data.total"}
    with serving(answers(200, json.dumps(body).encode(), JSON)) as server:
        assert [] == ids(server.url, dataset, success=[{"check": "code", "equals": "0"}])


def test_a_next_url_under_a_name_with_dots_is_followed():
    """OData calls it @odata.nextLink; read as a path it was never there, and one page was all."""

    def answer(asked: Asked) -> Reply:
        at = int(asked.query.get("skip", 0))
        more = {"@odata.nextLink": f"/a?skip={at + 3}"} if at + 3 < len(ROWS) else {}
        return 200, JSON, json.dumps({"value": ROWS[at : at + 3], **more}).encode()

    paging = {"kind": "next_url", "size": 3, "next": "@odata.nextLink"}
    with serving(answer) as server:
        assert [row["id"] for row in ROWS] == ids(
            server.url, {"records": "value", "paging": paging}
        )


def test_a_field_under_a_name_with_dots_is_read_and_known():
    """Flattened documents have such names."""
    body = b'{"rows":[{"id":"1","owner.name":"x","owner":{"age":3}}]}'
    shape = RecordShape(("owner.name",), None, frozenset({"id", "owner.name", "owner.age"}))
    with connect(rest_system(), "http://127.0.0.1:1") as connector:
        decoded = connector.decode("account", body, shape)

    assert ["x"] == decoded.frame["owner.name"].to_list()
    assert frozenset() == decoded.unknown_fields


@pytest.mark.parametrize(("last", "end"), [(False, []), ("0", ["0"]), (0, "0"), (None, [])])
def test_cursors_end_where_the_source_says_so(last, end):
    """Some sources say it with false, or with the cursor 0."""

    def answer(asked: Asked) -> Reply:
        at = int(asked.query.get("cursor") or 0)
        return ok(ROWS[at : at + 3], next=at + 3 if at + 3 < len(ROWS) else last)

    paging = {"kind": "cursor", "size": 3, "next": "next", "end": end}
    call = {"path": "/a", "query": {"cursor": "{cursor?}"}}
    with serving(answer) as server:
        assert [row["id"] for row in ROWS] == ids(server.url, {"call": call, "paging": paging})
        assert 3 == len(server.asked)


def test_a_whole_number_may_be_written_with_a_zero_behind_the_point():
    """1.0 is how some serializers write a count."""
    with serving(answers(200, b'{"rows":[{"id":"1"}],"total":1.0}', JSON)) as server:
        assert ["1"] == ids(server.url, {"total": "total"})


def linked(server_host: str):
    """A link to page two at another spelling of the host."""

    def answer(asked: Asked) -> Reply:
        if asked.query.get("o"):
            return ok(ROWS[3:])
        port = asked.headers["host"].rpartition(":")[2]
        link = f"<http://{server_host.format(port=port)}/inner/a?o=3>; rel=next"
        return 200, {**JSON, "Link": link}, json.dumps({"rows": ROWS[:3]}).encode()

    return answer


def test_the_same_host_in_other_letters_is_the_same_host():
    """Host names have no case (RFC 3986, 3.2.2)."""
    paging = {"paging": {"kind": "link_header", "size": 3}}
    with serving(linked("LocalHost:{port}")) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert [row["id"] for row in ROWS] == ids(url, paging)


@pytest.mark.parametrize("host", ["a:b@127.0.0.1:{port}", "127.0.0.1:1", "inner.invalid:{port}"])
def test_links_to_others_or_with_an_identity_of_their_own_are_not_followed(host):
    """A user in a link would replace our identity."""
    paging = {"paging": {"kind": "link_header", "size": 3}}
    with serving(linked(host)) as server:
        with pytest.raises(LinkLeavesHost):
            ids(server.url, paging)
        assert 1 == len(server.asked)


def test_behind_a_proxy_only_the_links_query_is_taken():
    """The source names its inner address; we go on asking the outer one."""
    paging = {"paging": {"kind": "link_header", "size": 3, "take": "query"}}
    with serving(linked("10.0.0.5:8080")) as server:
        assert [row["id"] for row in ROWS] == ids(server.url, paging)
        assert ["/accounts", "/accounts"] == [asked.path for asked in server.asked]


def test_a_kept_cursor_that_is_a_link_is_checked_again():
    """The address of the connection may have changed, or somebody the kept cursor."""
    system = rest_system(dataset={"paging": {"kind": "link_header", "size": 3}})
    with serving(in_turn(linked("127.0.0.1:{port}"))) as server, serving(answers(200)) as other:
        with connect(system, server.url) as connector:
            cursor = next(connector.read_pages("account", ALL)).next_cursor
        with connect(system, other.url) as connector, pytest.raises(LinkLeavesHost):
            list(connector.read_pages("account", ALL, after=cursor))

    assert [] == other.asked
    assert 1 == len(server.asked)


@pytest.mark.parametrize("size", [1, 2])
def test_a_capped_window_without_pages_is_asked_in_halves(size):
    """The declared total tells it; it must not be called missing rows."""
    hours = [f"2018-10-0{d} {h:02d}:00:00" for d in (5, 6) for h in range(0, 24, 6 // size)]

    def answer(asked: Asked) -> Reply:
        inside = [h for h in hours if asked.query["from"] <= h < asked.query["to"]]
        return ok([{"id": h} for h in inside[:3]], total=len(inside))

    window = {"format": "yyyy-MM-dd HH:mm:ss", "cap_rows": 3}
    with serving(answer) as server:
        assert hours == ids(server.url, {"total": "total", "window": window})


def test_a_list_in_a_query_repeats_its_name():
    """It was written as Python writes lists."""
    call = {"path": "/a?fixed=1", "query": {"s": ["1", "2"], "t": "{size}"}}
    with serving(lambda _asked: ok(ROWS)) as server:
        read(server.url, rest_system(dataset={"call": call}))

    assert ["fixed=1&s=1&s=2&t=1"] == [asked.raw_query for asked in server.asked]


@pytest.mark.parametrize("coding", ["br", "compress"])
def test_a_compression_that_nobody_asked_for_is_named(coding):
    """Not called a wrong charset."""
    reply = answers(200, zlib.compress(b"{}"), {**JSON, "Content-Encoding": coding})
    with serving(reply) as server, pytest.raises(AnswerUnreadable, match="Content-Encoding"):
        read(server.url)


TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>; rel=next\r\n\r\n"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"rows":[{"id":"1"}]}'


def test_a_header_of_the_answer_that_contradicts_itself_is_no_mistake_of_ours():
    """A push may have taken effect by then."""
    with raw_serving(lambda talk: talk.sendall(TWO_LENGTHS)) as server:
        with pytest.raises(SystemUnavailable):
            read(server.url)
        with pytest.raises(DeliveryUnclear):
            push(server.url)


def test_interim_answers_are_read_past():
    """Taken for the answer, they would leave it on the connection for the next call."""
    with raw_serving(lambda talk: talk.sendall(HINTS + ANSWER)) as server:
        assert ["1"] == ids(server.url, {})


def test_a_server_that_only_ever_hints_is_given_up():
    """And not listened to for ever."""
    with (
        raw_serving(lambda talk: talk.sendall(HINTS * 50)) as server,
        pytest.raises(SystemUnavailable),
    ):
        read(server.url)


ONE = {
    "call": {"method": "PUT", "path": "/rec/{guid}", "body": {"r": "{record}"}},
    "batch": 1,
    "answers": {"accepted": {"path": "s", "equals": "ok"}},
}


@pytest.mark.parametrize(
    ("guid", "path"),
    [("a/b", "/rec/a%2Fb"), ("中?x#f", "/rec/%E4%B8%AD%3Fx%23f"), ("%2e", "/rec/%252e")],
)
def test_a_key_in_an_address_stays_one_segment_of_it(guid, path):
    """A key with a slash must not reach another address."""
    record = OutgoingRecord(guid, "I", 1, "d", {})
    with serving(answers(200, b'{"s":"ok"}', JSON)) as server:
        push(server.url, rest_system(accepts=ONE), [record])

    assert [path] == [asked.path for asked in server.asked]


def test_a_key_that_would_lead_upwards_is_not_sent():
    """HTTP leaves such segments out, and with them the key."""
    with serving(answers(200, b'{"s":"ok"}', JSON)) as server:
        with pytest.raises(ConfigInvalid, match="leave it out"):
            push(server.url, rest_system(accepts=ONE), [OutgoingRecord("..", "I", 1, "d", {})])
        assert [] == server.asked
