"""What several departments say about the same house, company or person agrees in a clean city."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

from sandbox.datasets import DATASETS
from tests.sandbox.rules import share


def by(docs, field):
    """Index documents by one field."""
    return {doc[field]: doc for doc in docs}


def triggers(city, kind, dataset):
    """Index prepared documents by their contract."""
    found = defaultdict(list)
    for trigger in city.triggers:
        if (trigger.kind, trigger.dataset) == (kind, dataset):
            found[trigger.key].append(trigger.doc)
    return found


def test_every_unit_has_at_most_one_right_in_force(clean_city):
    """A unit is owned once."""
    live = [d["BDCDYH"] for d in clean_city.records["real_estate_right"] if d["QSZT"] == "1"]

    assert [] == [unit for unit, count in Counter(live).items() if count > 1]


def test_every_right_in_force_has_its_status_line(clean_city):
    """The status list covers exactly the owned units."""
    live = {d["BDCDYH"] for d in clean_city.records["real_estate_right"] if d["QSZT"] == "1"}

    assert live == {doc["BDCDYH"] for doc in clean_city.records["right_status"]}


def test_the_mortgage_flag_follows_from_mortgages_in_force(clean_city):
    """A cancelled mortgage leaves no flag."""
    live = {d["BDCDYH"] for d in clean_city.records["mortgage"] if d["QSZT"] == "1"}
    flagged = {d["BDCDYH"] for d in clean_city.records["right_status"] if d["DYZT"] == "1"}

    assert live
    assert live == flagged


def test_the_building_list_shows_seized_and_mortgaged_units(clean_city):
    """Seizure goes before mortgage, mortgage before sold, and unowned units are for sale."""
    units = by(clean_city.records["house_unit"], "unitNo")
    status = by(clean_city.records["right_status"], "BDCDYH")
    for number, unit in units.items():
        line = status.get(number)
        if line is None:
            assert unit["saleState"] in {"1", "5"}
        elif line["CFZT"] == "1":
            assert unit["saleState"] == "4"
        else:
            assert unit["saleState"] == ("3" if line["DYZT"] == "1" else "2")


def test_a_finished_sale_has_the_same_buyers_in_contract_and_right(clean_city):
    """Buyer set, price and unit agree between housing and registration."""
    contracts = by(clean_city.records["sale_contract"], "contractNo")
    bought = [d for d in clean_city.records["real_estate_right"] if "FDCJYHTH" in d]
    for right in bought:
        contract = contracts[right["FDCJYHTH"]]
        buyers = {(p["name"], p["idNo"]) for p in contract["parties"] if p["role"] == "B"}

        assert buyers == {(h["QLRMC"], h["ZJH"]) for h in right["QLRLIST"]}
        assert contract["unitNo"] == right["BDCDYH"]
        assert Decimal(str(contract["totalPrice"])) == Decimal(right["FDCJYJG"]) * 10000
        assert contract["signTime"][:10] < right["DJSJ"][:10]
    assert len(bought) > 100


def test_sellers_of_a_resale_are_the_former_owners(clean_city):
    """The seller's right is history, and its holders stand in the contract."""
    contracts = by(clean_city.records["sale_contract"], "contractNo")
    rights = clean_city.records["real_estate_right"]
    former = {d["BDCDYH"]: d for d in rights if d["QSZT"] == "2"}
    resales = [
        contracts[d["FDCJYHTH"]]
        for d in rights
        if "FDCJYHTH" in d and contracts[d["FDCJYHTH"]]["contractKind"] == "2"
    ]
    for contract in resales:
        sellers = {p["idNo"] for p in contract["parties"] if p["role"] == "S"}
        buyers = {p["idNo"] for p in contract["parties"] if p["role"] == "B"}

        assert sellers == {h["ZJH"] for h in former[contract["unitNo"]]["QLRLIST"]}
        assert not sellers & buyers
    assert 90 == len(resales)


