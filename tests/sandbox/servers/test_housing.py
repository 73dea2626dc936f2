"""The housing bureau's interface, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.servers.json_callers import housing_page, housing_send
from tests.sandbox.servers.town import UNIT, Town


def result_row(biz_id: str, **changes: Any) -> dict[str, Any]:
    """Write one registration result."""
    row = {
        "bizId": biz_id,
        "op": "I",
        "businessNo": "YW1",
        "unitNo": UNIT.format(1),
        "certificateNo": "甘（2026）平凉市不动产权第0000001号",
        "contractNo": "HT1",
        "registeredAt": "2026-03-02 09:00:00",
        "rightStatus": "1",
        "holders": [{"name": "张某", "idType": "01", "share": "100%"}],
    }
    return {**row, **changes}


def push(town: Town, *rows: dict[str, Any]) -> list[dict[str, str]]:
    """Push registration results."""
    answer = housing_send(town, "POST", "/api/v1/registrations", body={"records": list(rows)})
    assert "0000" == answer.json()["code"], answer.text
    return answer.json()["data"]["results"]


def test_contracts_come_newest_first_and_then_by_key(town):
    """Two contracts share each minute; pages of ten join to the whole."""
    pages = [housing_page(town, "contracts", page, 10) for page in (1, 2, 3, 4)]

    numbers = [int(row["contractNo"][2:]) for page in pages for row in page["list"]]
    assert [31] * 4 == [page["total"] for page in pages]
    expected = sorted(range(31), key=lambda n: (-(n // 2), n))
    assert expected == numbers


def test_numbers_nulls_and_parties_keep_their_json_types(town):
    """Documents go out as they are stored."""
    row = housing_page(town, "contracts", 1, 1)["list"][0]

    assert float is type(row["totalPrice"])
    assert pytest.approx(456000.5) == row["totalPrice"]
    assert 1 == row["parties"][0]["no"]


def test_units_are_a_list_of_their_own(town):
    """The second list."""
    assert 8 == housing_page(town, "units", 1, 500)["total"]


def test_a_change_between_two_pages_shifts_them(town):
    """A reader of page 2 meets rows of page 1 again and the changed row has moved to the front."""
    before = housing_page(town, "contracts", 1, 10)["list"]
    town.control("housing", "POST", "advance", {"changes": 1})

    query_until_later = {
        "startTime": "2026-01-01 00:00:00",
        "endTime": "2100-01-01 00:00:00",
        "pageNo": 2,
        "pageSize": 10,
    }
    answer = housing_send(town, "GET", "/api/v1/contracts", query_until_later).json()

    second_page = [row["contractNo"] for row in answer["data"]["list"]]
    assert before[-1]["contractNo"] == second_page[0]


@pytest.mark.parametrize(
    "spoilt",
    [{"signature": "0" * 64}, {"signature": ""}, {"shift_ms": -300_500}, {"shift_ms": 301_000}],
    ids=["signature", "none", "late", "early"],
)
def test_wrong_authentication_is_code_4001_with_http_200(town, spoilt):
    """The status says fine, the envelope does not."""
    answer = housing_send(town, "GET", "/api/v1/units", {"pageNo": 1}, **spoilt)

    assert (200, "4001") == (answer.status_code, answer.json()["code"])


def test_a_replayed_nonce_is_refused(town):
    """The same nonce works once, also when all else is right."""
    codes = [
        housing_send(town, "GET", "/api/v1/units", {"pageNo": 1}, nonce="once").json()["code"]
        for _ in range(2)
    ]

    assert ["4005", "4001"] == codes


def test_a_signature_for_another_query_is_refused(town):
    """The query is part of what is signed."""
    answer = housing_send(town, "GET", "/api/v1/units", {"pageNo": 1})
    request = answer.request
    request.url = request.url.replace("pageNo=1", "pageNo=2")
    request.headers["X-Nonce"] = "fresh"

    assert "4001" == _send_again(request).json()["code"]


def _send_again(request):
    """Send a prepared request as it now is."""
    with requests.Session() as session:
        return session.send(request, timeout=10)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pageSize": 0}, "4003"),
        ({"pageSize": 501}, "4003"),
        ({"pageNo": 0}, "4003"),
        ({"pageNo": "x"}, "4002"),
        ({"pageNo": "9" * 30}, "4002"),
        ({"startTime": "2026-01-01"}, "4005"),
        ({"endTime": "2025-01-01 00:00:00"}, "4005"),
        ({"extra": 1}, "4002"),
    ],
)
def test_a_bad_parameter_has_its_own_code(town, changes, code):
    """Page size, page number, window, unknown names."""
    query = {
        "startTime": "2026-01-01 00:00:00",
        "endTime": "2027-01-01 00:00:00",
        "pageNo": 1,
        "pageSize": 10,
    }

    answer = housing_send(town, "GET", "/api/v1/contracts", {**query, **changes})

    assert (200, code) == (answer.status_code, answer.json()["code"])


def test_an_unknown_service_answers_in_the_envelope(town):
    """Code 4004 below /api, with a valid signature."""
    answers = [housing_send(town, "GET", path) for path in ("/api/v1/none", "/api/v2/x/y")]

    assert ["4004", "4004"] == [answer.json()["code"] for answer in answers]


def test_a_repeated_result_gets_its_original_receipt(town):
    """OK, then DUP, one receipt."""
    first = push(town, result_row("h-1"))[0]
    second = push(town, result_row("h-1"))[0]

    assert ("OK", "DUP") == (first["status"], second["status"])
    assert first["receiptNo"] == second["receiptNo"]
    assert second["receiptNo"]


def test_a_broken_result_is_refused_by_itself(town):
    """Missing certificate, malformed time, no identifier."""
    rows = (
        result_row("h-2", certificateNo=None),
        result_row("h-3", registeredAt="2026-02-30 00:00:00"),
        result_row(""),
        result_row("h-4"),
    )

    results = push(town, *rows)

    assert ["REJECT", "REJECT", "REJECT", "OK"] == [row["status"] for row in results]
    assert ["E101", "E102", "E101", ""] == [row["errCode"] for row in results]


@pytest.mark.parametrize("records", [[], [result_row(f"m{n}") for n in range(101)]])
def test_a_batch_of_no_rows_or_too_many_is_refused_whole(town, records):
    """At most 100 rows."""
    answer = housing_send(town, "POST", "/api/v1/registrations", body={"records": records})

    assert "4006" == answer.json()["code"]


@pytest.mark.parametrize("body", [[], {"records": "x"}, {"records": [1]}])
def test_a_body_of_another_shape_is_refused(town, body):
    """One object with a list of objects."""
    answer = housing_send(town, "POST", "/api/v1/registrations", body=body)

    assert "4002" == answer.json()["code"]


@pytest.mark.parametrize(
    "text",
    [
        '{"records": [{"bizId": "\\ud800"}]}',
        '{"records": [{"bizId": NaN}]}',
        '{"records": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"records": [',
        "\ufeff{}",
    ],
    ids=["half a surrogate", "nan", "deep", "broken", "byte order mark"],
)
def test_json_that_no_file_can_hold_is_refused_and_the_server_lives(town, text):
    """An envelope, never an unhandled error."""
    answer = housing_send(town, "POST", "/api/v1/registrations", text=text)

    assert (200, "4002") == (answer.status_code, answer.json()["code"])
