"""Deliveries: one receipt per record, and silence is never a yes."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.delivery import batch_id
from tests.connectors.serving import (
    ACCEPTS,
    ALL,
    JSON,
    RECORD,
    answers,
    connect,
    ok,
    push,
    rest_system,
    serving,
)
from tongban.kernel.errors import (
    AnswerUnreadable,
    ConfigInvalid,
    DeliveryUnclear,
)
from tongban.kernel.records import OutgoingRecord


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
    with (
        serving(answers(200, b'{"results":"fine"}', JSON)) as server,
        pytest.raises(DeliveryUnclear),
    ):
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
    with (
        serving(lambda _a: ok([{"g": "g1", "v": 3, "d": "ab"}])) as server,
        connect(rest_system(accepts=accepts), server.url) as connector,
    ):
        assert [("g1", 3, "ab")] == list(connector.statement("notice"))


def test_a_record_that_is_told_once_more_carries_the_receivers_marker():
    """The word and its field are the receiver's; an ordinary record has neither."""
    sent = []

    def handler(asked):
        sent.extend(json.loads(asked.body)["rows"])
        results = [{"id": row["id"], "s": "OK"} for row in sent]
        return 200, JSON, json.dumps({"results": results}).encode()

    marker = {"field": "mark", "late": "BBXZ", "resent": "CBXZ", "corrected": "BL"}
    again = OutgoingRecord("g2", "I", 2, "d", {"n": 2}, rereport="corrected")
    with (
        serving(handler) as server,
        connect(rest_system(accepts={**ACCEPTS, "rereport": marker}), server.url) as connector,
    ):
        connector.send("notice", [three()[0], again])
    assert [{"id": "g1", "n": 1}, {"id": "g2", "n": 2, "mark": "BL"}] == sent


def test_a_batch_that_is_told_once_more_is_another_batch():
    """A receiver that knows batches by their id would not look at it."""
    first = OutgoingRecord("g1", "I", 1, "d", {})
    again = OutgoingRecord("g1", "I", 1, "d", {}, rereport="resent")
    assert batch_id([first]) != batch_id([again])


def test_a_receiver_that_only_counts_is_asked_for_its_count():
    """Where nothing is listed, the number is all that can be compared."""
    counted = {"call": {"path": "/n"}, "total": "total"}
    accepts = {**ACCEPTS, "counted": counted}
    with (
        serving(lambda _a: (200, JSON, b'{"total": 17}')) as server,
        connect(rest_system(accepts=accepts), server.url) as connector,
    ):
        assert 17 == connector.held("notice")


def test_a_statement_line_without_a_version_is_unreadable():
    """Reconciliation must not guess."""
    statement = {"call": {"path": "/s"}, "records": "rows"}
    statement |= {"guid": "g", "version": "v", "digest": "d"}
    accepts = {**ACCEPTS, "statement": statement}
    with (
        serving(lambda _a: ok([{"g": "g1", "d": "ab"}])) as server,
        connect(rest_system(accepts=accepts), server.url) as connector,
        pytest.raises(AnswerUnreadable, match="lacks"),
    ):
        list(connector.statement("notice"))


def test_four_workers_share_a_connector_and_its_budget():
    """Each gets its own receipts, and no more calls run at a time than declared."""
    inside, most, lock = 0, 0, threading.Lock()

    def handler(asked):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.005)
        with lock:
            inside -= 1
        (row,) = json.loads(asked.body)["rows"]
        return 200, JSON, json.dumps({"results": [{"id": row["id"], "s": "ok"}]}).encode()

    system = rest_system(accepts=ACCEPTS, budget={"concurrent": 2})
    records = [OutgoingRecord(f"g{n}", "I", 1, "d", {}) for n in range(40)]
    with (
        serving(handler) as server,
        connect(system, server.url) as connector,
        ThreadPoolExecutor(4) as workers,
    ):
        receipts = list(workers.map(lambda r: connector.send("notice", [r])[0], records))
    assert [record.guid for record in records] == [receipt.guid for receipt in receipts]
    assert 2 == most


def test_secrets_and_values_never_show_in_representations():
    """Errors, logs and debuggers print them."""
    record = OutgoingRecord("g", "I", 1, "d", {"name": "张三"})
    assert "张三" not in repr(record)
