"""The Pingliang substation: the Gansu gateway and TIF, over HTTP."""

from __future__ import annotations

import hashlib
import json

import pytest

from sandbox.servers.inbox import canonical_digest
from tests.sandbox.servers.json_callers import (
    accept_row,
    case_row,
    gateway,
    gateway_post,
    tif_push,
    tif_row,
    tif_send,
)
from tests.sandbox.servers.town import Town

WINDOW = {"after": "", "limit": 5, "since": "20260101000000", "until": "20270101000000"}


def push(town: Town, interface_id: str, *rows) -> list[dict[str, str]]:
    """Push case rows through the gateway."""
    inner = gateway(town, interface_id, {"batch_id": "b1", "rows": list(rows)})
    assert ("0", True) == (inner["code"], inner["success"]), inner
    return inner["results"]


def statement(town: Town, dataset: str) -> dict[str, tuple[object, str]]:
    """Read the live rows of a dataset: row_guid -> version, digest."""
    answer = tif_send(town, "GET", f"/tif/statement?dataset={dataset}").json()
    assert len(answer["rows"]) == answer["count"]
    return {row["row_guid"]: (row["version"], row["digest"]) for row in answer["rows"]}


def test_applications_come_through_both_layers_in_queue_order(town):
    """Outer data is a string; three pages hold every application once."""
    after, seen, pages = "", [], 0
    while pages == 0 or after:
        inner = gateway(town, "pull_online_application", {**WINDOW, "after": after})
        seen += [row["applyNo"] for row in inner["rows"]]
        after, pages = inner["next"], pages + 1

    assert (3, 13) == (pages, inner["total"])
    assert [f"SQ{n:04d}" for n in range(13)] == seen


@pytest.mark.parametrize(("interface_id", "count"), [("evaluation", 6), ("service_item", 4)])
def test_every_pull_interface_answers(town, interface_id, count):
    """The other two queues."""
    inner = gateway(town, f"pull_{interface_id}", {**WINDOW, "limit": 200})

    assert (count, count, "") == (inner["total"], len(inner["rows"]), inner["next"])


@pytest.mark.parametrize(
    "spoilt",
    [
        {"sign": "0" * 64},
        {"app_id": "other"},
        {"biz_content": "{}"},
        {"shift_ms": -300_500},
        {"timestamp": "soon"},
    ],
    ids=["sign", "application", "content", "late", "timestamp"],
)
def test_a_wrong_signature_fails_in_the_outer_layer(town, spoilt):
    """Code 401, no inner data."""
    answer = gateway_post(town, "pull_evaluation", WINDOW, **spoilt).json()

    assert (False, "401", "") == (answer["success"], answer["code"], answer["data"])


def test_an_unknown_interface_fails_in_the_outer_layer(town):
    """Code 404."""
    assert "404" == gateway_post(town, "pull_nothing", WINDOW).json()["code"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("not json", "1001"),
        ("[]", "1001"),
        (json.dumps({**WINDOW, "limit": 0}), "1002"),
        (json.dumps({**WINDOW, "limit": 201}), "1002"),
        (json.dumps({**WINDOW, "limit": "5"}), "1001"),
        (json.dumps({**WINDOW, "since": ""}), "1003"),
        (json.dumps({**WINDOW, "after": "nonsense"}), "1004"),
    ],
)
def test_a_bad_content_fails_in_the_inner_layer(town, content, code):
    """The outer layer stays successful."""
    inner = gateway(town, "pull_evaluation", content)

    assert (False, code) == (inner["success"], inner["code"])


def test_a_case_needs_its_acceptance_before_steps_and_result(town):
    """PARENT_MISSING first, accepted after the acceptance row."""
    step = case_row("s-1", "P1", event_name="受理", event_start_time="20260302090000")
    result = case_row("e-1", "P1", result_type="1", result_date="20260303090000")

    orphans = push(town, "up_pro_process", step) + push(town, "up_pro_result", result)
    push(town, "up_pro_accept", accept_row("a-1", "P1"))
    taken = push(town, "up_pro_process", step) + push(town, "up_pro_result", result)

    assert ["PARENT_MISSING"] * 2 == [row["code"] for row in orphans]
    assert ["accepted"] * 2 == [row["status"] for row in taken]


