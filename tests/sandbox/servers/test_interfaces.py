"""The WSDL files: loadable without a network, complete for what the city serves."""

from __future__ import annotations

import json

import pytest
import requests
import zeep
from lxml import etree

from sandbox.datasets import DATASETS
from sandbox.population import populate
from sandbox.servers.soap import WSDL_DIR, Interface
from sandbox.servers.tax_services import PUSHES
from sandbox.state import all_records, open_state

FILES = ("TaxExchange.wsdl", "ShareService.wsdl", "InsuranceShare.wsdl")
TYPES = {
    "real_estate_right": ("ShareService.wsdl", "FDCQ_YZType"),
    "right_holder": ("ShareService.wsdl", "QLRType"),
    "mortgage": ("ShareService.wsdl", "DYAQType"),
    "right_status": ("ShareService.wsdl", "QLZTType"),
    "unit_insurance": ("InsuranceShare.wsdl", "UnitRow"),
    "person_insurance": ("InsuranceShare.wsdl", "PersonRow"),
    "contribution": ("InsuranceShare.wsdl", "ContributionRow"),
}


@pytest.fixture(scope="module", name="city")
def _city(tmp_path_factory):
    """Build a small city with the real population."""
    folder = tmp_path_factory.mktemp("city")
    populate(folder, 200, 1)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_zeep_loads_a_wsdl_hardened_and_offline(name):
    """No import, no include, no DTD."""
    settings = zeep.Settings(forbid_dtd=True, forbid_external=True)

    client = zeep.Client(str(WSDL_DIR / name), settings=settings)

    assert client.service


@pytest.mark.parametrize("name", FILES)
def test_a_wsdl_is_served_with_the_callers_address_and_nothing_else_changed(town, name):
    """Pinned copies differ from the file in one line at most."""
    system, path = {
        "TaxExchange.wsdl": ("tax", "/services/TaxExchange"),
        "ShareService.wsdl": ("registration", "/bdc/services/ShareService"),
        "InsuranceShare.wsdl": ("social", "/si/services/InsuranceShare"),
    }[name]
    address = town.url(system) + path

    served = requests.get(f"{address}?wsdl", timeout=5).text.splitlines()

    kept = (WSDL_DIR / name).read_text(encoding="utf-8").splitlines()
    changed = [new for old, new in zip(kept, served, strict=True) if old != new]
    assert 1 == len(changed)
    assert f'location="{address}"' in changed[0]


@pytest.mark.parametrize("dataset", sorted(TYPES))
def test_every_field_of_the_city_is_in_the_wsdl(city, dataset):
    """A field that the WSDL lacks would silently not be served."""
    known = set(Interface(TYPES[dataset][0]).fields(TYPES[dataset][1]))
    parent = "real_estate_right" if dataset == "right_holder" else dataset
    connection = open_state(city, DATASETS[parent].system)
    docs = [record.doc for record in all_records(connection, parent)]
    connection.close()
    if dataset == "right_holder":
        docs = [holder for doc in docs for holder in doc["QLRLIST"]]

    assert docs
    assert set() == {name for doc in docs for name in doc} - known


def test_waiting_rows_of_the_city_are_in_the_wsdl_too(city):
    """Rights that appear by a reaction have the same fields."""
    known = set(Interface("ShareService.wsdl").fields("FDCQ_YZType"))
    connection = open_state(city, "registration")
    sql = "SELECT doc FROM pending WHERE dataset='real_estate_right'"
    docs = [json.loads(row[0]) for row in connection.execute(sql)]
    connection.close()

    assert docs
    assert set() == {name for doc in docs for name in doc} - known


@pytest.mark.parametrize("service", sorted(PUSHES))
def test_every_field_that_tax_demands_is_in_its_inner_schema(service):
    """A form cannot demand what the schema refuses."""
    names = {
        str(element.get("name"))
        for element in etree.parse(str(WSDL_DIR / "TaxBizml.xsd")).iterfind(".//{*}element")
    }

    form = PUSHES[service].form
    assert set() == {*form.required, *form.shapes, *form.required_to_delete} - names
