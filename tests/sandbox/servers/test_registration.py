"""The registration office's share service, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
import zeep
from lxml import etree

from sandbox.datasets import beijing_now
from sandbox.servers.soap import Interface
from tests.sandbox.servers.soap_callers import (
    S11,
    S12,
    registration,
    registration_post,
    rights_query,
)
from tests.sandbox.servers.town import NAME, UNIT, Town

B = "{urn:bdc:share:v2}"


def contract(biz_id: str, contract_no: str, *, price: str = "456000.00", op: str = "I") -> str:
    """Write one contract item."""
    return (
        f"<t:Contract><t:BizId>{biz_id}</t:BizId><t:Op>{op}</t:Op><t:HTBH>{contract_no}</t:HTBH>"
        f"<t:BAH>BA1</t:BAH><t:BDCDYH>{UNIT.format(3)}</t:BDCDYH><t:CJJG>{price}</t:CJJG>"
        "<t:QDSJ>2026-03-01T10:00:00+08:00</t:QDSJ><t:BASJ>2026-03-01T11:00:00+08:00</t:BASJ>"
        "<t:Parties><t:Party><t:Role>B</t:Role><t:Name>买方</t:Name></t:Party></t:Parties>"
        "</t:Contract>"
    )


def payment(biz_id: str, contract_no: str, *, kind: str = "10119", paid: str = "true") -> str:
    """Write one payment item."""
    return (
        f"<t:Payment><t:BizId>{biz_id}</t:BizId><t:Op>I</t:Op><t:HTBH>{contract_no}</t:HTBH>"
        f"<t:BDCDYH>{UNIT.format(3)}</t:BDCDYH><t:DZSPHM>1</t:DZSPHM><t:SZDM>{kind}</t:SZDM>"
        f"<t:PaidOrExempt>{paid}</t:PaidOrExempt><t:JKSJ>2026-03-01T12:00:00+08:00</t:JKSJ>"
        "</t:Payment>"
    )


def submit(town: Town, operation: str, *items: str) -> list[dict[str, str]]:
    """Push items and return the receipts as dicts."""
    plural = {"SubmitContracts": "Contracts", "SubmitTaxPayments": "Payments"}[operation]
    inner = f"<t:{operation}><t:{plural}>{''.join(items)}</t:{plural}></t:{operation}>"
    answer = registration(town, inner)
    assert "200" == answer.findtext(f"{B}Code")
    return [
        {etree.QName(cell).localname: cell.text or "" for cell in row}
        for row in answer.iter(f"{B}Receipt")
    ]


def rights(town: Town, **query) -> list[etree._Element]:
    """Read rights of one page."""
    return list(registration(town, rights_query(**query)).iter(f"{B}FDCQ_YZ"))


def test_rights_page_by_cursor_to_the_end_without_loss(town):
    """Three pages, HasMore false on the last, each right once."""
    cursor, seen, pages = "", [], 0
    while pages == 0 or cursor:
        answer = registration(town, rights_query(limit=10, cursor=cursor))
        seen += [row.findtext(f"{B}YWH") for row in answer.iter(f"{B}FDCQ_YZ")]
        cursor = answer.findtext(f"{B}NextCursor") or ""
        assert ("true" if cursor else "false") == answer.findtext(f"{B}HasMore")
        pages += 1

    assert (3, [f"YW{n:04d}" for n in range(23)]) == (pages, seen)
    assert "23" == answer.findtext(f"{B}Total")


def test_a_right_carries_its_holders_in_schema_order(town):
    """Fields come in the order of the WSDL, whatever order they are stored in."""
    row = rights(town, limit=1)[0]

    names = [etree.QName(cell).localname for cell in row]
    order = Interface("ShareService.wsdl").fields("FDCQ_YZType")
    assert sorted(names, key=order.index) == names
    assert [NAME, NAME] == [holder.text for holder in row.iter(f"{B}QLRMC")]


@pytest.mark.parametrize(
    ("operation", "count"), [("QueryRights", 23), ("QueryMortgages", 6), ("QueryRightStatus", 9)]
)
def test_an_answer_obeys_the_wsdl_by_zeeps_reading(town, operation, count):
    """zeep, strict, deserialises the whole page."""
    url = town.url("registration") + "/bdc/services/ShareService?wsdl"
    client = zeep.Client(url)
    answer = registration_post(town, rights_query(operation))

    binding = client.service._binding
    reply = binding.process_reply(client, binding.get(operation), answer)

    assert ("200", count) == (reply.Code, reply.Total)


def test_a_value_that_is_absent_is_left_out(town):
    """A mortgage that is not cancelled has no ZXSJ element."""
    answer = registration(town, rights_query("QueryMortgages"))

    assert answer.find(f".//{B}ZXSJ") is None


@pytest.mark.parametrize("limit", [0, 501])
def test_a_bad_page_size_gets_its_own_code(town, limit):
    """No fault: the protocol has a Code for it."""
    assert "4001" == registration(town, rights_query(limit=limit)).findtext(f"{B}Code")


def test_a_cursor_of_another_window_is_refused(town):
    """A cursor is worth something only where it was given out."""
    cursor = registration(town, rights_query(limit=1)).findtext(f"{B}NextCursor")

    answer = registration(town, rights_query("QueryRightStatus", limit=1, cursor=cursor))

    assert "4003" == answer.findtext(f"{B}Code")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "中"])
def test_an_invented_cursor_is_refused(town, cursor):
    """Nonsense is not the first page."""
    answer = registration(town, rights_query(limit=1, cursor=cursor))

    assert "4003" == answer.findtext(f"{B}Code")


@pytest.mark.parametrize(
    "spoilt",
    [{"shift_s": -181}, {"shift_s": 181}, {"app_id": "other"}, {"spoil": b" "}],
    ids=["late", "early", "application", "body"],
)
def test_a_wrong_signature_is_a_sender_fault(town, spoilt):
    """Subcode FailedAuthentication, HTTP 500."""
    answer = registration_post(town, rights_query(), **spoilt)

    root = etree.fromstring(answer.content)
    values = [value.text for value in root.iter(f"{{{S12}}}Value")]
    assert (500, ["soap:Sender", "own:FailedAuthentication"]) == (answer.status_code, values)


def test_a_replayed_nonce_is_refused(town):
    """The same nonce works once."""
    first = registration_post(town, rights_query(limit=1), nonce="once")
    second = registration_post(town, rights_query(limit=1), nonce="once")

    assert [200, 500] == [first.status_code, second.status_code]


def test_an_unknown_operation_is_a_fault(town):
    """The WSDL decides."""
    answer = registration_post(town, "<t:QueryNothing/>")

    assert 500 == answer.status_code
    assert "no such operation" in answer.text


def test_a_request_against_the_schema_is_a_fault_without_the_value(town):
    """The fault names the element and the rule."""
    inner = rights_query().replace(">500<", ">canary<")

    answer = registration_post(town, inner)

    assert 500 == answer.status_code
    assert "canary" not in answer.text
    assert "DATATYPE" in answer.text


def test_a_soap_11_envelope_is_a_version_mismatch(town):
    """The address speaks 1.2 only."""
    answer = registration_post(town, rights_query(), envelope=S11)

    assert "soap:VersionMismatch" in answer.text


def test_contract_and_deed_tax_together_register_the_sale(town):
    """The new right appears and the old one becomes history, only once both are here."""
    since = beijing_now() - timedelta(seconds=2)
    window = {"since": since, "until": since + timedelta(days=1)}

    submit(town, "SubmitContracts", contract("c-1", "HT-SALE-1"))
    alone = rights(town, **window)
    submit(town, "SubmitTaxPayments", payment("p-0", "HT-SALE-1", kind="10106"))
    submit(town, "SubmitTaxPayments", payment("p-00", "HT-SALE-1", paid="false"))
    wrong_tax = rights(town, **window)
    submit(town, "SubmitTaxPayments", payment("p-1", "HT-SALE-1"))
    both = rights(town, **window)

    assert ([], []) == (alone, wrong_tax)
    states = {row.findtext(f"{B}YWH"): row.findtext(f"{B}QSZT") for row in both}
    assert {"YW0003": "2", "YW0900": "1"} == states
    new = next(row for row in both if row.findtext(f"{B}YWH") == "YW0900")
    assert new.findtext(f"{B}DJSJ") == new.findtext(f"{B}GXSJ")
    assert new.findtext(f"{B}GXSJ")


def test_a_repeated_item_gets_its_original_receipt(town):
    """Accepted and Duplicate are both true, the number is the first one."""
    first = submit(town, "SubmitContracts", contract("c-2", "HT2"))[0]
    second = submit(town, "SubmitContracts", contract("c-2", "HT2"))[0]

    assert ("true", "false") == (first["Accepted"], first["Duplicate"])
    assert ("true", "true") == (second["Accepted"], second["Duplicate"])
    assert first["ReceiptNo"] == second["ReceiptNo"]
    assert second["ReceiptNo"]


def test_an_item_without_a_required_field_is_refused_by_itself(town):
    """E101 names the field; the neighbour is kept."""
    missing = contract("c-3", "HT3").replace("<t:CJJG>456000.00</t:CJJG>", "")

    receipts = submit(town, "SubmitContracts", missing, contract("c-4", "HT4"))

    assert ["false", "true"] == [receipt["Accepted"] for receipt in receipts]
    assert ("E101", "CJJG is required") == (receipts[0]["Code"], receipts[0]["Message"])
    assert "c-3" not in town.accepted("registration", "sale_contract")


def test_a_batch_above_the_limit_is_refused_whole(town):
    """At most 200 items."""
    items = "".join(contract(f"many-{n}", "HT9") for n in range(201))
    inner = f"<t:SubmitContracts><t:Contracts>{items}</t:Contracts></t:SubmitContracts>"

    answer = registration(town, inner)

    assert "4004" == answer.findtext(f"{B}Code")
    assert "many-0" not in town.accepted("registration", "sale_contract")


def test_a_moment_that_only_the_schema_knows_is_refused(town):
    """24:00:00 is valid in XSD; here it gets the code of a bad window."""
    inner = rights_query().replace("T00:00:00+08:00</t:until>", "T24:00:00+08:00</t:until>")

    assert "4002" == registration(town, inner).findtext(f"{B}Code")
