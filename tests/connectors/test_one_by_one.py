"""Pushes one by one and with idempotency keys: what REST services outside the departments want."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from connectors.delivery import batch_id
from tests.connectors.serving import (
    ACCEPTS,
    JSON,
    RECORD,
    answers,
    connect,
    in_turn,
    push,
    raw_serving,
    rest_system,
    serving,
)
from tongban.kernel.errors import ConfigInvalid, DeliveryUnclear, SystemRefused
from tongban.kernel.records import OutgoingRecord
from tongban.kernel.systems import AcceptedDataset

PERSON = "/people/{guid}"
KEY = "{" + batch_id.__name__ + "}"  # a placeholder of the YAML
ONE = {
    "call": {
        "method": "PUT",
        "path": PERSON,
        "body": {"...": "{record}"},
        "headers": {"Idempotency-Key": KEY, "If-Match": "{version}"},
    },
    "delete": {"method": "DELETE", "path": PERSON},
    "batch": 1,
    "record": {"...": "{data}"},
    "answers": {
        "statuses": {200: "accepted", 201: "accepted", 204: "accepted", 409: "duplicate"}
        | {410: "accepted", 422: "rejected"},
        "receipt_no": "receipt",
        "code": "error.code",
        "message": "error.text",
    },
}


def send(handler, record=RECORD, accepts=ONE):
    """Send one record; gives the receipt and what the server was asked."""
    with serving(handler) as server:
        receipts = push(server.url, rest_system(accepts=accepts), [record])
        return receipts[0], server.asked


def test_one_record_is_sent_to_an_address_of_its_own():
    """Its guid in the path, its fields as the body, its version as a condition."""
    receipt, (asked,) = send(answers(201, b'{"receipt":"R1"}', JSON))
    assert ("accepted", "R1") == (receipt.outcome, receipt.receipt_no)
    assert ("PUT", "/people/g1", {"name": "甲"}) == (
        asked.method,
        asked.path,
        json.loads(asked.body),
    )
    assert "1" == asked.headers["if-match"]


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (204, b"", "accepted", ""),
        (409, b"", "duplicate", ""),
        (422, b'{"error":{"code":"E7","text":"no"}}', "rejected", "E7"),
        (422, b"<html>no</html>", "rejected", "HTTP 422"),
    ],
)
def test_a_status_is_the_answer_where_it_is_declared(status, body, outcome, code):
    """Its body may say more, or nothing that can be read."""
    receipt, _ = send(answers(status, body, JSON))
    assert (outcome, code) == (receipt.outcome, receipt.code)


def test_an_undeclared_status_is_no_answer():
    """400 may mean anything."""
    with pytest.raises(SystemRefused):
        send(answers(400, b"{}", JSON))


def test_a_declared_status_of_several_records_is_refused_when_the_yaml_is_read():
    """No status can speak for all records of a batch."""
    with pytest.raises(ValidationError, match="no status can speak for all"):
        AcceptedDataset.model_validate({**ONE, "batch": 2, "delete": None})
    with pytest.raises(ValidationError, match="batch: 1"):
        AcceptedDataset.model_validate({**ONE, "batch": 2})
    with pytest.raises(ValidationError, match="sign of acceptance"):
        AcceptedDataset.model_validate({"call": {}, "batch": 1, "answers": {}})


def test_a_deletion_goes_by_its_own_call():
    """DELETE, without a body; gone before is as good."""
    gone = OutgoingRecord("g1", "D", 2, "d", {"name": "甲"})
    for status in (204, 410):
        receipt, (asked,) = send(answers(status), gone)
        assert "accepted" == receipt.outcome
        assert ("DELETE", "/people/g1", b"") == (asked.method, asked.path, asked.body)


def test_the_answer_to_one_record_need_not_repeat_its_key():
    """The document itself is the answer."""
    accepts = {
        **ONE,
        "answers": {"accepted": {"path": "ok", "equals": True}, "receipt_no": "no"},
    }
    receipt, _ = send(answers(200, b'{"ok":true,"no":17}', JSON), accepts=accepts)
    assert ("g1", "accepted", "17") == (receipt.guid, receipt.outcome, receipt.receipt_no)


def test_an_answer_that_says_neither_yes_nor_no_is_unclear():
    """Also for a single record."""
    accepts = {**ONE, "answers": {"accepted": {"path": "ok", "equals": True}}}
    with pytest.raises(DeliveryUnclear):
        send(answers(200, b'{"ok":"maybe"}', JSON), accepts=accepts)


BATCH = {
    **ACCEPTS,
    "call": {**ACCEPTS["call"], "headers": {"Idempotency-Key": KEY}},
}
GOOD = answers(200, b'{"results":[{"id":"g1","s":"ok"},{"id":"g2","s":"ok"}]}', JSON)
TWO = [OutgoingRecord(g, "I", 1, f"d{g}", {}) for g in ("g1", "g2")]


def keys(server):
    """The idempotency keys that came."""
    return [asked.headers["idempotency-key"] for asked in server.asked]


def test_the_same_batch_has_the_same_key_after_a_lost_answer():
    """The answer is lost, the batch is sent again by somebody else, in another order."""
    system = rest_system(accepts=BATCH)
    with serving(in_turn(answers(500), GOOD)) as server:
        with pytest.raises(DeliveryUnclear):
            push(server.url, system, TWO)
        receipts = push(server.url, system, TWO[::-1])
        assert ["accepted", "accepted"] == [receipt.outcome for receipt in receipts]
        assert 1 == len(set(keys(server)))


def test_a_blind_retry_carries_the_same_key_too():
    """503 comes before anything was done; harmless, and still the same key."""
    with serving(in_turn(answers(503), GOOD)) as server:
        push(server.url, rest_system(accepts=BATCH), TWO)
        assert (2, 1) == (len(keys(server)), len(set(keys(server))))


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"digest": "other"}, {"op": "D"}, {"guid": "g9"}],
)
def test_another_batch_has_another_key(change):
    """A new version, content, operation or record must not be taken for a repetition."""
    assert batch_id(TWO) != batch_id([TWO[0], replace(TWO[1], **change)])
    assert batch_id(TWO) != batch_id(TWO[:1])


def test_a_connection_that_breaks_after_the_request_is_never_retried_blindly():
    """One request came; the caller knows that it is unclear."""
    with raw_serving(lambda _c: None) as server:
        with pytest.raises(DeliveryUnclear):
            push(server.url, rest_system(accepts=ONE))
        assert 1 == len(server.asked)


def test_misspelt_placeholders_of_calls_and_deletions_are_named_at_opening():
    """File and place."""
    for part in ("call", "delete"):
        accepts = {**ONE, part: {**ONE[part], "path": "/{gid}"}}
        with (
            pytest.raises(ConfigInvalid, match=r"unknown placeholder \{gid\}"),
            connect(rest_system(accepts=accepts), "http://127.0.0.1:9"),
        ):
            pass
