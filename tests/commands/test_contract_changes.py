"""`contract diff`, `contract release` and `check` on the command line: words and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tongban.cli import build

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the catalog with everything released."""
    for name in ("contracts", "mappings", "connectors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.py*"))
    assert 0 == run(tmp_path, "contract", "release", "--bump")[0]
    return tmp_path


def run(root: Path, *words: str) -> tuple[int, str]:
    """One command of the installation below a root: exit code and output."""
    found = CliRunner().invoke(
        build(), list(words), env={"TONGBAN_ROOT": str(root), "COLUMNS": "200"}
    )
    error = "" if found.exception is None else str(found.exception)
    return found.exit_code, found.output + error


def edit(root: Path, find: str, put: str) -> None:
    """Replace text in the deed tax contract."""
    path = root / "contracts" / "deed_tax_payment" / "v1.yaml"
    text = path.read_text("utf-8")
    assert find in text
    path.write_text(text.replace(find, put, 1), "utf-8")


def test_an_edit_by_accident_is_named_by_diff_and_refused_by_check_and_release(root):
    """Exit code 1 each time, until it is undone."""
    edit(root, "maximum: 99999999999}", "maximum: 999999999999}")

    code, shown = run(root, "contract", "diff", "deed_tax_payment")
    assert 1 == code
    assert "needs a major step, at least 2.0.0" in shown
    code, shown = run(root, "check")
    assert 1 == code
    assert "contracts/deed_tax_payment/v1.yaml:" in shown
    assert "(range.loosened) needs a major step" in shown
    code, shown = run(root, "contract", "release", "deed_tax_payment", "--bump")
    assert 1 == code
    assert "range.loosened" in shown
    edit(root, "maximum: 999999999999}", "maximum: 99999999999}")
    assert 0 == run(root, "contract", "diff", "deed_tax_payment")[0]
    assert 0 == run(root, "check")[0]


def test_diff_gives_programs_every_change_with_its_place_and_who_breaks(root):
    """One document; the exit code says whether the step is enough."""
    edit(root, "maximum: 99999999999}", "maximum: 99999}")
    edit(root, "version: 1.", "version: 1.9")

    code, shown = run(root, "contract", "diff", "deed_tax_payment", "--json")

    assert 0 == code
    (change,) = json.loads(shown)["changes"]
    assert ("range.tightened", ["producer"], "minor") == (
        change["kind"],
        change["breaks"],
        change["needs"],
    )
    assert change["place"].startswith("contracts/deed_tax_payment/v1.yaml:")


def test_two_files_are_compared_wherever_they_lie(root, tmp_path):
    """As a reviewer has them, outside of any catalog."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    text = (root / "contracts" / "deed_tax_payment" / "v1.yaml").read_text("utf-8")
    old.write_text(text, "utf-8")
    new.write_text(
        text.replace("{property: owner, value: tax}", "{property: owner, value: housing}")
    )

    code, shown = run(root, "contract", "diff", str(old), str(new))

    assert 1 == code
    assert "another department answers for the records" in shown


def test_release_records_what_changed_and_says_when_there_is_nothing(root):
    """With --bump it also raises the version in the file."""
    assert "nothing to release" in run(root, "contract", "release")[1]
    before = run(root, "contract", "diff", "deed_tax_payment", "--json")[1]
    edit(root, "businessName: 税率", "businessName: 适用税率")

    code, shown = run(root, "contract", "release", "--bump", "--json")

    major, minor, patch = json.loads(before)["new"].split("@")[1].split(".")
    version = f"{major}.{minor}.{int(patch) + 1}"
    assert (0, [{"dataset": "deed_tax_payment", "version": version}]) == (code, json.loads(shown))
    assert 0 == run(root, "check")[0]
