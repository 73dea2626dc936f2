"""Systems' YAML: all six load, and every mistake is told with file, line and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.systems import load_system

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "connectors" / "systems").glob("*.yaml"))

GOOD = """\
system: fund
title: {zh: 公积金, en: Housing fund}
department: {code: "1", name: 公积金中心}
protocol: rest
connection: fund
interfaces:
  api:
    path: /api
    success:
      - {check: code, equals: 0}
datasets:
  account:
    call: {path: /accounts}
    records: rows
    paging: {kind: page_number, size: 10}
"""


def load(folder: Path, text: str):
    """Write and load a system."""
    path = folder / "fund.yaml"
    path.write_text(text, encoding="utf-8")
    return load_system(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_declared_systems_load(path):
    """With a title in both languages and a schedule for each dataset of its own."""
    system = load_system(path, root=ROOT)
    assert path.stem == system.system
    for dataset in system.datasets.values():
        assert dataset.schedule or dataset.shares_pages_of


def test_all_six_systems_are_declared():
    """Five departments and the substation."""
    expected = {"tax", "registration", "housing", "social", "market", "substation"}
    assert expected <= {path.stem for path in FILES}


def test_a_good_file_loads_and_codes_become_text(tmp_path):
    """YAML's 0 is the code "0"."""
    assert ("0",) == load(tmp_path, GOOD).interfaces["api"].success[0].equals


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        (
            "connection: fund",
            "conection: fund",
            r'fund.yaml:5: unknown key "conection", did you me',
        ),
        (
            "records: rows",
            "record: rows",
            r'fund.yaml:14: unknown key "record", did you mean "records"',
        ),
        ("size: 10", "siez: 10", r'fund.yaml:15: unknown key "siez", did you mean "size"'),
        ("kind: page_number", "kind: pages", r"fund.yaml:15: .*'page_number'"),
        ("check: code", "chek: code", r'fund.yaml:10: unknown key "chek", did you mean "check"'),
        ("protocol: rest", "protocol: soap", r'fund.yaml:7: the key "soap" is missing'),
        ("system: fund", "system: found", r'fund.yaml:1: system is "found", expected "fund"'),
        ("path: /api", "charset: GB1803", r"fund.yaml:8: .*unknown charset 'GB1803'"),
        ("size: 10", "size: 0", r"fund.yaml:15: .*greater than 0"),
        ("call: {path: /accounts}", "call: {interface: apj}", r'unknown interface "apj", did you'),
        ("call: {path: /accounts}", "shares_pages_of: acount", r'unknown dataset "acount"'),
        ("    call: {path: /accounts}\n", "", r"give either `call` or `shares_pages_of`"),
        ("    records: rows\n", "", r"`records` is missing"),
        (
            "protocol: rest",
            "protocol: rest\nprotocol: soap",
            r"fund.yaml:5: the key 'protocol' stands",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, find, replace, message):
    """File, line, what was expected, what was probably meant."""
    with pytest.raises(ConfigInvalid, match=message):
        load(tmp_path, GOOD.replace(find, replace))


def test_shared_pages_come_from_the_parent():
    """Right holders are read out of the pages of rights."""
    system = load_system(ROOT / "connectors" / "systems" / "registration.yaml")
    assert system.datasets["real_estate_right"] is system.pulled("right_holder")
    assert system.window == system.window_rule("right_holder")


def test_no_host_and_no_secret_stands_in_a_system():
    """Both come from the connection."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert "BEGIN" not in text
