"""One number is found in every department's data, masked, with its purpose on record."""

from __future__ import annotations

import json
import os
import pwd
import sqlite3

import pytest

from tests.pipeline.city import CityHub
from tongban.kernel.errors import ConfigInvalid
from tongban.subjects import find_subject

PURPOSE = "受理号 620826112400000134"


def a_buyer(city: CityHub) -> dict[str, str]:
    """A person who bought a house, as the housing department knows them."""
    state = sqlite3.connect(city.town.state_dir / "housing.sqlite")
    try:
        for (doc,) in state.execute("SELECT doc FROM record WHERE dataset = 'sale_contract'"):
            for party in json.loads(doc)["parties"]:
                if party["role"] == "B" and party["idType"] == "01" and len(party["idNo"]) == 18:
                    return party
    finally:
        state.close()
    raise AssertionError("the city has no buyer")


def test_a_person_is_found_in_several_departments_under_one_number(city: CityHub):
    """Housing, tax and registration know the buyer by their own keys."""
    city.pull("sale_contract", "deed_tax_payment", "real_estate_right")

    answer = find_subject(city.hub, a_buyer(city)["idNo"], purpose=PURPOSE)

    assert "resident_id" == answer.kind
    assert {"housing", "tax"} <= {item.system for item in answer.known}


def test_neither_number_nor_name_is_in_the_answer(city: CityHub):
    """A lookup shows masks; the plain values stay sealed."""
    city.pull("sale_contract", "deed_tax_payment", "real_estate_right")
    buyer = a_buyer(city)

    answer = repr(find_subject(city.hub, buyer["idNo"], purpose=PURPOSE))

    assert buyer["idNo"] not in answer
    assert buyer["name"] not in answer


def test_every_lookup_leaves_its_purpose_in_the_evidence_log(city: CityHub):
    """Also the one that found nothing; the entry holds the blind index, never the number."""
    city.pull("service_item")
    number = a_buyer(city)["idNo"]

    answer = find_subject(city.hub, number, purpose=PURPOSE, asker="window 3")

    (entry,) = city.rows("SELECT subject FROM hub.evidence_entry WHERE kind = 'access'")
    assert () == answer.known
    assert (PURPOSE, "window 3", 0) == tuple(
        entry["subject"][name] for name in ("purpose", "asker", "records")
    )
    assert number not in json.dumps(entry["subject"])


@pytest.mark.parametrize("purpose", ["", "   ", "abc"])
def test_a_lookup_without_a_purpose_is_refused(city: CityHub, purpose: str):
    """Nobody looks into other people's records without saying why."""
    with pytest.raises(ConfigInvalid, match="needs its purpose"):
        find_subject(city.hub, "620802198503140012", purpose=purpose)


@pytest.mark.parametrize("number", ["11010519491231002X", "１１０１０５ 19491231 002x"])
def test_a_purpose_that_quotes_a_resident_id_is_refused(city: CityHub, number: str):
    """The evidence log is readable and kept for good."""
    with pytest.raises(ConfigInvalid, match="nobody's resident ID") as caught:
        find_subject(city.hub, "620802198503140012", purpose=f"核对{number}的房产")

    assert "491231" not in str(caught.value)
    assert 0 == city.one("SELECT count(*) FROM hub.evidence_entry WHERE kind = 'access'")


def test_the_asker_is_the_account_whatever_the_environment_says(city: CityHub, monkeypatch):
    """Who asks cannot be chosen by whoever asks."""
    monkeypatch.setenv("LOGNAME", "somebody else")

    find_subject(city.hub, "620802198503140012", purpose=PURPOSE)

    (entry,) = city.rows("SELECT subject FROM hub.evidence_entry WHERE kind = 'access'")
    assert pwd.getpwuid(os.getuid()).pw_name == entry["subject"]["asker"]


def test_a_company_is_found_by_its_credit_code(city: CityHub):
    """Market regulation, tax and social security know it under the same code."""
    city.pull("enterprise", "taxpayer", "unit_insurance")
    code = city.one("SELECT credit_code FROM data.unit_insurance_v1 LIMIT 1")

    answer = find_subject(city.hub, code, purpose=PURPOSE)

    assert {"social"} <= {item.system for item in answer.known}
    assert len({item.system for item in answer.known}) >= 2


def test_a_unit_is_found_by_its_number(city: CityHub):
    """Housing and registration know the same unit."""
    city.pull("house_unit", "right_status")
    unit = city.one(
        "SELECT h.unit_no FROM data.house_unit_v1 h JOIN data.right_status_v1 s USING (unit_no)"
        " LIMIT 1"
    )

    answer = find_subject(city.hub, unit, purpose=PURPOSE)

    assert {"housing", "registration"} == {item.system for item in answer.known}