def test_a_deleted_acceptance_is_no_parent(town):
    """A tombstone leaves the case without a parent."""
    push(town, "up_pro_accept", accept_row("a-2", "P2"))
    tombstone = {**accept_row("a-2", "P2", "20260302090001"), "cd_operation": "D"}
    push(town, "up_pro_accept", tombstone)

    step = case_row("s-2", "P2", event_name="受理", event_start_time="20260302090000")

    assert "PARENT_MISSING" == push(town, "up_pro_process", step)[0]["code"]
    assert "a-2" not in statement(town, "up_pro_accept")


def test_case_rows_are_idempotent_by_version_and_guarded_against_old_ones(town):
    """Same time: duplicate; older: STALE; same time with other content: conflict; newer: taken."""
    row = accept_row("a-3", "P3", "20260302090005")
    older = accept_row("a-3", "P3", "20260302090004")
    newer = accept_row("a-3", "P3", "20260302090006")
    data = {"task_code": "T2", "applyer_name": "李*", "apply_date": "20260302090000"}
    other = case_row("a-3", "P3", "20260302090005", **data)

    answers = [push(town, "up_pro_accept", item)[0] for item in (row, row, older, other, newer)]

    assert ["accepted", "duplicate", "rejected", "rejected", "accepted"] == [
        answer["status"] for answer in answers
    ]
    assert ["STALE", "VERSION_CONFLICT"] == [answers[2]["code"], answers[3]["code"]]
    assert answers[0]["receipt_no"] == answers[1]["receipt_no"]
    assert answers[1]["receipt_no"]


def test_a_digest_of_other_content_is_refused(town):
    """At both sides."""
    case = {**accept_row("a-4", "P4"), "applyer_name": "changed on the way"}
    row = {**tif_row("d-1", 1, {"a": 1}), "data": {"a": 2}}

    answers = push(town, "up_pro_accept", case) + tif_push(town, "enterprise", [row])

    assert ["DIGEST_MISMATCH"] * 2 == [answer["code"] for answer in answers]


def test_the_digest_is_over_sorted_keys_with_chinese_as_it_is():
    """The text that is digested, written out by hand."""
    text = '{"a":1.5,"b":[1,null],"名":"平凉"}'

    digest = canonical_digest({"名": "平凉", "b": [1, None], "a": 1.5})

    assert hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.parametrize("missing", ["project_no", "task_code", "applyer_name", "apply_date"])
def test_a_case_row_without_a_required_field_is_refused(town, missing):
    """E101 names the field."""
    fields = {
        "project_no": "P5",
        "task_code": "T1",
        "applyer_name": "张*",
        "apply_date": "20260302090000",
    }
    del fields[missing]
    row = {"row_guid": "a-5", "cd_operation": "I", "cd_time": "20260302090000"}

    answer = push(town, "up_pro_accept", {**row, "digest": canonical_digest(fields), **fields})[0]

    assert ("rejected", "E101", f"{missing} is required") == (
        answer["status"],
        answer["code"],
        answer["message"],
    )


def test_tif_rows_are_idempotent_by_version(town):
    """Duplicate, STALE, conflict, newer."""
    rows = [
        tif_row("v-1", 2, {"a": 1}),
        tif_row("v-1", 2, {"a": 1}),
        tif_row("v-1", 1, {"a": 1}),
        tif_row("v-1", 2, {"a": 9}),
        tif_row("v-1", 10, {"a": 3}),
    ]

    answers = [tif_push(town, "real_estate_right", [row])[0] for row in rows]

    assert ["accepted", "duplicate", "rejected", "rejected", "accepted"] == [
        answer["status"] for answer in answers
    ]
    assert ["", "", "STALE", "VERSION_CONFLICT", ""] == [answer["code"] for answer in answers]
    assert answers[0]["receipt_no"] == answers[1]["receipt_no"]


