"""Faults: whatever the wire or the server does, one of our errors comes out, the right one."""

from __future__ import annotations

import gzip
import hashlib
import logging
import pickle  # noqa: S403 - our own bytes
import socket
import struct
import threading
import time
import zlib
from datetime import datetime

import pytest

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
    CredentialsMissing,
    DeliveryUnclear,
    OutsideBudget,
    RateLimited,
    SystemRefused,
    SystemUnavailable,
    TongbanError,
)
from tongban.kernel.records import BEIJING


def reset(connection: socket.socket) -> None:
    """Drop the connection hard."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def saying(data: bytes):
    """Answer raw bytes and close."""
    return lambda connection: connection.sendall(data)


RAW_FAULTS = {
    "reset": reset,
    "closed without a word": lambda _c: None,
    "no HTTP": saying(b"hello\r\n\r\n"),
    "half a body": saying(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"rows":['),
    "broken chunks": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "cut chunks": saying(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"r'),
    "endless header": saying(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n{}"),
}


@pytest.mark.parametrize("fault", RAW_FAULTS)
def test_broken_connections_make_a_read_unavailable_after_its_tries(fault):
    """Reads are tried again, then given up with the number of tries."""
    with raw_serving(RAW_FAULTS[fault]) as server:
        with pytest.raises(SystemUnavailable, match=r"nothing was written.*tried 3 times"):
            read(server.url)
        assert 3 == len(server.asked)


@pytest.mark.parametrize("fault", RAW_FAULTS)
def test_broken_connections_make_a_push_unclear_and_are_not_repeated_here(fault):
    """It may have taken effect; only the caller may repeat it, with the same keys."""
    with raw_serving(RAW_FAULTS[fault]) as server:
        with pytest.raises(DeliveryUnclear, match="same keys"):
            push(server.url)
        assert 1 == len(server.asked)


@pytest.mark.parametrize("act", [read, push])
def test_nobody_listening_is_unavailable_also_for_a_push(act):
    """Nothing was sent, so nothing can have taken effect."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SystemUnavailable, match="refuses the connection"):
        act(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("act", [read, push])
def test_unknown_host_is_unavailable(act):
    """A name server may be down."""
    with pytest.raises(SystemUnavailable, match="host name is unknown"):
        act("http://tongban.invalid:1")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "nonsense", "http://", "http://[::1"])
def test_an_address_that_is_none_is_a_configuration_error(url):
    """Said as such, not as an outage."""
    with pytest.raises(ConfigInvalid):
        read(url)


HTML = b"<!DOCTYPE html><html><body>maintenance</body></html>"
CASES = [
    ("html with 200", answers(200, HTML), AnswerUnreadable, DeliveryUnclear),
    ("cut json", answers(200, b'{"rows":['), AnswerUnreadable, DeliveryUnclear),
    ("no json", answers(200, b"ok"), AnswerUnreadable, DeliveryUnclear),
    ("empty", answers(200), AnswerUnreadable, DeliveryUnclear),
    (
        "gbk",
        answers(200, '{"rows":[{"a":"平凉"}]}'.encode("gbk")),
        AnswerUnreadable,
        DeliveryUnclear,
    ),
    (
        "broken gzip",
        answers(200, b"no gzip", {"Content-Encoding": "gzip"}),
        AnswerUnreadable,
        DeliveryUnclear,
    ),
    ("500", answers(500), SystemUnavailable, DeliveryUnclear),
    ("502 html", answers(502, HTML), SystemUnavailable, DeliveryUnclear),
    ("503", answers(503), SystemUnavailable, SystemUnavailable),
    ("429", answers(429), RateLimited, RateLimited),
    ("401", answers(401), AuthenticationRefused, AuthenticationRefused),
    ("403", answers(403, HTML), AuthenticationRefused, AuthenticationRefused),
    ("404", answers(404), SystemRefused, SystemRefused),
    ("302", answers(302, b"", {"Location": "http://127.0.0.1:1/"}), SystemRefused, SystemRefused),
]


@pytest.mark.parametrize(("name", "handler", "expected", "_push"), CASES)
def test_each_answer_that_is_none_has_its_error_for_reads(name, handler, expected, _push):
    """By status and content."""
    with serving(handler) as server, pytest.raises(expected):
        read(server.url)
    assert name


@pytest.mark.parametrize(("name", "handler", "_read", "expected"), CASES)
def test_each_answer_that_is_none_has_its_error_for_pushes(name, handler, _read, expected):
    """What may have taken effect is unclear, not refused."""
    with serving(handler) as server, pytest.raises(expected):
        push(server.url)
    assert name


def test_unreadable_pages_are_handed_out_once_and_only_their_digest_is_in_the_error():
    """The body goes to the evidence folder, never into a log."""
    kept = []
    with serving(answers(200, HTML)) as server, pytest.raises(AnswerUnreadable) as caught:
        read(server.url, on_unreadable=lambda where, body: kept.append((where, body)))
    assert ("fund: account", HTML) == kept[-1]
    assert hashlib.sha256(HTML).hexdigest() == caught.value.context["sha256"]
    assert "maintenance</body>" not in str(caught.value)


