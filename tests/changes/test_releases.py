"""What was released is held against what a contract says now, without git."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tongban.changes.releases import (
    ChangeRefused,
    find_facts,
    newest_release,
    release,
    release_problems,
    unreleased,
)
from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import ConfigInvalid

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root folder with one contract, `lease`, and the real code tables."""
    (tmp_path / "contracts" / "lease").mkdir(parents=True)
    shutil.copy(HERE / "contract.yaml", tmp_path / "contracts" / "lease" / "v1.yaml")
    shutil.copytree(ROOT / "mappings" / "codes", tmp_path / "mappings" / "codes")
    return tmp_path


def edit(root: Path, *pairs: tuple[str, str], name: str = "v1") -> None:
    """Replace text in the contract."""
    path = root / "contracts" / "lease" / f"{name}.yaml"
    text = path.read_text("utf-8")
    for find, put in pairs:
        assert find in text
        text = text.replace(find, put)
    path.write_text(text, "utf-8")


def released(root: Path) -> Path:
    """The file of the first release."""
    return root / "contracts" / "lease" / "released" / "1.3.0.json"


def test_a_contract_without_a_release_may_still_change(root):
    """Nothing was promised yet."""
    edit(root, ("maximum: 1000000", "maximum: 2000000"))

    assert [] == release_problems(Catalog(root))
    assert [("lease", 1)] == unreleased(Catalog(root))


def test_a_release_says_all_that_the_contract_says(root):
    """Read back, it is no change at all, and a second release is none."""
    first = release(Catalog(root), "lease")

    assert first is not None
    assert ("lease", "1.3.0", None) == (first.dataset, first.version, first.report)
    assert [] == release_problems(Catalog(root))
    assert [] == unreleased(Catalog(root))
    assert release(Catalog(root), "lease") is None


def test_an_edit_without_a_new_version_is_refused_with_its_line(root):
    """Even one of words needs a patch, so that no version means two things."""
    release(Catalog(root), "lease")
    edit(root, ("businessName: 月租金", "businessName: 每月租金"))
    lines = (root / "contracts/lease/v1.yaml").read_text("utf-8").splitlines()

    (problem,) = release_problems(Catalog(root))

    line = lines.index("      - name: rent") + 1
    assert problem.startswith(f"contracts/lease/v1.yaml:{line}: rent: other words in businessName")
    assert problem.endswith("undo it, or raise the version to 1.3.1")


def test_a_breaking_edit_is_refused_with_a_minor_step_and_sent_to_a_new_file(root):
    """It belongs into v2.yaml, beside the old one."""
    release(Catalog(root), "lease")
    edit(root, ("version: 1.3.0", "version: 1.4.0"), ("maximum: 1000000", "maximum: 2000000"))

    (problem,) = release_problems(Catalog(root))

    assert "(range.loosened) needs a major step from 1.3.0" in problem
    assert problem.endswith("write it as v2.yaml with version 2.0.0")


def test_a_safe_edit_with_its_step_is_let_pass_before_it_is_released(root):
    """Checks pass while a pull request is open; the release is its last step."""
    release(Catalog(root), "lease")
    edit(root, ("version: 1.3.0", "version: 1.4.0"), ("maximum: 1000000", "maximum: 900000"))

    assert [] == release_problems(Catalog(root))
    assert [("lease", 1)] == unreleased(Catalog(root))
    done = release(Catalog(root), "lease")
    assert done is not None
    assert "1.4.0" == done.version
    assert ["1.3.0.json", "1.4.0.json"] == sorted(p.name for p in released(root).parent.iterdir())


def test_steps_add_up_from_the_last_release(root):
    """Two edits before a release need the greater step of both, once."""
    release(Catalog(root), "lease")
    edit(
        root,
        ("version: 1.3.0", "version: 1.3.1"),
        ("businessName: 月租金", "businessName: 每月租金"),
        ("maximum: 1000000", "maximum: 900000"),
    )

    (problem,) = release_problems(Catalog(root))

    assert "needs a minor step from 1.3.0" in problem
    assert "raise the version to 1.4.0" in problem


def test_release_raises_the_version_when_asked_but_never_to_a_new_major(root):
    """A new major is a file of its own, not a number."""
    release(Catalog(root), "lease")
    edit(root, ("maximum: 1000000", "maximum: 900000"))

    done = release(Catalog(root), "lease", raise_version=True)

    assert done is not None
    assert "1.4.0" == done.version
    assert "version: 1.4.0\n" in (root / "contracts/lease/v1.yaml").read_text("utf-8")
    edit(root, ("maximum: 900000", "maximum: 2000000"))
    with pytest.raises(ChangeRefused, match=r"write it as v2\.yaml with version 2\.0\.0"):
        release(Catalog(root), "lease", raise_version=True)


