"""One corpus of accepted and refused rows runs through every target; all must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.targets import engines
from tests.targets.golden import CODES, CORPUS, Case, cases
from tongban.kernel.contracts import RULE_KINDS
from tongban.targets.sql import compile_sql
from tongban.targets.statements import IMPLICIT
from tongban.targets.xsd import CERTIFICATE_GAP, compile_xsd

# (case, rule) that a target cannot say; each must be in that target's own list of gaps.
UNSAID = {
    "xsd": {
        ("compare-19", "the_rule"),  # XPath 1.0 cannot put text in order
        ("expression-0", "the_rule"),  # SQL is not translated to XPath
        ("expression-1", "the_rule"),
    }
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[Case]:
    """Every case, as contract files."""
    return cases(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def connection(postgres_server) -> Iterator[psycopg.Connection[Any]]:
    """A connection whose tables are all rolled back."""
    with psycopg.connect(postgres_server) as opened:
        yield opened


def disagreements(corpus, engine, target=""):
    """Rows on which an engine does not say what the corpus says."""
    found = []
    for case in corpus:
        unsaid = {rule for name, rule in UNSAID.get(target, ()) if name == case.name}
        for row, broken in zip(case.rows, engine(case), strict=True):
            expected = set(row.breaks) - unsaid
            if bool(expected) != bool(broken):
                found.append((case.name, row.why, sorted(expected), sorted(broken)))
    return found


def test_every_rule_kind_has_rows_that_are_accepted_and_rows_that_are_refused(corpus):
    """A kind without both kinds of rows would not be tested by anything here."""
    kept = {case.kind for case in corpus for row in case.rows if not row.breaks}
    broken = {case.kind for case in corpus for row in case.rows if row.breaks}

    assert RULE_KINDS | set(IMPLICIT) == kept == broken
    assert {path.stem for path in CORPUS.glob("*.yaml")} == kept


def test_polars_finds_exactly_the_rules_that_the_corpus_names(corpus):
    """The hub's own rules are the first of the targets."""
    found = [
        (case.name, row.why, sorted(row.breaks), sorted(broken))
        for case in corpus
        for row, broken in zip(case.rows, engines.polars(case), strict=True)
        if set(row.breaks) != broken
    ]

    assert [] == found


def test_json_schema_agrees_on_every_row(corpus):
    """Draft 2020-12 with the vocabulary; there is no gap."""
    assert [] == disagreements(corpus, engines.json_schema)


def test_xsd_and_schematron_agree_on_every_row_but_the_named_ones(corpus):
    """Written to bytes and read again, as it would travel."""
    assert [] == disagreements(corpus, engines.xsd, "xsd")


def test_postgresql_agrees_on_every_row(corpus, connection):
    """Real tables, one insert for each row."""
    assert [] == disagreements(corpus, lambda case: engines.postgres(case, connection))


def test_a_check_that_refuses_a_row_is_named_after_a_rule_that_the_row_breaks(corpus, connection):
    """So that an error message of the database leads to the contract."""
    wrong = [
        (case.name, row.why, broken)
        for case in corpus
        for row, broken in zip(case.rows, engines.postgres(case, connection), strict=True)
        if broken and not broken <= {*row.breaks, "a type"}
    ]

    assert [] == wrong


def test_great_expectations_counts_what_the_corpus_counts(corpus):
    """Over the masks, rule by rule."""
    expected = {
        case.name: dict(Counter(rule for row in case.rows for rule in row.breaks))
        for case in corpus
    }

    assert expected == engines.great_expectations(corpus)


def test_what_a_target_cannot_say_is_said_by_the_target_itself(corpus):
    """No silent gap: the list of this test and the lists in the outputs are the same."""
    unsaid = {
        (case.name, gap.rule)
        for case in corpus
        for gap in compile_xsd(case.contract, CODES).gaps
        if gap.why != CERTIFICATE_GAP
    }
    texts = {case.name: compile_xsd(case.contract, CODES).text for case in corpus}

    assert UNSAID["xsd"] == unsaid
    for name, rule in unsaid:
        assert f"{rule}: " in texts[name]
    for case in corpus:
        target = compile_sql(case.contract, CODES)
        assert all(f"{gap.rule}: {gap.why}" in target.text for gap in target.gaps)
