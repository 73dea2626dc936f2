"""Patterns stay in the dialect that all engines share."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest

from tests.validate.batches import NO_CODES, batch, contract
from tongban.kernel.contracts import Field
from tongban.kernel.errors import ConfigInvalid
from tongban.validate import check, compile_contract, problem_with


@pytest.mark.parametrize(
    "pattern",
    [
        "^[0-9]{6}$",
        "^[A-Z][0-9]*$",
        "^(?:[0-9]{13}|[0-9]{15})$",
        r"^[0-9]+\.[0-9]{2}$",
        "^甘（[0-9]{4}）$",
        "^[0-9|]+$",
        r"^a\|b$",
    ],
)
def test_a_plain_anchored_pattern_is_fine(pattern):
    """Explicit classes, groups, repetition, escaped punctuation."""
    assert problem_with(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (r"^\d{6}$", r"uses \d; write the characters out"),
        (r"^\w+$", r"uses \w"),
        (r"^\s*$", r"uses \s"),
        (r"^\bx$", r"uses \b"),
        (r"^\p{Han}$", r"uses \p"),
        (r"^(a)\1$", r"uses \1"),
        ("[0-9]{6}", "is not anchored"),
        ("^[0-9]{6}", "is not anchored"),
        (r"^[0-9]{6}\$", "is not anchored"),
        ("^a|b$", "has | outside a group"),
        ("^(?=a)a$", "look-around"),
        ("^(?!a)b$", "look-around"),
        ("^(?<=a)b$", "look-around"),
        ("^(?P<n>a)$", "named group"),
        ("^(?i)a$", "named group"),
        ("^[[:digit:]]$", "named class"),
        ("^[0-9$", "not a valid regular expression"),
        ("^(a$", "not a valid regular expression"),
    ],
)
def test_a_pattern_that_engines_read_differently_is_refused(pattern, what):
    """With what to write instead."""
    assert what in (problem_with(pattern) or "")


def test_why_shorthand_classes_are_refused():
    r"""Trap: \d takes full-width digits in Polars and in Python, an explicit class does not."""
    wide = "１２３"

    assert pl.Series([wide]).str.contains(r"^\d+$")[0]
    assert re.fullmatch(r"\d+", wide)
    assert not pl.Series([wide]).str.contains("^[0-9]+$")[0]


def test_a_trailing_newline_does_not_slip_through_an_anchor():
    """Trap: in Python's re, $ also matches before a final newline; our engine refuses it."""
    made = contract(Field("no", "编号", "string", pattern="^[0-9]{3}$"))

    found = check(compile_contract(made, NO_CODES), batch(made, no=["123", "123\n", "12", None]))

    assert re.match(r"^[0-9]{3}$", "123\n")
    assert {"no.pattern": 2} == found.findings


def test_a_bad_pattern_is_refused_with_its_line(tmp_path):
    """As tongban check shows it."""
    folder = tmp_path / "contracts" / "thing"
    folder.mkdir(parents=True)
    path = folder / "v1.yaml"
    path.write_text("schema:\n- name: thing\n  properties:\n  - name: code\n    x: 1\n", "utf-8")
    made = replace(contract(Field("code", "编号", "string", pattern=r"^\d$")), path=path)

    with pytest.raises(
        ConfigInvalid, match=r"contracts/thing/v1\.yaml:4: the pattern of code uses"
    ):
        compile_contract(made, NO_CODES)