def test_going_back_below_a_release_is_refused(root):
    """A version that somebody has is never given again."""
    release(Catalog(root), "lease")
    edit(root, ("version: 1.3.0", "version: 1.2.0"))

    (problem,) = release_problems(Catalog(root))

    assert "version 1.2.0 is below the released 1.3.0" in problem


def test_a_major_stands_in_the_file_of_its_number(root):
    """v1.yaml cannot turn into version 2."""
    release(Catalog(root), "lease")
    edit(root, ("version: 1.3.0", "version: 2.0.0"))

    (problem,) = release_problems(Catalog(root))

    assert "version 2.0.0 in v1.yaml; a new major has a file of its own, v2.yaml" in problem


def test_a_new_major_beside_the_old_one_may_break_everything(root):
    """Its first release has nothing before it."""
    release(Catalog(root), "lease")
    shutil.copy(root / "contracts/lease/v1.yaml", root / "contracts/lease/v2.yaml")
    edit(root, ("version: 1.3.0", "version: 2.0.0"), ("name: rent", "name: fee"), name="v2")

    assert [] == release_problems(Catalog(root))
    assert [("lease", 2)] == unreleased(Catalog(root))
    done = release(Catalog(root), "lease")
    assert done is not None
    assert "2.0.0" == done.version


def test_a_released_contract_cannot_vanish_before_its_support_has_ended(root):
    """Whoever relies on it was told no day."""
    release(Catalog(root), "lease")
    (root / "contracts/lease/v1.yaml").rename(root / "contracts/lease/old.txt")

    (problem,) = release_problems(Catalog(root))

    assert "1.3.0 was released, but v1.yaml is gone" in problem
    (root / "contracts/lease/old.txt").rename(root / "contracts/lease/v1.yaml")
    day = (
        "slaProperties:\n",
        'slaProperties:\n  - {property: endOfSupport, value: "2026-01-31"}\n',
    )
    edit(root, day)
    release(Catalog(root), "lease", raise_version=True)
    (root / "contracts/lease/v1.yaml").unlink()
    assert [] == release_problems(Catalog(root))


def test_a_code_that_went_from_its_table_is_a_change_of_the_contracts_that_name_it(root):
    """Code tables are promised together with the contract."""
    release(Catalog(root), "lease")
    path = root / "mappings" / "codes" / "area.csv"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n", "utf-8")

    (problem,) = release_problems(Catalog(root))

    assert "code table area: the code" in problem
    assert "(codes.removed) needs a major step" in problem


def test_a_release_that_was_changed_afterwards_is_refused(root):
    """Otherwise both could be edited together, by accident or not."""
    release(Catalog(root), "lease")
    document = json.loads(released(root).read_text("utf-8"))
    document["contract"]["status"] = "draft"
    released(root).write_text(json.dumps(document), "utf-8")

    (problem,) = release_problems(Catalog(root))

    assert "lease/released/1.3.0.json:1: the release was changed after it was written" in problem


def test_a_release_that_is_no_json_is_a_problem_and_not_a_crash(root):
    """A merge left its marks in it."""
    release(Catalog(root), "lease")
    released(root).write_text("<<<<<<< ours\n{}\n", "utf-8")

    assert 1 == len(release_problems(Catalog(root)))


def test_forms_are_found_by_dataset_version_release_and_path(root):
    """The words that `contract diff` takes."""
    catalog = Catalog(root)
    release(catalog, "lease")
    edit(root, ("version: 1.3.0", "version: 1.4.0"))
    path = str(root / "contracts/lease/v1.yaml")

    found = {
        name: find_facts(catalog, name).name
        for name in ("lease", "lease@1.3.0", "lease@1.4.0", "lease@released", "lease@v1", path)
    }

    assert {
        "lease": "lease@1.4.0",
        "lease@1.3.0": "lease@1.3.0",
        "lease@1.4.0": "lease@1.4.0",
        "lease@released": "lease@1.3.0",
        "lease@v1": "lease@1.4.0",
        path: "lease@1.4.0",
    } == found
    assert "lease@1.3.0" == newest_release(root, "lease", 1).name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("laese", 'no contract for dataset "laese", did you mean "lease"?'),
        ("lease@9.9.9", 'lease: no version "9.9.9"; expected one of: 1.3.0'),
        ("lease@released", 'lease: no version "released"; expected one of: 1.3.0'),
    ],
)
def test_a_form_that_is_not_there_is_named_with_what_there_is(name, words, root):
    """A misspelt dataset, a version that never was, a release before the first."""
    with pytest.raises(ConfigInvalid) as refused:
        find_facts(Catalog(root), name)

    assert words == str(refused.value)
