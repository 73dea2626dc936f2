"""Calls over real HTTP: identity, success layers, faults; every foreign exception becomes ours."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import pickle
import socket
import struct
import threading
import time
from datetime import datetime
from urllib.parse import parse_qsl

import pytest

from connectors.errors import CertificateInvalid
from tests.connectors.serving import (
    ALL,
    FakeClock,
    connect,
    raw_serving,
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
from tongban.kernel.records import BEIJING, OutgoingRecord, RecordShape

JSON = {"Content-Type": "application/json"}
RECORD = OutgoingRecord("g1", "I", 1, "d", {"name": "甲"})
ACCEPTS = {
    "call": {"method": "POST", "path": "/in", "body": {"rows": "{records}"}},
    "batch": 10,
    "record": {"id": "{guid}", "...": "{data}"},
    "answers": {
        "records": "results",
        "guid": "id",
        "accepted": {"path": "s", "equals": "ok"},
        "duplicate": {"path": "s", "equals": "dup"},
        "rejected": {"path": "s", "equals": ["no", "never"]},
        "receipt_no": "no",
        "code": "code",
        "message": "why",
    },
}


def ok(rows=(), **more):
    """Answer with rows."""
    return 200, JSON, json.dumps({"rows": list(rows), **more}).encode()


def read(url, system=None, *, clock=None, **secrets):
    """Read the dataset once."""
    with connect(system or rest_system(), url, clock=clock, **secrets) as connector:
        return list(connector.read_pages("account", ALL))


def push(url, system=None, records=(RECORD,), **secrets):
    """Send a batch once."""
    with connect(system or rest_system(accepts=ACCEPTS), url, **secrets) as connector:
        return connector.send("notice", list(records))


# --- identity -------------------------------------------------------------------------------


def test_basic_and_api_key():
    """Two identities at once, both from the connection."""
    auth = [{"kind": "basic"}, {"kind": "api_key", "in": "query", "name": "k", "secret": "tok"}]
    with serving(lambda _a: ok()) as server:
        read(server.url, rest_system(interface={"auth": auth}), extra={"tok": "t&1"})
        asked = server.asked[0]
    assert "Basic aHViOm9wZW4tc2VzYW1l" == asked.headers["authorization"]
    assert "t&1" == asked.query["k"]


def hmac_auth(**more):
    """Declare an HMAC over a canonical text."""
    return {
        "kind": "signed",
        "algorithm": "hmac_sha256",
        "text": "{method}\n{path}\n{query}\n{body_sha256}\n{timestamp}\n{nonce}",
        "timestamp": "epoch_ms",
        "send": {
            "in": "headers",
            "values": {"X-T": "{timestamp}", "X-N": "{nonce}", "X-S": "{signature}"},
        },
        **more,
    }


def test_hmac_over_the_canonical_text_as_the_server_computes_it():
    """Names sorted, RFC 3986 encoding, digest of the body, fresh nonce for each call."""

    def handler(asked):
        pairs = sorted(part.split("=", 1) for part in asked.raw_query.split("&"))
        query = "&".join("=".join(pair) for pair in pairs)
        digest = hashlib.sha256(asked.body).hexdigest()
        stamp, nonce = asked.headers["x-t"], asked.headers["x-n"]
        text = "\n".join([asked.method, asked.path, query, digest, stamp, nonce])
        expected = hmac.new(b"open-sesame", text.encode(), "sha256").hexdigest()
        assert expected == asked.headers["x-s"]
        return ok()

    call = {"path": "/a", "query": {"z": "1 2", "b": "中~/", "from": "{since}"}}
    system = rest_system(interface={"auth": hmac_auth()}, dataset={"call": call})
    with serving(handler) as server:
        read(server.url, system)
        read(server.url, system)
        nonces = {asked.headers["x-n"] for asked in server.asked}
    assert 2 == len(nonces)


def test_signature_over_a_pushed_body():
    """The digest is over the bytes that travel."""

    def handler(asked):
        assert hashlib.sha256(asked.body).hexdigest() == asked.headers["x-s"]
        return 200, JSON, b'{"results":[{"id":"g1","s":"ok"}]}'

    auth = hmac_auth(algorithm="hmac_sha256", text="{body_sha256}")
    auth |= {"algorithm": "sha256", "text": "{body}"}
    with serving(handler) as server:
        system = rest_system(interface={"auth": auth}, accepts=ACCEPTS)
        assert "accepted" == push(server.url, system)[0].outcome


def test_signed_form_with_json_in_a_string():
    """Form fields, biz_content as JSON text, signature among the fields."""
    auth = {
        "kind": "signed",
        "algorithm": "sm3",
        "text": "{form}",
        "unsigned": ["sign"],
        "send": {"in": "form", "values": {"app": "{login}", "sign": "{signature}"}},
    }
    form = {"biz": {"$json": {"after": "{cursor}", "limit": "{size}"}}, "v": "1.0"}
    dataset = {
        "call": {"method": "POST", "path": "/g", "form": form},
        "paging": {"kind": "cursor", "size": 7, "next": "next"},
    }

    def handler(asked):
        fields = dict(parse_qsl(asked.body.decode()))
        assert '{"after":"","limit":7}' == fields["biz"]
        assert 64 == len(fields["sign"])
        return ok(next="")

    with serving(handler) as server:
        read(server.url, rest_system(interface={"auth": auth}, dataset=dataset))


class Tokens:
    """An OAuth2 server whose tokens die."""

    def __init__(self, life: int = 100, uses: int = 1000) -> None:
        self.given = 0
        self.life, self.uses, self.used = life, uses, 0

    def __call__(self, asked):
        if asked.path == "/token":
            self.given += 1
            self.used = 0
            token = {"access_token": f"t{self.given}", "expires_in": self.life}
            return 200, JSON, json.dumps(token).encode()
        if asked.headers.get("authorization") != f"Bearer t{self.given}":
            return 401, JSON, b"{}"
        self.used += 1
        if self.used > self.uses:
            return 401, JSON, b"{}"
        if asked.method == "POST":
            return 200, JSON, b'{"results":[{"id":"g1","s":"ok"}]}'
        return ok([{"id": 1}], next="x" if asked.query.get("c") == "" else "")


def oauth_system(**more):
    """Declare an OAuth2 interface."""
    auth = {"kind": "oauth2_client_credentials", "token_path": "/token", **more}
    return rest_system(interface={"auth": auth}, accepts=ACCEPTS)


def test_a_token_is_fetched_once_for_many_calls():
    """And before the first call, not at opening."""
    with serving(Tokens()) as server:
        connector = connect(oauth_system(), server.url)
        assert [] == server.asked
        for _ in range(3):
            list(connector.read_pages("account", ALL))
        assert 4 == len(server.asked)


def test_a_token_is_renewed_before_its_end():
    """No call is spent on an old token."""
    clock, tokens = FakeClock(), Tokens(life=20)
    with serving(tokens) as server, connect(oauth_system(), server.url, clock=clock) as connector:
        list(connector.read_pages("account", ALL))
        clock.pass_by(16)
        list(connector.read_pages("account", ALL))
        statuses = [asked.path for asked in server.asked]
    assert ["/token", "/accounts", "/token", "/accounts"] == statuses


def test_a_token_that_dies_early_is_renewed_once_after_401_also_for_pushes():
    """401 comes before anything is done, so asking again is safe."""
    tokens = Tokens(uses=1)
    with serving(tokens) as server, connect(oauth_system(), server.url) as connector:
        assert "accepted" == connector.send("notice", [RECORD])[0].outcome
        assert "accepted" == connector.send("notice", [RECORD])[0].outcome
    assert 2 == tokens.given


def test_a_system_that_refuses_every_token_is_asked_twice_at_most():
    """A refused identity is no reason to hammer."""
    with serving(Tokens(uses=0)) as server:
        with pytest.raises(AuthenticationRefused, match="HTTP 401"):
            read(server.url, oauth_system())
        assert 2 == sum(asked.path == "/accounts" for asked in server.asked)


def test_a_refused_client_is_an_authentication_error_without_the_secret():
    """The message says what to check."""

    def handler(asked):
        return (401, JSON, b'{"error":"invalid_client"}') if asked.path == "/token" else ok()

    with serving(handler) as server, pytest.raises(AuthenticationRefused) as caught:
        read(server.url, oauth_system())
    assert "open-sesame" not in str(caught.value)


def test_missing_secret_is_named_before_anything_is_sent():
    """The field's name, and what to do."""
    auth = {"kind": "api_key", "name": "K", "secret": "gateway_key"}
    with serving(lambda _a: ok()) as server:
        with pytest.raises(CredentialsMissing, match="gateway_key"):
            read(server.url, rest_system(interface={"auth": auth}))
        assert [] == server.asked