def test_the_statement_lists_live_rows_with_version_and_digest(town):
    """A deleted row is gone, a changed one shows its last version."""
    tif_push(town, "house_unit", [tif_row("u-1", 1, {"a": 1}), tif_row("u-2", 1, {"a": 2})])
    tif_push(town, "house_unit", [tif_row("u-1", 2, {}, "D"), tif_row("u-2", 2, {"a": 3})])

    assert {"u-2": (2, canonical_digest({"a": 3}))} == statement(town, "house_unit")


def test_a_deleted_row_can_come_back_with_a_higher_version(town):
    """The tombstone still guards against older ones."""
    tif_push(town, "sale_contract", [tif_row("w-1", 5, {}, "D")])
    old = tif_push(town, "sale_contract", [tif_row("w-1", 4, {"a": 1})])[0]
    new = tif_push(town, "sale_contract", [tif_row("w-1", 6, {"a": 1})])[0]

    assert ("STALE", "accepted") == (old["code"], new["status"])


def test_the_statement_covers_case_tables_with_time_versions(town):
    """Versions of case rows are their cd_time."""
    push(town, "up_pro_accept", accept_row("a-6", "P6", "20260302090009"))

    assert "20260302090009" == statement(town, "up_pro_accept")["a-6"][0]


@pytest.mark.parametrize(
    "spoilt",
    [{"token": "wrong"}, {"shift_s": -181}, {"shift_s": 182}],
    ids=["token", "late", "early"],
)
def test_a_wrong_tif_signature_is_http_500_with_code_400001(town, spoilt):
    """As the real filter answers."""
    answer = tif_send(town, "GET", "/tif/statement?dataset=enterprise", **spoilt)

    assert (500, 400001) == (answer.status_code, answer.json()["code"])


def test_a_tif_signature_in_lower_case_is_right_too(town):
    """Senders differ; the comparison does not."""
    answer = tif_send(town, "GET", "/tif/statement?dataset=enterprise", lower=True)

    assert 200 == answer.status_code


def test_a_replayed_tif_nonce_is_refused(town):
    """The same nonce works once."""
    path = "/tif/statement?dataset=enterprise"
    statuses = [tif_send(town, "GET", path, nonce="once").status_code for _ in range(2)]

    assert [200, 500] == statuses


@pytest.mark.parametrize(
    ("dataset", "rows", "code"),
    [
        ("nothing", [tif_row("x", 1, {"a": 1})], 400004),
        ("enterprise", [], 400003),
        ("enterprise", [tif_row(f"many-{n}", 1, {"a": 1}) for n in range(501)], 400003),
        ("enterprise", "x", 400002),
    ],
    ids=["dataset", "empty", "too many", "shape"],
)
def test_a_bad_tif_batch_is_refused_whole(town, dataset, rows, code):
    """HTTP 500 and the code."""
    body = {"batch_id": "b", "rows": rows}

    answer = tif_send(town, "POST", f"/tif/datasets/{dataset}/batch", body)

    assert (500, code) == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": "1"}, "E101"),
        ({"version": True}, "E101"),
        ({"digest": ""}, "E101"),
        ({"op": "X"}, "E103"),
        ({"data": {}}, "E101"),
    ],
)
def test_a_broken_tif_row_is_refused_by_itself(town, changes, code):
    """The neighbour is kept."""
    rows = [{**tif_row("y-1", 1, {"a": 1}), **changes}, tif_row("y-2", 1, {"a": 1})]

    answers = tif_push(town, "unit_insurance", rows)

    assert ["rejected", code] == [answers[0]["status"], answers[0]["code"]]
    assert answers[1]["status"] in {"accepted", "duplicate"}


def test_the_fifty_first_call_in_a_second_is_told_to_wait(town):
    """429 with Retry-After, and calls work again after it."""
    answers = [tif_send(town, "GET", "/tif/statement?dataset=enterprise") for _ in range(120)]

    slow = [answer for answer in answers if answer.status_code == 429]
    assert slow
    assert {"1"} == {answer.headers["retry-after"] for answer in slow}
