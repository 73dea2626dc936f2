"""The benchmarks run on a handful of rows and give well-formed figures; no time is asserted."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks import cases, end_to_end, figures, floors, gen
from benchmarks.__main__ import NAMES, available, main
from benchmarks.layout import FIELDS, PROTOCOLS
from benchmarks.rowwise import Refused, clean, is_resident_id
from benchmarks.stage import CATALOG
from tongban.kernel.catalog import load_catalog

ROWS = 1200  # two pages, so that paging happens


def assert_well_formed(rows: list[figures.Row]) -> None:
    """Every row has the five columns, and a verdict exactly where it can have one."""
    assert rows
    for row in rows:
        assert set(figures.COLUMNS) <= set(row)
        assert row["unit"]
        can_judge = row["goal"] is not None and row["value"] is not None
        assert can_judge == (row["holds"] is not None)
    assert len(rows) == len({row["name"] for row in rows})


@pytest.mark.postgres
@pytest.mark.slow
def test_end_to_end_benchmark_runs_all_legs(monkeypatch, tmp_path):
    """Hub, floor and naive peer move the same rows; the counts are checked by the benchmark."""
    monkeypatch.setenv(end_to_end.ROWS_VARIABLE, str(ROWS))
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path))

    rows = end_to_end.run()

    assert_well_formed(rows)
    names = {row["name"] for row in rows}
    for protocol in PROTOCOLS:
        assert {f"{protocol}.first/floor", f"{protocol}.memory", f"{protocol}.naive"} <= names
    assert [] == list((tmp_path / "bench").glob("run-*"))


@pytest.mark.postgres
@pytest.mark.slow
def test_floors_benchmark_runs(monkeypatch, tmp_path):
    """Every way of every group is measured."""
    monkeypatch.setenv(floors.ROWS_VARIABLE, str(ROWS))
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path))

    rows = floors.run()

    assert_well_formed(rows)
    assert {"bytes", "json", "xml", "value", "copy"} == {r["name"].split(".")[1] for r in rows}


@pytest.mark.postgres
@pytest.mark.slow
def test_cases_benchmark_runs_and_checks_its_deadlines(monkeypatch):
    """A wrong deadline would stop it."""
    monkeypatch.setenv(cases.CASES_VARIABLE, str(ROWS))

    rows = cases.run()

    assert_well_formed(rows)
    assert {"cases.deadlines", "cases.lookup.p95"} <= {row["name"] for row in rows}


def test_unknown_benchmark_is_refused_with_the_known_names(capsys):
    """A typing error runs nothing."""
    assert 2 == main(["end-to-end", "no-such"], json_output=True)
    assert "floors" in capsys.readouterr().err


def test_named_benchmarks_exist():
    """What the command offers has a module; the two of this package are always there."""
    assert {"end-to-end", "floors"} <= set(available()) <= set(NAMES)


def test_figures_are_printed_as_json(monkeypatch, capsys):
    """`--json` prints one list and nothing else."""
    row = figures.figure("x", 1.5, "s", at_most=2.0)
    monkeypatch.setattr(floors, "run", lambda: [row])

    assert 0 == main(["floors"], json_output=True)
    assert [row] == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("value", "limits", "holds"),
    [
        (2.0, {"at_most": 2.0}, True),
        (2.1, {"at_most": 2.0}, False),
        (5.0, {"at_least": 5.0}, True),
        (4.9, {"at_least": 5.0}, False),
        (None, {"at_most": 2.0}, None),
        (1.0, {}, None),
    ],
)
def test_figure_holds_when_its_goal_is_met(value, limits, holds):
    """A value that is exactly the goal meets it; without value or goal there is no verdict."""
    assert figures.figure("x", value, "x", **limits)["holds"] is holds


def test_figure_table_says_what_was_not_measured():
    """A missing value is a dash with its reason, never a zero."""
    text = figures.table([figures.figure("dlt", None, "s", note="not installed")])

    assert "dlt" in text
    assert "-" in text.splitlines()[1].split()
    assert "(not installed)" in text


def test_ratio_of_an_unmeasured_value_is_unmeasured():
    """No peer, no ratio."""
    assert figures.ratio(None, 1.0) is None
    assert figures.ratio(1.0, None) is None
    assert pytest.approx(2.0) == figures.ratio(4.0, 2.0)


def test_generated_records_are_the_same_in_every_run():
    """Figures of two runs are about the same data."""
    assert gen.page_records(0, 50, 0) == gen.page_records(0, 50, 0)


def test_second_epoch_changes_one_row_in_a_hundred():
    """Same keys, other price, newer change time."""
    old, new = gen.page_records(0, 1000, 0), gen.page_records(0, 1000, 1)

    changed = [at for at in range(1000) if old[at] != new[at]]

    assert 10 == len(changed)
    assert [row[0] for row in old] == [row[0] for row in new]
    assert all(old[at][12] < new[at][12] for at in changed)


def test_generated_people_come_from_nowhere():
    """Synthetic numbers carry the area code that no resident has."""
    accepted = []
    for record in gen.page_records(0, 1000, 0):
        try:
            accepted.append(clean(dict(zip(FIELDS, record, strict=True))))
        except Refused:
            continue

    assert {"620899"} == {row["id_no"][:6] for row in accepted}
    assert 980 < len(accepted) < 1000


def test_row_peer_knows_the_check_digit():
    """The naive peer does the same work, not less."""
    assert is_resident_id("620899199002280248")
    assert not is_resident_id("620899199002280249")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_benchmark_catalog_is_sound(protocol, tmp_path):
    """The benchmark's own contract and mappings pass the checks of every catalog."""
    shutil.copytree(CATALOG / "shared", tmp_path, dirs_exist_ok=True)
    shutil.copytree(CATALOG / protocol, tmp_path, dirs_exist_ok=True)

    assert [] == load_catalog(tmp_path).check()