def test_a_page_larger_than_allowed_is_refused_unread():
    """Also when it says its size only by sending it, and when it grows while unpacking."""
    bomb = gzip.compress(b" " * 3_000_000)
    headers = {"Content-Encoding": "gzip"}
    for handler in (answers(200, b" " * 2_000_000), answers(200, bomb, headers)):
        with serving(handler) as server, pytest.raises(AnswerUnreadable, match="more than 1 MB"):
            read(server.url, rest_system(budget={"max_answer_mb": 1}))


def test_compressed_answers_are_read():
    """Pages are kept unpacked."""
    body = gzip.compress(b'{"rows":[{"id":1}]}')
    with serving(answers(200, body, {"Content-Encoding": "gzip"})) as server:
        assert b'{"rows":[{"id":1}]}' == read(server.url)[0].body


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("x-gzip", lambda body: gzip.compress(body) + bytes(9)),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("identity", bytes),
    ],
)
def test_every_way_to_compress_is_undone(coding, pack):
    """Several members, padding, deflate with and without its header."""
    body = b'{"rows":[{"id":1}]}'
    with serving(answers(200, pack(body), {"Content-Encoding": coding})) as server:
        assert body == read(server.url)[0].body


@pytest.mark.parametrize("lost", [1, 6, 12])
def test_a_compressed_answer_that_was_cut_off_is_no_whole_answer(lost):
    """A table of text would lose its last rows in silence."""
    body = gzip.compress(b'{"rows":[]}')[:-lost]
    reply = answers(200, body, {"Content-Encoding": "gzip"})
    with serving(reply) as server, pytest.raises(AnswerUnreadable, match="cut off"):
        read(server.url)


def test_a_bomb_of_two_layers_is_not_opened():
    """Nobody packs twice who means well."""
    body = gzip.compress(gzip.compress(b" " * 3_000_000))
    reply = answers(200, body, {"Content-Encoding": "gzip, gzip"})
    with serving(reply) as server, pytest.raises(AnswerUnreadable, match="several"):
        read(server.url)


def test_what_urllib3_logs_names_neither_keys_nor_people(caplog):
    """Its debug lines quote whole addresses; at that level others may still log."""
    call = {"path": "/a", "query": {"idno": "620899850314001"}}
    auth = {"kind": "api_key", "in": "query", "name": "k"}
    caplog.set_level(logging.DEBUG)
    with serving(lambda _a: ok()) as server:
        read(server.url, rest_system(interface={"auth": auth}, dataset={"call": call}))
        assert "620899850314001" == server.asked[0].query["idno"]
    assert [] == [r.getMessage() for r in caplog.records if r.name.startswith("urllib3")]


