"""Retention terms of a contract: closed keys, whole days, file:line of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.test_contracts import GOOD, write
from tongban.kernel.contracts import load_contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.retention import Retention

OWNER = "{property: owner, value: tax}"


def with_terms(terms: str) -> str:
    """A good contract with these terms."""
    assert OWNER in GOOD
    start = next(line for line in GOOD.splitlines() if OWNER in line)
    indent = start[: start.index("-")]
    return GOOD.replace(start, f"{start}\n{indent}- {{property: retention, value: {terms}}}")


def test_terms_are_read(tmp_path: Path):
    """Each may be left out."""
    contract = load_contract(write(tmp_path, with_terms("{history: 1095, landing: 30}")))

    assert Retention(history=1095, quarantine=None, landing=30) == contract.retention


def test_without_terms_nothing_expires(tmp_path: Path):
    """Retention is opt-in."""
    assert Retention() == load_contract(write(tmp_path, GOOD)).retention


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("{histroy: 5}", 'unknown key "histroy", did you mean "history"?'),
        ("{history: 0}", "history: expected a whole number of days, at least 1"),
        ("{landing: soon}", "landing: expected a whole number of days"),
        ("{quarantine: true}", "quarantine: expected a whole number of days"),
        ("30", "expected terms in days"),
    ],
)
def test_a_mistake_is_refused_with_its_line(tmp_path: Path, terms: str, message: str):
    """Data that never expires by a typo is found years later."""
    text = with_terms(terms)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "retention" in row)

    with pytest.raises(ConfigInvalid) as caught:
        load_contract(write(tmp_path, text))

    assert message in str(caught.value)
    assert f":{line}:" in str(caught.value)
