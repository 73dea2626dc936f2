"""Declaring a compare: what cannot work or should not be is refused with its place."""

from __future__ import annotations

import pytest

from connectors import check_declared
from tests.compare.places import ROOT
from tests.connectors.serving import JSON, connect, rest_system, serving
from tests.kernel.test_systems import load
from tongban.kernel.errors import ConfigInvalid, OutsideBudget
from tongban.kernel.systems import load_system

GOOD = """\
system: fund
title: {zh: 民政, en: Civil affairs}
department: {code: "1", name: 民政局}
protocol: rest
connection: fund
interfaces:
  api: {path: /api}
compares:
  alive:
    label: {zh: 生存状态, en: Alive?}
    asks:
      id_no: {type: resident_id}
    batch: 10
    call: {method: POST, path: /alive, body: {rows: "{questions}"}}
    answers:
      records: rows
      number: number
      answer: {path: state, codes: {"1": yes, "0": no}}
    purposes: {pension: 养老金资格认证}
"""
LONE = {
    "label": {"zh": "生存状态", "en": "Alive?"},
    "asks": {"id_no": {"type": "resident_id"}},
    "call": {"method": "POST", "path": "/alive", "form": {"sfzh": "{id_no}", "why": "{purpose}"}},
    "answers": {"answer": {"path": "alive", "codes": {"true": "yes", "false": "no"}}},
    "purposes": {"pension": "养老金资格认证"},
}
ABOUT = {"purpose": "pension", "purpose_label": "x", "asker": "a", "unit": "b", "batch_id": "1"}
QUESTION = {"id_no": "620899198503140011", "case_no": None}


def test_a_good_compare_loads_and_yes_is_a_word(tmp_path):
    """YAML's bare yes and no are truth values anywhere else."""
    spec = load(tmp_path, GOOD).compares["alive"]

    assert ("yes", "no") == spec.words
    assert ("id_no",) == spec.subjects
    assert {"number": "{number}", "id_no": "{id_no}"} == spec.template


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        ("batch: 10", "bach: 10", r'fund.yaml:13: unknown key "bach", did you mean "batch"'),
        ("type: resident_id", "type: id", r"fund.yaml:12: .*'resident_id', 'credit_code'"),
        ("type: resident_id", "type: text", r"fund.yaml:9: .*no field is a number of the subject"),
        ('"0": no', '"0": yes', r"fund.yaml:18: .*mean 1 words, expected 2 to 8"),
        ('"0": no', '"0": No record', r"fund.yaml:18: "),
        ("      number: number\n", "", r"a batch of several questions needs `records` and `numb"),
        ("{pension: 养老金资格认证}", "{}", r"nobody may ask without a purpose"),
        ("id_no: {type", "asker: {type", r"asks: asker means something else in a call"),
        ("method: POST", "interface: apj", r'fund.yaml:14: unknown interface "apj", did you mean'),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, find, replace, message):
    """File, line, what was expected, what was probably meant."""
    with pytest.raises(ConfigInvalid, match=message):
        load(tmp_path, GOOD.replace(find, replace))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"call": {"path": "/alive/{id_no}"}}, r"{id_no} is personal data and may only travel"),
        ({"call": {"query": {"q": "{question}"}}}, r"{question} is personal data"),
        ({"call": {"method": "POST", "form": {"a": "{purpose}"}}}, r"nowhere has {id_no}"),
        ({"call": {"method": "POST", "form": {"a": "{id_on}"}}}, r'did you mean "id_no"'),
        ({"question": {"a": "{nmber}"}}, r'compares.alive.question: .*did you mean "number"'),
    ],
)
def test_a_call_that_hides_or_shows_too_much_is_refused(changes, message):
    """Addresses are logged by every proxy; a field that is not sent is not compared."""
    with pytest.raises(ConfigInvalid, match=message):
        check_declared(rest_system(compares={"alive": {**LONE, **changes}}))


def test_a_batch_whose_questions_have_no_number_is_refused(tmp_path):
    """Its answers could not be told apart."""
    text = GOOD.replace("batch: 10", 'batch: 10\n    question: {sfzh: "{id_no}"}')
    with pytest.raises(ConfigInvalid, match=r"told apart by {number}"):
        check_declared(load(tmp_path, text))


def test_one_question_in_a_form_needs_no_list():
    """The answer is about the question of its call."""
    with (
        serving(lambda _a: (200, JSON, b'{"alive": false}')) as server,
        connect(rest_system(compares={"alive": LONE}), server.url) as connector,
    ):
        (found,) = connector.compare("alive", [QUESTION], ABOUT)

    assert "no" == found.answer
    assert "answer" not in repr(found)
    assert b"sfzh=620899198503140011&why=pension" == server.asked[0].body


def test_a_declared_status_for_no_record_means_the_declared_word():
    """404 is an answer where the interface note says so."""
    answers = {**LONE["answers"], "missing": "unknown"}
    system = rest_system(
        interface={"statuses": {404: "empty"}}, compares={"alive": {**LONE, "answers": answers}}
    )
    with (
        serving(lambda _a: (404, JSON, b"")) as server,
        connect(system, server.url) as connector,
    ):
        (found,) = connector.compare("alive", [QUESTION], ABOUT)

    assert "unknown" == found.answer


def test_questions_count_as_rows_of_the_night():
    """The budget is the department's, whatever is asked."""
    system = rest_system(compares={"alive": LONE}, budget={"rows_per_night": 2})
    with (
        serving(lambda _a: (200, JSON, b'{"alive": true}')) as server,
        connect(system, server.url) as connector,
    ):
        for _ in range(2):
            connector.compare("alive", [QUESTION], ABOUT)
        with pytest.raises(OutsideBudget):
            connector.compare("alive", [QUESTION], ABOUT)

    assert 2 == len(server.asked)


def test_civil_affairs_is_yaml_alone():
    """No mapping, no contract, no dataset; no code names it but what asks it."""
    system = load_system(ROOT / "connectors" / "systems" / "civil_affairs.yaml", root=ROOT)

    assert ["marriage"] == list(system.compares)
    assert not system.datasets
    assert not system.accepts
    assert not (ROOT / "mappings" / "civil_affairs").exists()
    code = [path for path in (ROOT / "tongban").rglob("*.py") if "cases" not in path.parts]
    code += (ROOT / "connectors").rglob("*.py")
    assert [] == [p for p in code if '"civil_affairs"' in p.read_text(encoding="utf-8")]
