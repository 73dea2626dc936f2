"""The social insurance bureau's share service, over HTTP and zeep."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import requests
import zeep
from zeep.exceptions import Fault

from sandbox.servers.signatures import sm4_decrypt
from tests.sandbox.servers.soap_callers import social_auth, social_window
from tests.sandbox.servers.town import CREDIT_CODE, NAME, PERSON_ID, Town


def client(town: Town) -> Any:
    """Load the served WSDL."""
    return zeep.Client(f"{town.url('social')}/si/services/InsuranceShare?wsdl").service


def call(town: Town, operation: str, **parts: Any) -> Any:
    """Call an operation with valid authentication."""
    auth = social_auth(town.account("social"))
    return getattr(client(town), operation)(**{**auth, **parts})


def enterprise(biz_id: str, **changes: Any) -> dict[str, Any]:
    """Write one enterprise row."""
    row = {
        "bizId": biz_id,
        "op": "I",
        "BAB010": CREDIT_CODE.format(1),
        "AAB004": "平凉示范公司",
        "AAE047": "20260302",
        "state": "1",
    }
    return {**row, **changes}


def submit(town: Town, *rows: dict[str, Any]) -> list[Any]:
    """Push enterprises and return the results."""
    answer = call(town, "submitEnterprises", rows={"row": list(rows)})
    assert "1" == answer.rtnCode
    return answer.results.result


@pytest.mark.parametrize(
    ("operation", "count"), [("queryUnits", 5), ("queryPersons", 27), ("queryContributions", 11)]
)
def test_zeep_reads_every_query(town, operation, count):
    """RtnCode 1, and as many rows as counted."""
    answer = call(town, operation, **social_window())

    assert ("1", count) == (answer.rtnCode, answer.totalCount)
    assert count == len(answer.rows.row)


def test_persons_come_in_key_order_although_changed_in_the_reverse_one(town):
    """Row numbers follow the key, so pages join without loss."""
    keys = []
    for start in (1, 11, 21):
        answer = call(town, "queryPersons", **social_window(start, 10))
        keys += [row.AAC001 for row in answer.rows.row]

    assert [f"P{n:04d}" for n in range(73, 100)] == keys


def test_personal_fields_travel_sealed_and_open_with_the_shared_key(town):
    """SM4-CBC with a fresh iv per value; nothing else is sealed."""
    key = bytes.fromhex(town.account("social")["extra"]["field_key"])
    rows = call(town, "queryPersons", **social_window()).rows.row

    assert {PERSON_ID} == {sm4_decrypt(key, row.AAC002) for row in rows}
    assert {NAME} == {sm4_decrypt(key, row.AAC003) for row in rows}
    assert len(rows) == len({row.AAC002 for row in rows})
    assert 16 == len(base64.b64decode(rows[0].AAC002)) - 32
    assert "1" == rows[0].AAC004


@pytest.mark.parametrize("spoilt", ["sign", "appId", "timestamp", "late"])
def test_wrong_authentication_is_a_client_auth_fault(town, spoilt):
    """Each of the three parts counts, and so does the clock."""
    shift = -301 if spoilt == "late" else 0
    auth = social_auth(town.account("social"), shift)
    parts = auth if spoilt == "late" else {**auth, spoilt: auth[spoilt][:-1] + "x"}

    with pytest.raises(Fault) as caught:
        client(town).queryUnits(**{**parts, **social_window()})

    assert "Client.AUTH" == caught.value.code


@pytest.mark.parametrize(("start", "count"), [(1, 0), (1, 2001), (0, 10)])
def test_a_bad_page_gets_its_own_return_code(town, start, count):
    """Every part of the answer is present, as rpc demands."""
    answer = call(town, "queryUnits", **social_window(start, count))

    assert ("-2", 0) == (answer.rtnCode, answer.totalCount)


def test_parts_in_another_order_break_the_interface(town):
    """The wrapper built from the message parts is checked like any schema."""
    auth = social_auth(town.account("social"))
    parts = "".join(f"<{name}>{value}</{name}>" for name, value in auth.items())
    body = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<t:queryUnits xmlns:t="urn:si:share">{parts}<rowCount>1</rowCount></t:queryUnits>'
        "</s:Body></s:Envelope>"
    )
    url = f"{town.url('social')}/si/services/InsuranceShare"

    answer = requests.post(url, body, headers={"content-type": "text/xml"}, timeout=10)

    assert 500 == answer.status_code
    assert "breaks the interface" in answer.text


def test_a_header_that_must_be_understood_and_is_not_is_refused(town):
    """SOAP's own rule."""
    body = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        '<x:Odd xmlns:x="urn:x" s:mustUnderstand="1"/></s:Header><s:Body><a/></s:Body>'
        "</s:Envelope>"
    )
    url = f"{town.url('social')}/si/services/InsuranceShare"

    answer = requests.post(url, body, headers={"content-type": "text/xml"}, timeout=10)

    assert "soap:MustUnderstand" in answer.text


def test_a_repeated_enterprise_gets_its_original_receipt(town):
    """Result codes 1, then 2, with one receipt."""
    first = submit(town, enterprise("s-1"))[0]
    second = submit(town, enterprise("s-1"))[0]

    assert ("1", "2") == (first.resultCode, second.resultCode)
    assert first.receiptNo == second.receiptNo


def test_a_broken_enterprise_is_refused_by_itself(town):
    """Missing name E101, malformed credit code E102."""
    rows = (
        enterprise("s-2", AAB004=""),
        enterprise("s-3", BAB010="short"),
        enterprise("s-4"),
    )

    results = submit(town, *rows)

    assert ["0", "0", "1"] == [row.resultCode for row in results]
    assert ["E101", "E102", None] == [row.errCode for row in results]


def test_a_batch_above_the_limit_is_refused_whole(town):
    """At most 500 rows."""
    rows = [enterprise(f"many-{n}") for n in range(501)]

    answer = call(town, "submitEnterprises", rows={"row": rows})

    assert "-4" == answer.rtnCode
    assert "many-0" not in town.accepted("social", "enterprise")
