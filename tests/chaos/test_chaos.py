"""Chaos: the short form, and what the full form promises."""

from __future__ import annotations

from chaos.suite import SHORT, Report, boundaries, run


def test_nothing_is_lost_or_doubled_whatever_dies(capsys):
    """Real workers and a real PostgreSQL die at commits and calls, every tenth call fails."""
    struck: list[str] = []

    report = run(short=True, people=300, on_run=struck.append)

    assert [boundary.name for boundary in SHORT] == struck
    assert [] == report.missed
    assert (0, 0, 0, 0) == (report.lost, report.twice, report.unbalanced, report.undelivered)
    assert report.pages_read_again <= 1
    assert report.evidence_entries > 0
    assert report.is_good
    assert not capsys.readouterr().out


def test_the_full_form_has_its_boundaries_each_with_a_name_of_its_own():
    """At least 25 moments; every verb, every kind of death, before and after."""
    full = boundaries()

    assert 25 <= len(full) == len({boundary.name for boundary in full})
    assert {"pull", "load", "push"} == {boundary.verb for boundary in full}
    assert 3 == len({boundary.blow for boundary in full})
    assert set(SHORT) <= set(full)


def test_a_report_is_good_only_when_nothing_at_all_is_wrong():
    """One lost record is enough."""
    good = Report(evidence_entries=1)

    assert good.is_good
    for wrong in ("lost", "twice", "unbalanced", "undelivered"):
        assert not Report(evidence_entries=1, **{wrong: 1}).is_good
    assert not Report(evidence_entries=0).is_good
    assert not Report(evidence_entries=1, pages_read_again=2).is_good
