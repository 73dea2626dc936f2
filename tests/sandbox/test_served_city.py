"""The generated city through the real servers: all is served, and a sale goes all its way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.datasets import beijing_now
from sandbox.plans import pending_for
from sandbox.population import populate
from sandbox.state import all_records, find_records, open_state
from tests.sandbox.servers.soap_callers import registration, rights_query, tax, tax_window
from tests.sandbox.servers.town import Town

WINDOW = {
    "since": beijing_now() - timedelta(days=401),
    "until": beijing_now() + timedelta(days=1),
}
B = "{urn:bdc:share:v2}"


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The servers of a small generated city without defects."""
    built = Town(
        tmp_path_factory.mktemp("city"),
        lambda folder: populate(folder, 500, 5, defect_rate=0),
    )
    yield built
    built.stop()


@pytest.fixture
def sale(town):
    """A contract in flight, as housing has it."""
    connection = open_state(town.state_dir, "registration")
    sql = "SELECT trigger_key FROM pending WHERE dataset='retire' AND done=0"
    (number,) = connection.execute(sql).fetchone()
    connection.close()
    housing = open_state(town.state_dir, "housing")
    contract = find_records(housing, "sale_contract", number)[0].doc
    housing.close()
    return contract


def served(town, system, dataset):
    """Count what the state file holds."""
    connection = open_state(town.state_dir, system)
    count = sum(1 for _ in all_records(connection, dataset))
    connection.close()
    return count


@pytest.mark.parametrize(
    ("service", "dataset"), [("A020", "deed_tax_payment"), ("D001", "taxpayer")]
)
def test_tax_serves_the_whole_city(town, service, dataset):
    """GB18030 holds every name, rare ones included."""
    inner = tax(town, service, tax_window(**WINDOW))

    assert str(served(town, "tax", dataset)) == inner.findtext("HEAD/ZJLS")


@pytest.mark.parametrize(
    ("operation", "dataset"),
    [
        ("QueryRights", "real_estate_right"),
        ("QueryMortgages", "mortgage"),
        ("QueryRightStatus", "right_status"),
    ],
)
def test_registration_serves_the_whole_city(town, operation, dataset):
    """The typed answer holds every document."""
    answer = registration(town, rights_query(operation, **WINDOW))

    assert ("200", str(served(town, "registration", dataset))) == (
        answer.findtext(f"{B}Code"),
        answer.findtext(f"{B}Total"),
    )


def test_a_sale_in_flight_is_taxed_and_then_registered(town, sale):
    """The contract brings the payment; contract and payment bring the right and end the old one."""
    number, unit = sale["contractNo"], sale["unitNo"]
    waiting = open_state(town.state_dir, "registration")
    (old,) = [
        row.doc["YWH"]
        for row in pending_for(waiting, "contract+tax", number)
        if row.dataset == "retire"
    ]
    waiting.close()

    push_to_tax(town, sale)
    ticket = deed_tax(town, number)
    push_to_registration(town, sale, ticket)

    connection = open_state(town.state_dir, "registration")
    rights = [
        row.doc for row in all_records(connection, "real_estate_right") if row.doc["BDCDYH"] == unit
    ]
    connection.close()
    (new,) = [doc for doc in rights if doc["QSZT"] == "1"]
    assert {old: "2", new["YWH"]: "1"} == {doc["YWH"]: doc["QSZT"] for doc in rights}
    assert number == new["FDCJYHTH"]
    buyers = {party["idNo"] for party in sale["parties"] if party["role"] == "B"}
    assert buyers == {holder["ZJH"] for holder in new["QLRLIST"]}
    assert new["DJSJ"] == new["GXSJ"]


def push_to_tax(town, sale):
    """Send the contract to tax."""
    signed = sale["signTime"][:10].replace("-", "")
    inner = tax(
        town,
        "A005",
        f"<RWJSHOUSELIST><RWJSHOUSE><YWZJ>g1</YWZJ><HTBH>{sale['contractNo']}</HTBH>"
        f"<BDCDYH>{sale['unitNo']}</BDCDYH><TDFWDZ>{sale['address']}</TDFWDZ>"
        f"<FWJZMJ>{sale['buildingArea']:.2f}</FWJZMJ><HTCJJG>{sale['totalPrice']:.2f}</HTCJJG>"
        f"<JYHTRQ>{signed}</JYHTRQ><CZBZ>I</CZBZ><JYFXXLIST><JYFXX><ZRFCSFBZ>1</ZRFCSFBZ>"
        f"<NSRMC>{sale['parties'][-1]['name']}</NSRMC></JYFXX></JYFXXLIST></RWJSHOUSE>"
        "</RWJSHOUSELIST>",
    )
    assert "1" == inner.findtext("BODY/HZLIST/HZ/JSZT")


def deed_tax(town, number):
    """Find the deed tax that the contract brought."""
    connection = open_state(town.state_dir, "tax")
    payments = [
        row.doc for row in all_records(connection, "deed_tax_payment") if row.doc["HTBH"] == number
    ]
    connection.close()
    (paid,) = [doc for doc in payments if doc["SZDM"] == "10119"]
    assert paid["GXSJ"] == paid["JKRQ"]
    return paid["DZSPHM"]


def push_to_registration(town, sale, ticket):
    """Send contract and payment to registration."""
    number, unit = sale["contractNo"], sale["unitNo"]
    signed, recorded = (sale[k].replace(" ", "T") + "+08:00" for k in ("signTime", "recordTime"))
    parties = "".join(
        f"<t:Party><t:Role>{p['role']}</t:Role><t:Name>{p['name']}</t:Name><t:IdKind>1</t:IdKind>"
        f"<t:IdNo>{p['idNo']}</t:IdNo><t:Share>{p['share']}</t:Share></t:Party>"
        for p in sale["parties"]
    )
    registration(
        town,
        "<t:SubmitContracts><t:Contracts><t:Contract><t:BizId>c1</t:BizId><t:Op>I</t:Op>"
        f"<t:HTBH>{number}</t:HTBH><t:BAH>{sale['recordNo']}</t:BAH><t:BDCDYH>{unit}</t:BDCDYH>"
        f"<t:CJJG>{sale['totalPrice']:.2f}</t:CJJG><t:QDSJ>{signed}</t:QDSJ><t:BASJ>{recorded}"
        f"</t:BASJ><t:Parties>{parties}</t:Parties></t:Contract></t:Contracts></t:SubmitContracts>",
    )
    registration(
        town,
        "<t:SubmitTaxPayments><t:Payments><t:Payment><t:BizId>p1</t:BizId><t:Op>I</t:Op>"
        f"<t:HTBH>{number}</t:HTBH><t:BDCDYH>{unit}</t:BDCDYH><t:DZSPHM>{ticket}</t:DZSPHM>"
        "<t:SZDM>10119</t:SZDM><t:PaidOrExempt>true</t:PaidOrExempt>"
        f"<t:JKSJ>{beijing_now():%Y-%m-%dT%H:%M:%S}+08:00</t:JKSJ></t:Payment></t:Payments>"
        "</t:SubmitTaxPayments>",
    )