def test_an_answer_that_trickles_meets_the_total_timeout():
    """Each byte comes in time, the whole does not."""
    from connectors import SystemClock

    def trickle(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        try:
            for _ in range(60):
                connection.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            return

    budget = {"total_timeout_s": 0.4, "read_timeout_s": 0.3, "attempts": 1}
    with raw_serving(trickle) as server:
        began = time.monotonic()
        with pytest.raises(SystemUnavailable, match="longer than allowed"):
            read(server.url, rest_system(budget=budget), clock=SystemClock())
        assert 2 > time.monotonic() - began


SLOW = {
    "header": b"HTTP/1.1 200 OK\r\nX: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
    "body until closed": b'HTTP/1.1 200 OK\r\n\r\n{"rows":[',
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
}


@pytest.mark.parametrize("place", SLOW)
@pytest.mark.parametrize(("act", "expected"), [(read, SystemUnavailable), (push, DeliveryUnclear)])
def test_a_byte_now_and_then_never_holds_a_call_longer_than_its_whole_time(place, act, expected):
    """Each byte comes within the read timeout; the call ends all the same, wherever it is."""
    from connectors import SystemClock

    def trickle(connection):
        connection.sendall(SLOW[place])
        try:
            for _ in range(100):
                connection.sendall(b"1")
                time.sleep(0.05)
        except OSError:
            return

    accepts = ACCEPTS if act is push else None
    budget = {"total_timeout_s": 0.4, "read_timeout_s": 5, "attempts": 1}
    with raw_serving(trickle) as server:
        began = time.monotonic()
        with pytest.raises(expected, match="longer than allowed"):
            act(server.url, rest_system(accepts=accepts, budget=budget), clock=SystemClock())
        assert 2 > time.monotonic() - began


def test_a_call_that_was_in_time_leaves_its_connection_to_the_next():
    """The timer of the first never ends the second."""
    from connectors import SystemClock

    def handler(_asked):
        time.sleep(0.25)
        return ok([{"id": 1}])

    system = rest_system(budget={"total_timeout_s": 0.4, "attempts": 1})
    with serving(handler) as server, connect(system, server.url, clock=SystemClock()) as connector:
        for _ in range(4):
            assert 1 == len(list(connector.read_pages("account", ALL)))


def test_silence_meets_the_read_timeout():
    """Half a second of nothing."""
    release = threading.Event()
    with raw_serving(lambda _c: release.wait(1) and None) as server:
        with pytest.raises(SystemUnavailable, match="read timeout"):
            read(server.url, rest_system(budget={"read_timeout_s": 0.1, "attempts": 1}))
        release.set()


def test_a_short_outage_is_bridged():
    """Two broken answers, then rows."""
    handler = in_turn(answers(503), answers(500), lambda _a: ok([{"id": 1}]))
    with serving(handler) as server:
        assert 1 == len(read(server.url))


def test_a_push_is_repeated_where_the_system_did_not_look_at_it():
    """503 and 429 come before anything is done."""
    good = answers(200, b'{"results":[{"id":"g1","s":"ok"}]}', JSON)
    with serving(in_turn(answers(503), answers(429), good)) as server:
        assert "accepted" == push(server.url)[0].outcome


def test_retry_after_is_obeyed_and_other_pauses_double_with_jitter():
    """The system's own wish comes first."""
    clock = FakeClock()
    wait = answers(429, b"", {"Retry-After": "7"})
    handler = in_turn(wait, answers(500), answers(500), lambda _a: ok())
    system = rest_system(budget={"attempts": 4, "backoff_first_s": 1.0})
    with serving(handler) as server:
        read(server.url, system, clock=clock)
    assert 7 == clock.waits[0]
    assert 1.0 <= clock.waits[1] <= 2.0
    assert 2.0 <= clock.waits[2] <= 4.0


def test_a_longer_pause_than_we_may_wait_is_left_to_the_caller():
    """An hour of Retry-After does not block a worker."""
    with serving(answers(429, b"", {"Retry-After": "3600"})) as server:
        with pytest.raises(RateLimited) as caught:
            read(server.url)
        assert 1 == len(server.asked)
    assert 3600 == caught.value.context["retry_after_s"]


def test_tls_that_is_no_tls_was_never_sent():
    """A handshake failure is before the request, also for a push."""
    with raw_serving(saying(b"no tls at all")) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(SystemUnavailable, match="TLS handshake"):
            push(url)


def test_missing_client_certificate_file_is_a_missing_credential():
    """Mutual TLS with a path that does not exist."""
    with pytest.raises(CredentialsMissing, match="cannot be read"):
        read("https://127.0.0.1:1", extra={"client_cert_file": "/nowhere.pem"})


def test_headers_that_http_cannot_carry_are_a_configuration_error():
    """A line break in a constant header."""
    with serving(lambda _a: ok()) as server, pytest.raises(ConfigInvalid):
        read(server.url, rest_system(interface={"headers": {"X": "a\nb"}}))


def test_errors_cross_process_borders():
    """Airflow pickles them."""
    with pytest.raises(TongbanError) as caught:
        read("http://tongban.invalid:1")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (str(caught.value), caught.value.context) == (str(again), again.context)


def test_outside_the_hours_nothing_is_sent():
    """At noon, where only nights are allowed."""
    system = rest_system(budget={"hours": [{"from": "19:00", "to": "07:00"}]})
    with serving(lambda _a: ok()) as server:
        with pytest.raises(OutsideBudget, match="19:00-07:00"):
            read(server.url, system)
        assert [] == server.asked


def test_the_hard_stop_ends_a_run_between_two_pages():
    """The pages up to then are kept, the next run goes on."""
    clock = FakeClock(datetime(2018, 10, 8, 6, 57, tzinfo=BEIJING))
    dataset = {
        "call": {"path": "/a", "query": {"c": "{cursor}"}},
        "paging": {"kind": "cursor", "size": 1, "next": "next"},
    }
    budget = {"hours": [{"from": "19:00", "to": "07:00"}], "stop_before_s": 60}

    def handler(asked):
        clock.pass_by(30)
        return ok([{"id": 1}], next=asked.query["c"] + "x")

    with serving(handler) as server:
        connector = connect(rest_system(dataset=dataset, budget=budget), server.url, clock=clock)
        kept = []
        with pytest.raises(OutsideBudget):
            collect(connector.read_pages("account", ALL), kept)
        assert 4 == len(kept) == len(server.asked)
        assert kept[-1].next_cursor


def test_enough_failures_open_the_breaker_for_all_calls():
    """Then nothing is sent for a while, then one call may try."""
    clock = FakeClock()
    budget = {"attempts": 1, "breaker": {"failures": 3, "open_s": 60}}
    system = rest_system(budget=budget)
    healthy = threading.Event()
    with serving(lambda a: ok() if healthy.is_set() else answers(500)(a)) as server:
        connector = connect(system, server.url, clock=clock)
        for _ in range(3):
            with pytest.raises(SystemUnavailable):
                list(connector.read_pages("account", ALL))
        with pytest.raises(OutsideBudget, match="3 calls in a row failed"):
            list(connector.read_pages("account", ALL))
        assert 3 == len(server.asked)
        clock.pass_by(61)
        healthy.set()
        assert 1 == len(list(connector.read_pages("account", ALL)))
