"""Lineage is what the files say: sources, operations, columns and targets of every field."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from tests.mappings.city import ROOT
from tongban.cli import build
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.lineage import Incoming, lineage_events, lineage_of
from tongban.store.datasets import dataset_table

CATALOG = load_catalog(ROOT)
EVENTS = {
    event["job"]["name"]: event
    for event in lineage_events(CATALOG, now=datetime(2026, 3, 2, tzinfo=UTC))
}
SUBTYPES = {
    "DIRECT": {"IDENTITY", "TRANSFORMATION", "AGGREGATION"},
    "INDIRECT": {"JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"},
}


def field_of(dataset: str, name: str):
    """The lineage of one field."""
    return next(item for item in lineage_of(CATALOG, dataset).fields if item.field == name)


def run(*words: object):
    """One command in this process."""
    return CliRunner().invoke(build(), ["map", "lineage", *map(str, words)])


def test_a_field_leads_from_its_source_to_its_targets():
    """The payer's number: read by its kind, sealed with a blind index, sent to nobody."""
    found = field_of("deed_tax_payment", "payer_id_no")

    place = "mappings/tax/deed_tax_payment.yaml:15"
    way = Incoming("tax", ("NSRSBH",), ("ZJLX",), ("id_by_type",), place)

    assert (way,) == found.incoming
    assert [("payer_id_no", "encrypted"), ("payer_id_no_index", "blind_index")] == [
        (column.name, column.kind) for column in found.columns
    ]
    assert () == found.outgoing


def test_children_are_followed_into_their_parents_document():
    """A party's share goes to the tax office inside the contract."""
    found = field_of("sale_contract_party", "share")

    assert ("tax", "sale_contract", "JYFXXLIST.JYFXX.SZFE", ("percent_text",)) in [
        (out.target, out.dataset, out.path, out.operations) for out in found.outgoing
    ]


def test_several_providers_each_have_their_own_way_in():
    """Eleven halls give one dataset."""
    found = field_of("hall_case", "applicant_id_no")

    assert set(CATALOG.providers("hall_case")) == {way.system for way in found.incoming}


@pytest.mark.parametrize("dataset", CATALOG.datasets)
def test_lineage_names_exactly_the_columns_of_the_table(dataset):
    """Nothing that a contract says is stored elsewhere, nothing is stored unsaid."""
    contract = CATALOG.contract(dataset)
    said = [c.name for item in lineage_of(CATALOG, dataset).fields for c in item.columns]
    own = {
        "record_id", "version", "row_digest", "transfer_id", "stored_at", "confirmed_at",
        *({"changed_at"} - set(contract.by_name)),
    }  # fmt: skip

    assert said == [c.name for c in dataset_table(contract).columns if c.name not in own]


def test_every_mapping_has_one_event():
    """In and out."""
    pulls = sum(len(route.datasets) for route in CATALOG.pull_routes)

    assert pulls + len(CATALOG.push_routes) == len(EVENTS)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_event_says_what_the_standard_demands(name):
    """Producer and schema of each facet; type, subtype and masking of each transformation."""
    event = EVENTS[name]
    (output,) = event["outputs"]
    facet = output["facets"]["columnLineage"]
    known = {(i["namespace"], i["name"]) for i in event["inputs"]}
    inputs = [i for column in facet["fields"].values() for i in column["inputFields"]]

    assert {"eventTime", "producer", "schemaURL", "job", "inputs", "outputs"} == set(event)
    assert "/1-2-0/ColumnLineageDatasetFacet.json" in facet["_schemaURL"]
    assert facet["_producer"]
    assert [c["name"] for c in output["facets"]["schema"]["fields"]] == list(facet["fields"])
    assert inputs
    for found in [*inputs, *facet.get("dataset", [])]:
        assert (found["namespace"], found["name"]) in known
        for done in found["transformations"]:
            assert done["subtype"] in SUBTYPES[done["type"]]
            assert isinstance(done["masking"], bool)


def test_what_is_sealed_counts_as_masked():
    """Neither the ciphertext nor the blind index shows the value; the plain column does."""
    name = next(name for name in EVENTS if name.endswith(".right_holder"))
    fields = EVENTS[name]["outputs"][0]["facets"]
    found = {
        name: [(d["subtype"], d["masking"]) for i in c["inputFields"] for d in i["transformations"]]
        for name, c in fields["columnLineage"]["fields"].items()
    }

    assert [("TRANSFORMATION", True)] == found["name"]
    assert [("TRANSFORMATION", True), ("CONDITIONAL", True)] == found["id_no_index"]
    assert [("IDENTITY", False)] == found["business_no"]


def test_choice_and_join_of_a_push_are_indirect():
    """`where` filters whole records, the children are joined."""
    facet = EVENTS["push_tax_sale_contract"]["outputs"][0]["facets"]["columnLineage"]

    assert [("status", "FILTER"), ("contract_no", "JOIN")] == [
        (item["field"], item["transformations"][0]["subtype"]) for item in facet["dataset"]
    ]


def test_events_of_one_dataset_are_those_that_make_or_read_it():
    """The parties: read with the contract, sent with it."""
    found = {event["job"]["name"] for event in lineage_events(CATALOG, "sale_contract_party")}

    assert {"pull_sale_contract.sale_contract_party", "push_tax_sale_contract"} <= found
    assert "push_tax_enterprise" not in found


def test_unknown_dataset_is_refused_with_the_nearest_name():
    """For the table and for the events alike."""
    with pytest.raises(ConfigInvalid, match='did you mean "sale_contract"'):
        lineage_of(CATALOG, "sale_contrct")
    with pytest.raises(ConfigInvalid, match='did you mean "sale_contract"'):
        list(lineage_events(CATALOG, "sale_contrct"))


def test_the_command_shows_a_table_a_document_and_events(tmp_path):
    """For people, for programs, for a catalog of data."""
    table, document = run("right_holder"), run("right_holder", "--json")
    events = run("right_holder", "--openlineage")
    files = run("right_holder", "--out", tmp_path / "facets")

    assert [0, 0, 0, 0] == [r.exit_code for r in (table, document, events, files)]
    assert "data" not in table.stdout.split("\n", maxsplit=1)[0]
    assert "registrat" in table.stdout
    assert "right_holder" == json.loads(document.stdout)["dataset"]
    assert len(json.loads(events.stdout)) == len(list((tmp_path / "facets").glob("*.json")))


def test_the_command_needs_a_dataset_or_the_standard():
    """A table of everything would be read by nobody."""
    assert 2 == run().exit_code