def test_environment_neither_redirects_nor_weakens_us(monkeypatch):
    """No proxy, no netrc, no CA bundle of the environment is obeyed."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with serving(lambda _a: ok([{"id": 1}])) as server:
        assert 1 == len(read(server.url))


# --- success layers -------------------------------------------------------------------------

LAYERS = [
    {"check": "code", "equals": ["0", "200"], "codes": {"9": "busy", "1": "authentication"}},
    {"open": "data", "as": "json", "check": "ok", "equals": True, "codes": {"none": "empty"}},
]


def layered(outer, inner):
    """Answer with JSON inside a string."""
    return lambda _a: (200, JSON, json.dumps({"code": outer, "data": json.dumps(inner)}).encode())


def layered_system(**more):
    """Declare two layers."""
    return rest_system(interface={"success": LAYERS}, **more)


def test_both_layers_good_and_rows_in_the_inner_document():
    """Numbers and booleans count as their text."""
    with serving(layered(0, {"ok": True, "rows": [{"id": "1"}]})) as server:
        with connect(layered_system(), server.url) as connector:
            page = next(connector.read_pages("account", ALL))
            shape = RecordShape(("id",))
            assert ["1"] == connector.decode("account", page.body, shape).frame["id"].to_list()


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("1", {"ok": True}, AuthenticationRefused),
        ("9", {"ok": True}, SystemUnavailable),
        ("77", {"ok": True}, SystemRefused),
        (0, {"ok": False}, SystemRefused),
        (0, {}, AnswerUnreadable),
        (0, [], AnswerUnreadable),
    ],
)
def test_each_layer_can_fail_by_itself(outer, inner, expected):
    """200 says nothing; the layers do."""
    with serving(layered(outer, inner)) as server, pytest.raises(expected):
        read(server.url, layered_system())


def test_a_declared_code_for_no_rows_is_an_empty_page():
    """Some departments call an empty list an error."""
    with serving(layered(0, {"ok": "none"})) as server:
        with connect(layered_system(), server.url) as connector:
            (page,) = connector.read_pages("account", ALL)
            assert (0, 1) == connector.decode(
                "account", page.body, RecordShape(("id",))
            ).frame.shape


def test_refusal_names_the_code_but_never_the_departments_text():
    """Departments quote values in their messages."""
    body = json.dumps({"code": "E7", "msg": "张三 620899199001010012 不存在"}).encode()
    layers = [{"check": "code", "equals": "0", "message": "msg"}]
    with serving(lambda _a: (200, JSON, body)) as server, pytest.raises(SystemRefused) as caught:
        read(server.url, rest_system(interface={"success": layers}))
    assert "'E7'" in str(caught.value)
    assert "620899" not in str(caught.value) + str(caught.value.context)


def test_an_error_status_whose_body_has_a_declared_code_is_read():
    """TIF says HTTP 500 for a wrong signature."""
    layers = [{"check": "code", "equals": "0", "codes": {"400001": "authentication"}}]
    with serving(lambda _a: (500, JSON, b'{"code":400001}')) as server:
        with pytest.raises(AuthenticationRefused):
            read(server.url, rest_system(interface={"success": layers}))


# --- faults ---------------------------------------------------------------------------------


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
        with pytest.raises(SystemUnavailable, match="nothing was written.*tried 3 times"):
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


def answers(status, body=b"", headers=None):
    """Always answer this."""
    return lambda _a: (status, headers or {"Content-Type": "text/plain"}, body)


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


def test_silence_meets_the_read_timeout():
    """Half a second of nothing."""
    release = threading.Event()
    with raw_serving(lambda _c: release.wait(1) and None) as server:
        with pytest.raises(SystemUnavailable, match="read timeout"):
            read(server.url, rest_system(budget={"read_timeout_s": 0.1, "attempts": 1}))
        release.set()


def test_a_short_outage_is_bridged():
    """Two broken answers, then rows."""
    replies = iter([answers(503), answers(500), lambda _a: ok([{"id": 1}])])
    with serving(lambda asked: next(replies)(asked)) as server:
        assert 1 == len(read(server.url))


def test_a_push_is_repeated_where_the_system_did_not_look_at_it():
    """503 and 429 come before anything is done."""
    good = answers(200, b'{"results":[{"id":"g1","s":"ok"}]}', JSON)
    replies = iter([answers(503), answers(429), good])
    with serving(lambda asked: next(replies)(asked)) as server:
        assert "accepted" == push(server.url)[0].outcome


def test_retry_after_is_obeyed_and_other_pauses_double_with_jitter():
    """The system's own wish comes first."""
    clock = FakeClock()
    waits = iter([answers(429, b"", {"Retry-After": "7"}), answers(500), answers(500)])
    system = rest_system(budget={"attempts": 4, "backoff_first_s": 1.0})
    with serving(lambda a: next(waits, lambda _a: ok())(a)) as server:
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


