"""Success layers: an HTTP status says little, what the layers say counts."""

from __future__ import annotations

import json

import pytest

from tests.connectors.serving import (
    ALL,
    JSON,
    connect,
    read,
    rest_system,
    serving,
)
from tongban.kernel.errors import (
    AnswerUnreadable,
    AuthenticationRefused,
    SystemRefused,
    SystemUnavailable,
)
from tongban.kernel.records import RecordShape

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
    with (
        serving(layered(0, {"ok": True, "rows": [{"id": "1"}]})) as server,
        connect(layered_system(), server.url) as connector,
    ):
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
    with (
        serving(layered(0, {"ok": "none"})) as server,
        connect(layered_system(), server.url) as connector,
    ):
        (page,) = connector.read_pages("account", ALL)
        assert (0, 1) == connector.decode("account", page.body, RecordShape(("id",))).frame.shape


def test_a_declared_status_for_no_rows_is_an_empty_page():
    """204, or 404 where a department means "nothing found"."""
    system = rest_system(interface={"statuses": {404: "empty"}})
    with serving(lambda _a: (404, {}, b"")) as server, connect(system, server.url) as connector:
        (page,) = connector.read_pages("account", ALL)
        assert (0, 1) == connector.decode("account", page.body, RecordShape(("id",))).frame.shape


def test_rest_answers_may_be_xml():
    """With layers, rows and totals by the same paths, in the declared charset."""
    layers = [{"check": "head.code", "equals": "0"}, {"open": "body"}]
    system = rest_system(
        interface={"success": layers, "charset": "GBK"}, dataset={"records": "l.r", "total": "n"}
    )
    text = "<x><head><code>0</code></head><body><n>1</n><l><r><id>平</id></r></l></body></x>"
    with (
        serving(lambda _a: (200, {}, text.encode("gbk"))) as server,
        connect(system, server.url) as connector,
    ):
        (page,) = connector.read_pages("account", ALL)
        decoded = connector.decode("account", page.body, RecordShape(("id",)))
    assert (1, ["平"]) == (page.declared_total, decoded.frame["id"].to_list())


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
    with (
        serving(lambda _a: (500, JSON, b'{"code":400001}')) as server,
        pytest.raises(AuthenticationRefused),
    ):
        read(server.url, rest_system(interface={"success": layers}))
