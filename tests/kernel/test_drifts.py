"""Drift limits of a contract: defaults, what may be written, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.drifts import DRIFT_NAMES, KINDS, DriftLimits
from tongban.kernel.errors import ConfigInvalid
from tongban.quality.drifted import POLICIES, WORDS

SOURCE = Path(__file__).parents[2] / "contracts" / "house_unit" / "v1.yaml"


def contract(folder: Path, value: str) -> Contract:
    """A real contract with drift limits."""
    text = SOURCE.read_text(encoding="utf-8").rstrip("\n")
    path = folder / "v1.yaml"
    path.write_text(f"{text}\n  - {{property: drift, value: {value}}}\n", encoding="utf-8")
    return load_contract(path)


def test_without_limits_the_defaults_count():
    """No contract has to say anything."""
    assert DriftLimits() == load_contract(SOURCE).drift


def test_what_is_written_counts_and_the_rest_stays(tmp_path: Path):
    """Keys are written as everywhere in a contract."""
    found = contract(tmp_path, "{typeShare: 0.2, volumeRows: 50, accept: [new_field]}").drift

    assert DriftLimits(type_share=0.2, volume_rows=50, accept=("new_field",)) == found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{typeShar: 0.2}", 'drift: unknown key "typeShar", did you mean "typeShare"?'),
        ("{typeShare: 5}", "a share is between 0 and 1"),
        ("{typeShare: many}", "expected a number"),
        ("{rows: 2.5}", "expected a whole number"),
        ("{rows: true}", "expected a whole number"),
        ("{history: 0}", "the number is too small"),
        ("{unitFactor: 1}", "the number is too small"),
        ("{accept: [new_fields]}", 'unknown kind "new_fields", did you mean "new_field"?'),
        ("{accept: new_field}", "accept is a list of kinds"),
        ("0.2", "expected keys with numbers"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, value: str, expected: str):
    """A misspelt limit would otherwise count as none."""
    with pytest.raises(ConfigInvalid) as refused:
        contract(tmp_path, value)

    assert expected in str(refused.value)
    assert f"v1.yaml:{len(SOURCE.read_text(encoding='utf-8').rstrip().splitlines()) + 1}:" in str(
        refused.value
    )


def test_every_kind_and_key_is_explained():
    """In the explanation of drift, and in the report's words."""
    page = (SOURCE.parents[2] / "docs" / "explanation" / "drift.md").read_text(encoding="utf-8")

    assert set(KINDS) == set(WORDS)
    assert set(KINDS.values()) | {"approved", "accepted"} == set(POLICIES)
    assert [] == [name for name in (*KINDS, *DRIFT_NAMES) if f"`{name}`" not in page]
