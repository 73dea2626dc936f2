"""A whole city audited: counts are the fast path's, comparisons find exactly what was injected."""

from __future__ import annotations

import pytest

from sandbox import truth
from tests.quality.loading import Office
from tongban.quality import run_audit

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def audited(city: Office) -> dict:
    """The counts of one audit of the city."""
    run_audit(city.hub)  # the same data once before: digests are compared
    return run_audit(city.hub)


def _rows(city, audited, statement):
    return city.rows(statement, run=audited["run_id"])


def test_every_rule_counts_what_the_fast_path_counted(city, audited):
    """Stored rows and open quarantine together give back each load's findings, rule by rule."""
    loaded = city.rows(
        "SELECT t.dataset, f.rule, f.severity, f.rows FROM hub.transfer_finding f"
        " JOIN hub.transfer t USING (transfer_id) ORDER BY 1, 2, 3"
    )
    found = _rows(
        city,
        audited,
        "SELECT dataset, rule, severity, bad FROM quality.audit_score"
        " WHERE run_id = :run AND level = 'rule' AND bad > 0 ORDER BY 1, 2, 3",
    )

    assert len(loaded) > 50
    assert loaded == found


def test_the_two_engines_agree_on_every_count(audited):
    """Great Expectations over masks and over PostgreSQL columns, against our own bits."""
    assert audited["native_checks"] > 200
    assert 0 == audited["disagreements"]


def test_comparisons_find_exactly_the_defects_that_one_row_cannot_show(city, city_dir, audited):
    """No miss, and nobody is blamed without a reason."""
    expected = set()
    for line in truth.load(city_dir):
        if line.expect == "audit":
            is_sum = line.defect == "share_sum"
            dataset, key = line.record if is_sum else (line.dataset, line.key)
            expected.add((dataset, city.record_ids(line.system, dataset, [key])[0]))
    rows = _rows(
        city,
        audited,
        "SELECT dataset, tokens FROM quality.audit_finding"
        " WHERE run_id = :run AND kind = 'comparison'",
    )
    found = {(dataset, token.hex) for dataset, tokens in rows for token in tokens}

    assert len(expected) > 20
    assert expected == found


def test_every_stored_and_refused_row_was_measured(city, audited):
    """Nothing is left out of the scores."""
    stored = sum(
        city.rows(f'SELECT count(*) FROM data."{city.hub.catalog.contract(name).table}"')[0][0]
        for name in city.hub.catalog.datasets
    )

    assert stored == audited["stored"]
    refused = city.rows("SELECT count(*) FROM hub.quarantine WHERE state = 'open'")[0][0]
    assert refused == audited["quarantined"]


def test_same_data_gives_the_same_digests(city, audited):
    """The report can be computed again by whoever has the data."""
    rows = city.rows(
        "SELECT count(DISTINCT input_digest), count(DISTINCT result_digest), count(*)"
        " FROM quality.audit_run"
    )

    assert rows[0][2] >= 2
    assert (1, 1) == tuple(rows[0][:2])


def test_nobody_outside_the_hub_is_named_in_the_counts(audited):
    """Numbers, flags, ids and a path: what the DAG may hand on."""
    departments = {"housing", "market", "registration", "social", "substation", "tax"}

    assert departments == set(audited["departments"])
    assert all(90 < score <= 100 for score in audited["departments"].values())
