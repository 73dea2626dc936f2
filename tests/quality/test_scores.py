"""Score arithmetic, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel.contracts import DIMENSIONS as ODCS_DIMENSIONS
from tongban.quality.scores import (
    DIMENSION_ENGLISH,
    DIMENSIONS,
    RuleFacts,
    grade_of,
    is_sure_change,
    rule_score,
    score_all,
    weighted_mean,
)


def facts(rule: str, bad: int, applicable: int = 100, **more: str) -> RuleFacts:
    """One rule's counts of dataset `pay` of the tax office."""
    place = {"department": "tax", "dataset": "pay", "dimension": "accuracy", "severity": "error"}
    return RuleFacts(rule=rule, applicable=applicable, bad=bad, **{**place, **more})


def value(scores, level: str, **where: str) -> float | None:
    """The one score of a level and place."""
    found = [
        s for s in scores if s.level == level and all(getattr(s, k) == v for k, v in where.items())
    ]
    assert 1 == len(found)
    return found[0].value


@pytest.mark.parametrize(
    ("applicable", "bad", "expected"),
    [
        (100, 0, 1.0),
        (100, 1, 0.99),
        (3, 3, 0.0),
        (1, 0, 1.0),
        (0, 0, None),
    ],
)
def test_rule_score_is_one_minus_bad_by_applicable(applicable, bad, expected):
    """Where a rule applied to nothing there is no score, and not a good one."""
    assert expected == rule_score(applicable, bad)


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (1.0, "优"),
        (0.98, "优"),
        (0.9799, "良"),
        (0.95, "良"),
        (0.9499, "中"),
        (0.90, "中"),
        (0.8999, "低"),
        (0.80, "低"),
        (0.7999, "差"),
        (0.0, "差"),
        (None, "—"),
    ],
)
def test_grades_begin_at_98_95_90_and_80(score, grade):
    """The lower bound belongs to the better grade."""
    assert grade == grade_of(score)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(1.0, 1), (0.5, 1)], 0.75),
        ([(1.0, 3), (0.0, 1)], 0.75),
        ([(None, 5), (0.4, 1)], 0.4),
        ([(0.4, 0), (0.8, 1)], 0.8),
        ([(None, 1)], None),
        ([], None),
    ],
)
def test_mean_weighs_and_passes_over_what_was_not_evaluated(parts, expected):
    """None is neither zero nor one."""
    assert expected == weighted_mean(parts)


def test_error_weighs_three_times_a_warning_within_a_dimension():
    """(0.9 × 3 + 0.5 × 1) / 4."""
    scores = score_all([facts("a", 10), facts("b", 50, severity="warning")], {})

    assert 0.8 == pytest.approx(value(scores, "dimension", dimension="准确性"))


def test_uniqueness_is_part_of_accuracy_and_coverage_of_completeness():
    """GB/T 36344 has fewer dimensions than ODCS."""
    scores = score_all(
        [
            facts("a", 10),
            facts("b", 30, dimension="uniqueness"),
            facts("c", 0, dimension="coverage"),
        ],
        {},
    )

    assert 0.8 == pytest.approx(value(scores, "dimension", dimension="准确性"))
    assert 1 == pytest.approx(value(scores, "dimension", dimension="完整性"))


def test_dataset_is_the_mean_of_its_dimensions_however_many_rules_they_have():
    """Ten rules about form do not drown one about consistency."""
    scores = score_all(
        [
            *(facts(f"f{i}", 0, dimension="conformity") for i in range(10)),
            facts("c", 50, dimension="consistency"),
        ],
        {},
    )

    assert 0.75 == pytest.approx(value(scores, "dataset"))


def test_department_weighs_its_datasets():
    """(1.0 × 30 + 0.5 × 10) / 40."""
    scores = score_all([facts("a", 0), facts("b", 50, dataset="owe")], {"pay": 30.0, "owe": 10.0})

    assert 0.875 == pytest.approx(value(scores, "department", department="tax"))


def test_hub_is_the_mean_of_departments():
    """A small department counts as much as a large one."""
    scores = score_all(
        [facts("a", 0, 1_000_000), facts("b", 5, 10, department="market", dataset="shop")], {}
    )

    assert 0.75 == pytest.approx(value(scores, "hub"))


def test_counts_add_up_on_every_level():
    """Who asks how much stands behind a score gets the same number everywhere."""
    scores = score_all([facts("a", 1), facts("b", 2, 50), facts("c", 3, dataset="owe")], {})

    for level in ("rule", "dimension", "dataset", "department", "hub"):
        found = [s for s in scores if s.level == level]
        assert (250, 6) == (sum(s.applicable for s in found), sum(s.bad for s in found)), level


def test_nothing_at_all_has_no_score():
    """An empty hub is not excellent."""
    assert [("hub", None)] == [(s.level, s.value) for s in score_all([], {})]


def test_every_dimension_of_a_contract_has_its_place_in_the_standard():
    """A contract with a new dimension would otherwise break the audit."""
    assert set(ODCS_DIMENSIONS) == set(DIMENSIONS)
    assert set(DIMENSIONS.values()) == set(DIMENSION_ENGLISH)


@pytest.mark.parametrize(
    ("old", "old_rows", "new", "new_rows", "expected"),
    [
        (0.99, 100, 0.98, 100, False),
        (0.99, 1_000_000, 0.98, 1_000_000, True),
        (0.98, 1_000_000, 0.99, 1_000_000, True),
        (1.0, 1000, 1.0, 1000, False),
        (0.5, 0, 0.9, 100, False),
    ],
)
def test_change_is_sure_only_beyond_chance(old, old_rows, new, new_rows, expected):
    """One bad row more among a hundred says nothing; among a million a per cent does."""
    assert expected is is_sure_change(old, old_rows, new, new_rows)


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.integers(0, 500), st.sampled_from(ODCS_DIMENSIONS)),
        min_size=1,
        max_size=8,
    )
)
def test_no_score_leaves_zero_to_one(counts):
    """Whatever the counts, a score is a share."""
    given_facts = [
        facts(f"r{i}", min(bad, applicable), applicable, dimension=dimension)
        for i, (applicable, bad, dimension) in enumerate(counts)
    ]

    for score in score_all(given_facts, {}):
        assert score.value is None or 0 <= score.value <= 1