def test_an_untrusted_certificate_has_its_own_error(tmp_path):
    """Self-signed: refused before anything is sent; trusted when ca_file names it."""
    import ssl

    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"rows":[]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), Silent)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"https://127.0.0.1:{server.server_address[1]}"
    try:
        with pytest.raises(CertificateInvalid, match="certificate was refused"):
            read(url)
        assert 1 == len(read(url, extra={"ca_file": str(certificate)}))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder):
    """Make a certificate for 127.0.0.1."""
    import ipaddress
    from datetime import UTC, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "office")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "c.pem", folder / "k.pem"


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
            for page in connector.read_pages("account", ALL):
                kept.append(page)  # noqa: PERF402 - kept although the generator raises
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


# --- pushes ---------------------------------------------------------------------------------


def three():
    """Three records."""
    return [OutgoingRecord(f"g{n}", "I", n, "d", {"n": n}) for n in (1, 2, 3)]


def test_every_record_gets_its_own_receipt_in_order():
    """Accepted, duplicate, rejected with code and receipt number."""

    def handler(asked):
        sent = json.loads(asked.body)["rows"]
        assert [{"id": "g1", "n": 1}, {"id": "g2", "n": 2}, {"id": "g3", "n": 3}] == sent
        results = [
            {"id": "g3", "s": "never", "code": 17, "why": "x"},
            {"id": "g1", "s": "OK", "no": "R1"},
            {"id": "g2", "s": "dup", "no": "R0"},
        ]
        return 200, JSON, json.dumps({"results": results}).encode()

    with serving(handler) as server:
        receipts = push(server.url, records=three())
    assert [
        ("g1", "accepted", "R1", ""),
        ("g2", "duplicate", "R0", ""),
        ("g3", "rejected", "", "17"),
    ] == [(r.guid, r.outcome, r.receipt_no, r.code) for r in receipts]


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"id": "g1", "s": "ok"}, {"id": "g2", "s": "ok"}],
        [{"id": "g1", "s": "ok"}, {"id": "g2", "s": "ok"}, {"id": "gX", "s": "ok"}],
        [{"id": "g1", "s": "ok"}, {"id": "g2", "s": "ok"}, {"id": "g3", "s": "?"}],
        [{"id": "g1", "s": "ok"}, {"id": "g2", "s": "ok"}, {"id": "g3"}],
        [{"s": "ok"}] * 3,
    ],
)
def test_a_record_without_a_clear_answer_makes_the_batch_unclear(results):
    """Silence is no yes."""
    body = json.dumps({"results": results}).encode()
    with serving(answers(200, body, JSON)) as server:
        with pytest.raises(DeliveryUnclear, match="no clear answer"):
            push(server.url, records=three())
        assert 1 == len(server.asked)


