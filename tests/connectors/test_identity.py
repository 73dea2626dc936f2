"""Identity over real HTTP: each kind of the vocabulary, checked as the server would."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import parse_qsl

import pytest

from tests.connectors.serving import (
    ACCEPTS,
    ALL,
    JSON,
    RECORD,
    FakeClock,
    connect,
    ok,
    push,
    read,
    rest_system,
    serving,
)
from tongban.kernel.errors import (
    AuthenticationRefused,
    CredentialsMissing,
    SystemUnavailable,
)


def test_basic_and_api_key():
    """Two identities at once, both from the connection."""
    auth = [{"kind": "basic"}, {"kind": "api_key", "in": "query", "name": "k", "secret": "tok"}]
    with serving(lambda _a: ok()) as server:
        read(server.url, rest_system(interface={"auth": auth}), extra={"tok": "t&1"})
        asked = server.asked[0]
    assert "Basic aHViOm9wZW4tc2VzYW1l" == asked.headers["authorization"]
    assert "t&1" == asked.query["k"]


def test_an_account_travels_as_plain_fields_beside_what_is_asked():
    """Nested where the message is; what the call itself says stays."""
    values = {"head": {"user": "{login}", "pwd": "{secret:password}", "lang": "en"}}
    auth = {"kind": "fields", "values": values}
    call = {"method": "POST", "path": "/q", "body": {"head": {"lang": "zh"}, "page": "7"}}
    with serving(lambda _a: ok()) as server:
        read(server.url, rest_system(interface={"auth": auth}, dataset={"call": call}))
        asked = json.loads(server.asked[0].body)
    assert {"user": "hub", "pwd": "open-sesame", "lang": "zh"} == asked["head"]
    assert "7" == asked["page"]


def test_a_followed_link_that_repeats_our_key_carries_it_once():
    """Servers echo the whole query in their links."""

    def handler(asked):
        assert 1 == asked.raw_query.count("k=")
        headers = JSON if "after" in asked.query else {**JSON, "Link": "<?k=old&after=1>; rel=next"}
        return 200, headers, b'{"rows":[]}'

    auth = {"kind": "api_key", "in": "query", "name": "k"}
    dataset = {"paging": {"kind": "link_header", "size": 1}}
    with serving(handler) as server:
        read(server.url, rest_system(interface={"auth": auth}, dataset=dataset))
        assert ["open-sesame"] * 2 == [asked.query["k"] for asked in server.asked]


def test_a_key_in_the_query_shows_in_no_error():
    """Foreign exceptions quote whole URLs; their texts go no further."""
    import traceback

    auth = {"kind": "api_key", "in": "query", "name": "k"}
    with pytest.raises(SystemUnavailable) as caught:
        read("http://tongban.invalid:1", rest_system(interface={"auth": auth}))
    assert "open-sesame" not in "".join(traceback.format_exception(caught.value))


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
        text = f"{asked.method}\n{asked.path}\n{query}\n{digest}\n{stamp}\n{nonce}"
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
        """Answer one request."""
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
        return ok([{"id": 1}], next="x" if not asked.query.get("c") else "")


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