def test_deed_tax_is_paid_by_a_buyer_on_the_price_of_the_contract(clean_city):
    """Paid after recording, before registration."""
    contracts = by(clean_city.records["sale_contract"], "contractNo")
    rights = by([d for d in clean_city.records["real_estate_right"] if "FDCJYHTH" in d], "FDCJYHTH")
    payments = [d for d in clean_city.records["deed_tax_payment"] if d["ZTBZ"] == "1"]
    for paid in payments:
        contract = contracts[paid["HTBH"]]
        role = "B" if paid["SZDM"] == "10119" else "S"
        parties = {(p["idNo"], p["name"]) for p in contract["parties"] if p["role"] == role}
        recorded = contract["recordTime"].translate(str.maketrans("", "", "-: "))
        registered = rights[paid["HTBH"]]["DJSJ"].translate(str.maketrans("", "", "-:T"))

        assert (paid["NSRSBH"], paid["NSRMC"]) in parties
        assert Decimal(paid["JSJE"]) == Decimal(str(contract["totalPrice"]))
        assert recorded < paid["JKRQ"] < registered[:14]


def test_every_finished_sale_has_exactly_one_valid_deed_tax(clean_city):
    """Registration asks for it."""
    rights = [d for d in clean_city.records["real_estate_right"] if "FDCJYHTH" in d]
    paid = Counter(
        d["HTBH"]
        for d in clean_city.records["deed_tax_payment"]
        if d["SZDM"] == "10119" and d["ZTBZ"] == "1"
    )

    assert {doc["FDCJYHTH"] for doc in rights} == set(paid)
    assert {1} == set(paid.values())


def test_holders_by_shares_hold_the_whole(clean_city):
    """Shares are only stated for GYFS 2, and then make one."""
    for right in clean_city.records["real_estate_right"]:
        holders = right["QLRLIST"]
        if holders[0]["GYFS"] == "2":
            assert 1 == sum(share(h["QLBL"]) for h in holders)
        assert 1 == len({h["GYFS"] for h in holders})


def test_tax_and_insurance_know_companies_by_the_name_of_market_regulation(clean_city):
    """Name, credit code and representative agree."""
    companies = by(clean_city.records["enterprise"], "uniscid")
    for payer in clean_city.records["taxpayer"]:
        company = companies[payer["SHXYDM"]]
        assert (company["entname"], company["lerep"]) == (payer["NSRMC"], payer["FDDBRXM"])
    for unit in clean_city.records["unit_insurance"]:
        company = companies[unit["BAB010"]]
        assert (company["entname"], "1") == (unit["AAB004"], company["regstate"])
        assert company["industryphy"] == unit["AAB022"]


def test_every_company_has_one_representative_with_the_registered_name(clean_city):
    """The list of persons names the person of the company record."""
    companies = by(clean_city.records["enterprise"], "uniscid")
    heads = [d for d in clean_city.records["enterprise_person"] if d["position"] == "法定代表人"]

    assert companies.keys() == {doc["uniscid"] for doc in heads}
    assert all(companies[doc["uniscid"]]["lerep"] == doc["name"] for doc in heads)


def test_shares_of_a_company_make_a_hundred_percent(clean_city):
    """Shareholders own all of it."""
    parts = defaultdict(float)
    for doc in clean_city.records["enterprise_person"]:
        if doc["share"] is not None:
            parts[doc["uniscid"]] += doc["share"]

    assert {100.0} == set(parts.values())


def test_contributions_are_paid_by_insured_employees_of_insured_units(clean_city):
    """Person, kind and unit are known to social security."""
    insured = {
        (d["AAC001"], d["AAE140"], d["AAB001"]) for d in clean_city.records["person_insurance"]
    }
    units = {doc["AAB001"] for doc in clean_city.records["unit_insurance"]}
    paid = {(d["AAC001"], d["AAE140"], d["AAB001"]) for d in clean_city.records["contribution"]}

    assert paid <= insured
    assert {unit for _, _, unit in paid} <= units


def test_one_resident_has_one_name_everywhere(clean_city):
    """A second name for the same number is always an injected defect."""
    names = defaultdict(set)
    places = {
        "person_insurance": ("AAC002", "AAC003"),
        "enterprise_person": ("cerno", "name"),
        "taxpayer": ("FDDBRSFZH", "FDDBRXM"),
        "online_application": ("applicantId", "applicantName"),
        "deed_tax_payment": ("NSRSBH", "NSRMC"),
    }
    for dataset, (number, name) in places.items():
        for doc in clean_city.records[dataset]:
            names[doc[number]].add(doc[name])
    for dataset, number, name in (
        ("real_estate_right", "ZJH", "QLRMC"),
        ("sale_contract", "idNo", "name"),
    ):
        for doc in clean_city.records[dataset]:
            for child in doc[DATASETS[dataset].child_list]:
                names[child[number]].add(child[name])

    assert [] == [found for found in names.values() if len(found) > 1]