def test_answers_that_are_no_list_make_the_batch_unclear():
    """It may have been accepted all the same."""
    with serving(answers(200, b'{"results":"fine"}', JSON)) as server:
        with pytest.raises(DeliveryUnclear):
            push(server.url)


def test_a_batch_larger_than_declared_or_with_a_record_twice_is_our_own_mistake():
    """Not the department's."""
    with pytest.raises(ValueError, match="at most 10"):
        push("http://127.0.0.1:1", records=[RECORD] * 11)
    with pytest.raises(ValueError, match="twice"):
        push("http://127.0.0.1:1", records=[RECORD] * 2)


def test_undeclared_datasets_are_named():
    """Reading, sending and statements alike."""
    with connect(rest_system(), "http://127.0.0.1:1") as connector:
        with pytest.raises(ConfigInvalid, match='datasets has no "x"'):
            list(connector.read_pages("x", ALL))
        with pytest.raises(ConfigInvalid, match='accepts has no "x"'):
            connector.send("x", [RECORD])


def test_a_statement_lists_what_the_receiver_holds():
    """Key, version, digest of each line."""
    statement = {
        "call": {"path": "/s"},
        "records": "rows",
        "guid": "g",
        "version": "v",
        "digest": "d",
    }
    accepts = {**ACCEPTS, "statement": statement}
    with serving(lambda _a: ok([{"g": "g1", "v": 3, "d": "ab"}])) as server:
        with connect(rest_system(accepts=accepts), server.url) as connector:
            assert [("g1", 3, "ab")] == list(connector.statement("notice"))


def test_a_statement_line_without_a_version_is_unreadable():
    """Reconciliation must not guess."""
    statement = {"call": {"path": "/s"}, "records": "rows"}
    statement |= {"guid": "g", "version": "v", "digest": "d"}
    accepts = {**ACCEPTS, "statement": statement}
    with serving(lambda _a: ok([{"g": "g1", "d": "ab"}])) as server:
        with connect(rest_system(accepts=accepts), server.url) as connector:
            with pytest.raises(AnswerUnreadable, match="lacks"):
                list(connector.statement("notice"))


def test_secrets_and_values_never_show_in_representations():
    """Errors, logs and debuggers print them."""
    record = OutgoingRecord("g", "I", 1, "d", {"name": "张三"})
    assert "张三" not in repr(record)
