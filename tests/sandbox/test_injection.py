"""The truth says exactly what was done to the city: nothing more, nothing less."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest

from sandbox.city.build import build_city
from sandbox.datasets import DATASETS, key_of, read_stamp
from sandbox.injection import inject_defects
from sandbox.sites import CHILD_FIELDS, FIELDS, all_sites
from tests.sandbox import rules
from tests.sandbox.conftest import PEOPLE, SEED, TODAY

KINDS = {
    "quarantined": {
        "bad_check_digit",
        "missing_required",
        "unknown_code",
        "wrong_unit",
        "bad_date",
        "future_date",
        "negative_amount",
        "seq_out_of_order",
        "area_mismatch",
        "bad_month",
        "unit_no_malformed",
        "paid_above_due",
    },
    "accepted": {
        "full_width_digits",
        "fifteen_digit_id",
        "lower_case_x",
        "blanks_in_name",
        "late_change",
    },
    "duplicate": {"duplicate_row"},
    "audit": {"share_sum", "name_mismatch", "price_mismatch"},
}
IN_FLIGHT_LINES = 1


def documents(city):
    """Index all documents; of duplicates the last."""
    return {(name, key_of(name, doc)): doc for name, docs in city.records.items() for doc in docs}


def wrong_documents(spoiled, expect):
    """Give every spoiled document (child documents for child lines) of one expectation."""
    docs = documents(spoiled.city)
    for line in spoiled.injected.lines:
        if line.expect != expect:
            continue
        doc = docs[line.record]
        row = DATASETS[line.record[0]]
        if line.dataset != row.name:
            number = line.key.rsplit("|", 1)[1]
            doc = next(c for c in doc[row.child_list] if str(c[row.child_key]) == number)
        yield line, doc


@pytest.mark.parametrize("expect", KINDS)
def test_every_kind_of_defect_occurs_in_a_city_of_2000(spoiled, expect):
    """An audit of the smallest useful city meets every kind."""
    found = {line.defect for line in spoiled.injected.lines if line.expect == expect}

    assert KINDS[expect] == found


def test_the_rates_are_as_asked_for(spoiled):
    """1.5 % refused, 1.5 % healed, 0.3 % duplicates, 0.3 % for the audit."""
    counts = Counter(line.expect for line in spoiled.injected.lines)
    total = sum(len(docs) for docs in spoiled.city.records.values()) - counts["duplicate"]

    assert abs(counts["quarantined"] - IN_FLIGHT_LINES - total * 0.015) < 2
    assert abs(counts["accepted"] - total * 0.015) < 2
    assert abs(counts["duplicate"] - total * 0.003) < 2
    assert abs(counts["audit"] - total * 0.003) < 2


def test_no_record_has_two_defects(spoiled):
    """One line, one record."""
    counts = Counter(line.record for line in spoiled.injected.lines)

    assert {1} == set(counts.values())


def test_a_record_differs_from_the_clean_city_exactly_if_it_is_marked(clean_city, spoiled):
    """Marked documents differ, all others are untouched; duplicates are identical twins."""
    clean, now = documents(clean_city), documents(spoiled.city)
    changed = {record for record, doc in now.items() if clean[record] != doc}
    marked = {x.record for x in spoiled.injected.lines if x.expect != "duplicate"}

    assert clean.keys() == now.keys()
    assert marked == changed


def test_every_quarantined_defect_breaks_a_rule_of_one_row(spoiled):
    """Independent rules see each of them without looking at another record."""
    unseen = [
        line
        for line, doc in wrong_documents(spoiled, "quarantined")
        if not rules_see(line.dataset, doc)
    ]

    assert [] == unseen


def rules_see(dataset, doc):
    """Tell whether the independent rules refuse a document; unreadable counts as refused."""
    try:
        return rules.RULES[dataset](doc)
    except (ValueError, ArithmeticError, TypeError, IndexError):
        return ["unreadable"]


def test_every_healing_defect_is_gone_after_normalisation(spoiled):
    """Half-width, capital X, no blanks and 18 digits make the record valid."""
    left = []
    for line, doc in wrong_documents(spoiled, "accepted"):
        healed = {name: heal(name, value) for name, value in doc.items()}
        left += [(line, broken) for broken in rules.RULES[line.dataset](healed)]

    assert [] == left


def heal(name, value):
    """Normalise a text the way any hub would; a registration number looks like an old ID."""
    if not isinstance(value, str):
        return value
    text = value.translate(str.maketrans("０１２３４５６７８９", string.digits))
    text = re.sub(r"(?<=[\u4e00-\u9fff])\s(?=[\u4e00-\u9fff])", "", text.strip())
    if re.fullmatch(r"\d{17}x", text):
        return text.upper()
    if name != "regno" and re.fullmatch(r"620899\d{9}", text):
        body = text[:6] + "19" + text[6:]
        return body + rules.mod_11_2.calc_check_digit(body)
    return text


def test_no_audit_defect_breaks_a_rule_of_one_row(spoiled):
    """Only a look at two departments finds them; shares need all rows of one record."""
    seen = [
        line for line, doc in wrong_documents(spoiled, "audit") if rules.RULES[line.dataset](doc)
    ]

    assert [] == seen


def test_a_duplicate_is_the_same_row_twice(spoiled):
    """Twice and not three times, and identical."""
    for line in spoiled.injected.lines:
        if line.expect == "duplicate":
            twins = [
                d for d in spoiled.city.records[line.dataset] if key_of(line.dataset, d) == line.key
            ]
            assert 2 == len(twins)
            assert twins[0] == twins[1]


def test_no_defect_touches_a_change_time_but_the_late_ones(clean_city, spoiled):
    """Windows stay true; a late change moves its record into the last days."""
    clean, now = documents(clean_city), documents(spoiled.city)
    moved = {
        record
        for record, doc in now.items()
        if read_stamp(record[0], doc) != read_stamp(record[0], clean[record])
    }
    late = {line.record for line in spoiled.injected.lines if line.defect == "late_change"}

    assert late == moved
    assert all(read_stamp(name, now[name, key]) <= rules.NEWEST for name, key in late)


def test_sale_cases_stay_whole_but_for_a_few_contracts_in_flight(spoiled):
    """Only contracts in flight may be spoiled among the protected records, and only few."""
    hit = {x.record for x in spoiled.injected.lines} & spoiled.city.protected
    in_flight = {("sale_contract", number) for number in spoiled.city.in_flight}

    assert IN_FLIGHT_LINES == len(hit)
    assert hit <= in_flight


def test_what_an_audit_compares_with_is_kept_right(spoiled):
    """A wrong counterpart would hide the difference, so nothing else may touch it."""
    docs = documents(spoiled.city)
    wrong = {x.record for x in spoiled.injected.lines if x.expect == "quarantined"}
    compared = set()
    for line in spoiled.injected.lines:
        if line.defect in {"price_mismatch", "name_mismatch"}:
            doc = docs[line.record]
            contract = doc.get("HTBH") or doc.get("FDCJYHTH")
            company = doc.get("SHXYDM") or doc.get("BAB010")
            compared.add(("sale_contract", contract) if contract else ("enterprise", company))

    assert len(compared) > 5
    assert compared <= docs.keys()
    assert compared <= spoiled.injected.taken
    assert not compared & wrong


def test_no_dataset_gets_dirtier_than_its_limit(spoiled):
    """A dirty limit of five percent is never passed by the base population."""
    lines = [x for x in spoiled.injected.lines if x.expect == "quarantined"]
    dirty = Counter(line.record[0] for line in lines)
    sizes = {name: len(docs) for name, docs in spoiled.city.records.items()}

    assert [] == [name for name, count in dirty.items() if count > max(2, 0.05 * sizes[name])]


def test_no_rate_means_no_defect(clean_city):
    """A clean city stays clean."""
    city = build_city(PEOPLE, SEED, TODAY)

    assert [] == inject_defects(city, 0).lines
    assert clean_city.records == city.records


def test_no_site_touches_a_key_or_a_change_time():
    """Neither would be a defect of one record."""
    for dataset, groups in FIELDS.items():
        row = DATASETS[dataset]
        touched = {field for group in groups for field in group}
        assert not touched & {*row.key_fields, row.stamp_field}
    for dataset, groups in CHILD_FIELDS.items():
        assert DATASETS[dataset].child_key not in {field for group in groups for field in group}


def test_every_dataset_has_a_site():
    """No dataset is spared."""
    assert DATASETS.keys() == {site.dataset for site in all_sites()}


def test_a_tiny_city_gets_few_defects():
    """The rate holds below 2,000 residents too, where not every kind fits."""
    city = build_city(100, 3, TODAY)
    total = sum(len(docs) for docs in city.records.values())

    assert len(inject_defects(city).lines) < total * 0.08
