"""The tax department's exchange, over HTTP."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
import zeep
from lxml import etree
from zeep.wsse.username import UsernameToken

from sandbox.datasets import beijing_now
from tests.sandbox.servers.soap_callers import bizml, tax, tax_layers, tax_post, tax_window, token
from tests.sandbox.servers.town import NAME, START, UNIT, Town

CONTRACT = (
    "<RWJSHOUSE><YWZJ>{guid}</YWZJ><HTBH>{contract}</HTBH><BDCDYH>{unit}</BDCDYH>"
    "<TDFWDZ>崆峒区中街1号</TDFWDZ><FWJZMJ>98.45</FWJZMJ><HTCJJG>{price}</HTCJJG>"
    "<JYHTRQ>20260302</JYHTRQ><CZBZ>{op}</CZBZ><JYFXXLIST><JYFXX><ZRFCSFBZ>1</ZRFCSFBZ>"
    "<NSRMC>买方</NSRMC></JYFXX></JYFXXLIST></RWJSHOUSE>"
)


def contract(guid: str, no: str = "HT0001", *, price: str = "456000.00", op: str = "I") -> str:
    """Write one contract task."""
    return CONTRACT.format(guid=guid, contract=no, unit=UNIT.format(1), price=price, op=op)


def push(town: Town, *rows: str) -> list[dict[str, str]]:
    """Push contract tasks and return the receipts as dicts."""
    inner = tax(town, "A005", f"<RWJSHOUSELIST>{''.join(rows)}</RWJSHOUSELIST>")
    assert "0" == inner.findtext("HEAD/FHM")
    return [{c.tag: c.text or "" for c in row} for row in inner.iterfind("BODY/HZLIST/HZ")]


def fault_code(answer) -> str:
    """Return the faultcode of an HTTP 500 answer."""
    assert 500 == answer.status_code
    return etree.fromstring(answer.content).findtext(".//faultcode")


def test_a_page_of_payments_comes_through_both_layers_in_gb18030(town):
    """Outer and inner codes are 0, counts agree, and a rare name survives the charset."""
    answer = tax_post(town, "A020", bizml("A020", tax_window(size=10)))

    code, inner = tax_layers(answer)
    assert "text/xml; charset=GB18030" == answer.headers["content-type"]
    assert ("0", "0") == (code, inner.findtext("HEAD/FHM"))
    assert "25" == inner.findtext("HEAD/ZJLS")
    assert [NAME] * 10 == [row.findtext("NSRMC") for row in inner.iter("WSXX")]
    assert NAME in answer.content.decode("gb18030")


def test_pages_follow_each_other_in_change_order_without_loss(town):
    """Three pages hold every payment once."""
    numbers = []
    for page in (1, 2, 3):
        inner = tax(town, "A020", tax_window(page, 10))
        numbers += [row.findtext("DZSPHM") for row in inner.iter("WSXX")]

    assert [f"{n:018d}" for n in range(25)] == numbers


def test_a_page_past_the_end_is_empty_and_still_counts(town):
    """The total stays, the list is empty."""
    inner = tax(town, "A020", tax_window(9, 10))

    assert "25" == inner.findtext("HEAD/ZJLS")
    assert [] == list(inner.iter("WSXX"))


def test_the_window_takes_its_start_and_leaves_out_its_end(town):
    """Rows of minutes 1 and 2, not of minute 3."""
    window = tax_window(1, 100, START + timedelta(minutes=1), START + timedelta(minutes=3))

    inner = tax(town, "A020", window)

    assert "4" == inner.findtext("HEAD/ZJLS")


def test_zeep_reads_the_served_wsdl_and_calls_it(town):
    """The WSDL names the address under which it was fetched."""
    url = town.url("tax") + "/services/TaxExchange"
    account = town.account("tax")
    client = zeep.Client(
        f"{url}?wsdl", wsse=UsernameToken(account["login"], account["password"], use_digest=True)
    )

    assert url == client.service._binding_options["address"]


def test_taxpayers_are_served_by_d001(town):
    """The second pull service has its own list."""
    inner = tax(town, "D001", tax_window())

    assert 7 == len(inner.findall("BODY/NSRXXLIST/NSRXX"))


def test_an_unknown_service_fails_in_the_outer_layer(town):
    """No inner document at all."""
    code, inner = tax_layers(tax_post(town, "Z999", bizml("Z999", tax_window())))

    assert ("9002", "none") == (code, inner.tag)


@pytest.mark.parametrize(("page", "size"), [(1, 0), (1, 1001), (0, 10)])
def test_a_bad_page_fails_in_the_inner_layer(town, page, size):
    """The outer layer still says 0."""
    code, inner = tax_layers(tax_post(town, "A020", bizml("A020", tax_window(page, size))))

    assert ("0", "2002") == (code, inner.findtext("HEAD/FHM"))


@pytest.mark.parametrize(
    "inner",
    [
        "<TAXBIZML>",
        '<!DOCTYPE a [<!ENTITY b "c">]><TAXBIZML/>',
        bizml("D001", tax_window()),
        bizml("A020", "<GXSJQ>20260101000000</GXSJQ>"),
        bizml("A020", tax_window() + "<EXTRA/>"),
    ],
)
def test_a_bad_inner_document_fails_in_the_inner_layer(town, inner):
    """Broken, with a DTD, for another service, incomplete, or with an unknown element."""
    code, document = tax_layers(tax_post(town, "A020", inner))

    assert ("0", "2001") == (code, document.findtext("HEAD/FHM"))


def spoiled_headers(town: Town) -> dict[str, str]:
    """Write security headers that are wrong in one way each."""
    account = town.account("tax")
    late = (datetime.now(UTC) - timedelta(seconds=301)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "none": "",
        "password": token(account, password="wrong"),
        "user": token({**account, "login": "someone"}),
        "skew": token(account, created=late),
        "kind": token(account, kind="urn:x#PasswordText"),
        "created": token(account, created="yesterday"),
        "empty nonce": token(account, nonce=b""),
    }


@pytest.mark.parametrize(
    "spoilt", ["none", "password", "user", "skew", "kind", "created", "empty nonce"]
)
def test_a_wrong_token_is_a_failed_authentication_fault(town, spoilt):
    """HTTP 500 and wsse:FailedAuthentication, whatever was wrong."""
    header = spoiled_headers(town)[spoilt]

    answer = tax_post(town, "A020", bizml("A020", tax_window()), header=header)

    assert "wsse:FailedAuthentication" == fault_code(answer)


def test_a_replayed_nonce_is_refused(town):
    """The same header works once."""
    header = token(town.account("tax"), nonce=os.urandom(16))
    inner = bizml("A020", tax_window(size=1))

    first = tax_post(town, "A020", inner, header=header)
    second = tax_post(town, "A020", inner, header=header)

    assert 200 == first.status_code
    assert "wsse:FailedAuthentication" == fault_code(second)


def test_a_dtd_in_the_envelope_is_refused(town):
    """Entities never get a chance."""
    answer = tax_post(town, "A020", "x", prolog='<!DOCTYPE a [<!ENTITY b "c">]>')

    assert "soap:Client" == fault_code(answer)


def test_a_utf8_body_is_refused(town):
    """The department speaks GB18030 only."""
    answer = tax_post(town, "A020", bizml("A020", tax_window()), charset="UTF-8")

    assert 415 == answer.status_code


def test_a_declaration_that_contradicts_the_charset_is_refused(town):
    """A body in GB18030 that calls itself UTF-8 is a mistake, not a guess."""
    answer = tax_post(town, "A020", bizml("A020", tax_window()), declared="UTF-8")

    assert "soap:Client" == fault_code(answer)


def test_a_wrong_soap_action_is_refused(town):
    """The header is part of the interface."""
    answer = tax_post(town, "A020", bizml("A020", tax_window()), action="other")

    assert "soap:Client" == fault_code(answer)


def test_an_accepted_contract_brings_the_payment_that_waited_for_it(town):
    """The new A020 row carries the present as change and payment time."""
    before = beijing_now() - timedelta(seconds=2)

    receipts = push(town, contract("g-sale", "HT-SALE-1"))

    inner = tax(town, "A020", tax_window(1, 100, since=before))
    rows = [row for row in inner.iter("WSXX") if row.findtext("HTBH") == "HT-SALE-1"]
    assert ["1"] == [receipt["JSZT"] for receipt in receipts]
    assert 1 == len(rows)
    assert rows[0].findtext("GXSJ") == rows[0].findtext("JKRQ")
    assert rows[0].findtext("JKRQ")


def test_a_second_accept_of_the_contract_brings_no_second_payment(town):
    """A correction is accepted, the payment stays one."""
    push(town, contract("g-sale", "HT-SALE-1"))
    push(town, contract("g-sale", "HT-SALE-1", price="456001.00", op="U"))

    inner = tax(town, "A020", tax_window())
    rows = [row for row in inner.iter("WSXX") if row.findtext("HTBH") == "HT-SALE-1"]
    assert 1 == len(rows)


def test_a_repeated_row_gets_its_original_receipt(town):
    """Status 2, the same number, one acceptance."""
    first = push(town, contract("g-twice"))[0]
    second = push(town, contract("g-twice"))[0]

    assert ("1", "2") == (first["JSZT"], second["JSZT"])
    assert first["HZBH"] == second["HZBH"]
    assert second["HZBH"]
    assert "1" == town.accepted("tax", "sale_contract")["g-twice"]["version"]


def test_changed_content_under_the_same_key_is_a_new_version(town):
    """The last content counts."""
    first = push(town, contract("g-change"))[0]
    second = push(town, contract("g-change", price="500000.00", op="U"))[0]

    kept = town.accepted("tax", "sale_contract")["g-change"]
    assert "1" == second["JSZT"]
    assert first["HZBH"] != second["HZBH"]
    assert ("2", "500000.00") == (kept["version"], kept["doc"]["HTCJJG"])


def test_a_broken_row_is_refused_and_its_neighbours_are_kept(town):
    """Missing price E101, unreadable price E102, bad operation E103, between two good rows."""
    missing = contract("g-b2").replace("<HTCJJG>456000.00</HTCJJG>", "")
    rows = (
        contract("g-b1"),
        missing,
        contract("g-b3", price="many"),
        contract("g-b4", op="X"),
        contract("g-b5"),
    )

    receipts = push(town, *rows)

    assert ["1", "0", "0", "0", "1"] == [row["JSZT"] for row in receipts]
    assert ["", "E101", "E102", "E103", ""] == [row["CWDM"] for row in receipts]
    assert "HTCJJG" in receipts[1]["CWXX"]
    assert "many" not in receipts[2]["CWXX"]


def test_a_delete_needs_only_its_key(town):
    """A tombstone is accepted and kept as one."""
    row = "<RWJSHOUSE><YWZJ>g-del</YWZJ><HTBH>HT1</HTBH><CZBZ>D</CZBZ></RWJSHOUSE>"

    assert "1" == push(town, row)[0]["JSZT"]
    assert "D" == town.accepted("tax", "sale_contract")["g-del"]["op"]


@pytest.mark.parametrize("count", [0, 201])
def test_a_batch_of_no_rows_or_too_many_is_refused_whole(town, count):
    """At most 200 rows, and nothing of a bigger batch is kept."""
    body = "".join(contract(f"g-many-{n}") for n in range(count))

    inner = tax(town, "A005", f"<RWJSHOUSELIST>{body}</RWJSHOUSELIST>")

    assert "2004" == inner.findtext("HEAD/FHM")
    assert "g-many-0" not in town.accepted("tax", "sale_contract")


def test_registration_results_and_enterprises_are_taken_too(town):
    """B001 and C001 answer one receipt per row."""
    result = (
        f"<DJJG><YWZJ>r1</YWZJ><YWH>YW1</YWH><BDCDYH>{UNIT.format(1)}</BDCDYH>"
        "<BDCQZH>甘（2026）平凉市不动产权第0000001号</BDCQZH><DJSJ>20260302090000</DJSJ>"
        "<QSZT>1</QSZT></DJJG>"
    )
    enterprise = (
        "<QYDJ><YWZJ>e1</YWZJ><SHXYDM>91620899MA0000015X</SHXYDM><QYMC>示范</QYMC>"
        "<QYZT>1</QYZT></QYDJ>"
    )

    first = tax(town, "B001", f"<DJJGLIST>{result}</DJJGLIST>")
    second = tax(town, "C001", f"<QYDJLIST>{enterprise}</QYDJLIST>")

    assert ["1", "1"] == [inner.findtext("BODY/HZLIST/HZ/JSZT") for inner in (first, second)]
