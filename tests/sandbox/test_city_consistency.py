"""Every record that is not marked as a defect is valid, by rules made without the generator."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from sandbox.datasets import DATASETS, key_of, read_stamp
from tests.sandbox import rules

CHILDREN = {row.child_dataset: row for row in DATASETS.values() if row.child_dataset}


def broken(dataset, docs):
    """List the keys and broken rules of the documents that are not valid."""
    outcome = ((key_of(dataset, doc), rules.RULES[dataset](doc)) for doc in docs)
    return [(key, faults) for key, faults in outcome if faults]


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_record_of_a_clean_city_is_valid(clean_city, dataset):
    """No generator makes a record that a sensible contract would refuse."""
    docs = clean_city.records[dataset]

    assert docs
    assert [] == broken(dataset, docs)


@pytest.mark.parametrize("dataset", CHILDREN)
def test_every_nested_record_of_a_clean_city_is_valid(clean_city, dataset):
    """Holders and parties are valid on their own."""
    parent = CHILDREN[dataset]
    children = [c for doc in clean_city.records[parent.name] for c in doc[parent.child_list]]

    assert children
    assert [] == [child for child in children if rules.RULES[dataset](child)]


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_record_without_truth_line_stays_valid_after_injection(spoiled, dataset):
    """The truth file leaves nothing out."""
    marked = {line.record for line in spoiled.injected.lines}
    docs = [
        doc
        for doc in spoiled.city.records[dataset]
        if (dataset, key_of(dataset, doc)) not in marked
    ]

    assert [] == broken(dataset, docs)


@pytest.mark.parametrize("dataset", DATASETS)
def test_keys_are_unique_in_a_clean_city(clean_city, dataset):
    """Only an injected duplicate repeats a key."""
    counts = Counter(key_of(dataset, doc) for doc in clean_city.records[dataset])

    assert [] == [key for key, count in counts.items() if count > 1]


@pytest.mark.parametrize("dataset", DATASETS)
def test_changes_lie_between_400_and_2_days_ago(clean_city, dataset):
    """A first pull of 400 days finds everything, and nothing is younger than two days."""
    times = [read_stamp(dataset, doc) for doc in clean_city.records[dataset]]

    assert rules.OLDEST <= min(times)
    assert max(times) <= rules.NEWEST


def test_no_person_or_company_has_another_area_code(clean_city):
    """Nobody made here can be anybody: every number carries 620899."""
    numbers = set()
    for name, field in (
        ("person_insurance", "AAC002"),
        ("taxpayer", "FDDBRSFZH"),
        ("enterprise_person", "cerno"),
        ("online_application", "applicantId"),
    ):
        numbers |= {doc[field][:6] for doc in clean_city.records[name]}
    numbers |= {doc["uniscid"][2:8] for doc in clean_city.records["enterprise"]}
    numbers |= {doc["BDCDYH"][:6] for doc in clean_city.records["real_estate_right"]}

    assert {"620899"} == numbers


@pytest.mark.parametrize("dataset", ["real_estate_right", "sale_contract"])
def test_nested_numbers_have_no_other_area_code(clean_city, dataset):
    """Holders and parties are synthetic as well."""
    row = DATASETS[dataset]
    field, passports = ("ZJH", "E") if dataset == "real_estate_right" else ("idNo", "E")
    numbers = [c[field] for doc in clean_city.records[dataset] for c in doc[row.child_list]]
    starts = {n[2:8] if n[0] == "9" else n[:6] for n in numbers if not n.startswith(passports)}

    assert {"620899"} == starts


def test_the_city_is_about_as_large_as_promised(clean_city):
    """A tenth of the sizes that 20,000 residents give."""
    sizes = {name: len(docs) for name, docs in clean_city.records.items()}

    assert 6000 <= sum(sizes.values())
    assert 800 == sizes["house_unit"]
    assert 160 == sizes["sale_contract"]
    assert 180 == sizes["enterprise"] == sizes["taxpayer"]
    assert 12 == len(clean_city.in_flight)
    assert 30 == sizes["online_application"]


def test_rules_can_fail():
    """The independent rules refuse a document that is wrong in every field."""
    doc = dict.fromkeys(("AAC002", "AAE002", "AAE003"), "202313") | dict.fromkeys(
        ("AAE180", "AAE020", "AAE022", "AAE080", "AAE082"), "-1"
    )

    assert ["number", "months", "base", "unit", "person"] == rules.contribution(doc)
    assert Decimal("0.01") == rules.cents(Decimal("0.005"))