def test_a_sale_in_flight_has_its_application_and_recorded_contract(clean_city):
    """The case can start from the application and find the contract by unit and buyer."""
    contracts = by(clean_city.records["sale_contract"], "contractNo")
    applied = {(d["unitNo"], d["applicantId"]) for d in clean_city.records["online_application"]}
    for number in clean_city.in_flight:
        contract = contracts[number]
        buyers = {(contract["unitNo"], p["idNo"]) for p in contract["parties"] if p["role"] == "B"}

        assert "3" == contract["status"]
        assert buyers & applied


def test_a_sale_in_flight_is_neither_taxed_nor_registered_yet(clean_city):
    """Both wait for their trigger."""
    waiting = set(clean_city.in_flight)

    assert not waiting & {d["HTBH"] for d in clean_city.records["deed_tax_payment"]}
    assert not waiting & {d.get("FDCJYHTH") for d in clean_city.records["real_estate_right"]}


def test_a_sale_in_flight_has_payment_right_and_retirement_prepared(clean_city):
    """What the servers will add fits the contract and ends the seller's right."""
    payments = triggers(clean_city, "sale_contract", "deed_tax_payment")
    rights = triggers(clean_city, "contract+tax", "real_estate_right")
    retired = triggers(clean_city, "contract+tax", "retire")
    register = by(clean_city.records["real_estate_right"], "YWH")
    contracts = by(clean_city.records["sale_contract"], "contractNo")
    for number in clean_city.in_flight:
        contract = contracts[number]
        (new,), (old,) = rights[number], retired[number]
        sellers = {p["idNo"] for p in contract["parties"] if p["role"] == "S"}

        assert "10119" == payments[number][0]["SZDM"]
        assert ("", "") == (payments[number][0]["JKRQ"], payments[number][0]["GXSJ"])
        assert (number, contract["unitNo"], "") == (new["FDCJYHTH"], new["BDCDYH"], new["DJSJ"])
        assert sellers == {h["ZJH"] for h in register[old["YWH"]]["QLRLIST"]}
        assert "1" == register[old["YWH"]]["QSZT"]


def test_prepared_keys_are_not_in_use(clean_city):
    """A fired trigger adds a record, it never replaces one."""
    tickets = {d["DZSPHM"] for d in clean_city.records["deed_tax_payment"]}
    entries = {d["YWH"] for d in clean_city.records["real_estate_right"]}
    new = [t.doc for t in clean_city.triggers if t.dataset != "retire"]

    assert not tickets & {doc.get("DZSPHM") for doc in new}
    assert not entries & {doc.get("YWH") for doc in new}


def test_units_in_flight_carry_no_burden(clean_city):
    """A mortgaged or seized unit could not be sold on."""
    contracts = by(clean_city.records["sale_contract"], "contractNo")
    status = by(clean_city.records["right_status"], "BDCDYH")
    lines = [status[contracts[number]["unitNo"]] for number in clean_city.in_flight]

    assert {("0", "0")} == {(line["DYZT"], line["CFZT"]) for line in lines}


def test_some_applications_are_finished_and_some_have_no_live_contract(clean_city):
    """The case engine meets every outcome."""
    rights = [d for d in clean_city.records["real_estate_right"] if "FDCJYHTH" in d]
    bought = {(d["BDCDYH"], h["ZJH"]) for d in rights for h in d["QLRLIST"]}
    live = {d["unitNo"] for d in clean_city.records["sale_contract"] if d["status"] == "3"}
    applied = clean_city.records["online_application"]

    assert 10 == sum((doc["unitNo"], doc["applicantId"]) in bought for doc in applied)
    assert 8 == sum(doc["unitNo"] not in live for doc in applied)


def test_a_unit_has_at_most_one_live_contract(clean_city):
    """Drafts and recorded contracts together."""
    rights = {d.get("FDCJYHTH") for d in clean_city.records["real_estate_right"]}
    open_units = Counter(
        d["unitNo"]
        for d in clean_city.records["sale_contract"]
        if d["status"] != "9" and d["contractNo"] not in rights
    )

    assert {1} == set(open_units.values())
