"""Compares over REST: civil affairs as declared, against its fake and a real PostgreSQL."""

from __future__ import annotations

import json

import pytest

from connectors.errors import AnswerCodeUnknown, AnswersMissing
from tests.compare.places import ASKER, PURPOSE, ROOT, civil_affairs, hub_at, pair, rows_of
from tests.connectors.serving import JSON, serving
from tongban.compare import (
    PurposeRefused,
    Question,
    QuestionsInvalid,
    compare,
    compare_in_batches,
    is_proved,
)
from tongban.evidence.log import check, export
from tongban.kernel.errors import ConfigInvalid, SystemRefused, SystemUnavailable
from tongban.protect import blind_index_of

pytestmark = pytest.mark.postgres

MARRIED = {"purpose": PURPOSE, "asker": ASKER}
ACCOUNT = {"login": "hub", "password": "only-for-tests"}


def entries(hub):
    """What the evidence log says about compares."""
    lines = [json.loads(line) for line in export(hub.engine)]
    return [line["subject"] for line in lines if line["kind"] == "comparison"]


@pytest.fixture
def hub(tmp_path, database_url):
    """A hub beside a fake of civil affairs."""
    with civil_affairs(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
def married(tmp_path, database_url):
    """A hub whose civil affairs answers what a test says."""

    def with_answers(handler):
        server = stack.enter_context(serving(handler))
        account = {**ACCOUNT, "base_url": server.url}
        opened = hub_at(ROOT, tmp_path, database_url, {"civil_affairs": account})
        return stack.enter_context(opened), server

    from contextlib import ExitStack

    with ExitStack() as stack:
        yield with_answers


def results(rows, **more):
    """An answer of civil affairs."""
    document = {"code": "0", "msg": "ok", "data": {"results": rows, "receiptNo": "MZ-1"}, **more}
    return 200, JSON, json.dumps(document).encode()


def yes_to_all(asked):
    """Everybody is married, answered in reverse."""
    pairs = json.loads(asked.body)["pairs"]
    return results([{"seq": p["seq"], "married": "1"} for p in reversed(pairs)])


def test_each_question_gets_its_answer_and_the_order_of_the_two_does_not_matter(hub):
    """Seventy pairs in two calls; every word of the declared ones comes."""
    pairs = [pair(n) for n in range(70)]
    turned = [
        {"name_a": p["name_b"], "id_a": p["id_b"], "name_b": p["name_a"], "id_b": p["id_a"]}
        for p in pairs
    ]

    first = compare(hub, "civil_affairs", "marriage", pairs, **MARRIED)
    other = compare(hub, "civil_affairs", "marriage", turned, **MARRIED)

    assert list(range(1, 71)) == [one.row for one in first]
    assert {"yes", "no", "unknown"} == {one.answer for one in first}
    assert [one.answer for one in first] == [one.answer for one in other]
    assert [50, 20, 50, 20] == [entry["count"] for entry in entries(hub)]


def test_purpose_person_unit_and_case_travel_with_the_call(married):
    """The department logs them too."""
    hub, server = married(yes_to_all)
    asked = [Question(pair(1), "620826112400000134"), Question(pair(2))]

    compare(hub, "civil_affairs", "marriage", asked, **MARRIED)

    (request,) = server.asked
    body = json.loads(request.body)
    assert {"code": PURPOSE, "name": "契税家庭住房套数核查"} == body["purpose"]
    assert {"account": "li.na", "unit": "62089901"} == body["operator"]
    assert ["620826112400000134", None] == [item.get("caseNo") for item in body["pairs"]]
    assert not request.raw_query


def test_one_call_leaves_one_receipt_per_question_and_one_entry(hub, database_url):
    """Purpose, person, unit, system, blind indexes of whom it was about; no answer."""
    asked = pair(3)

    (answer,) = compare(
        hub, "civil_affairs", "marriage", [asked], case_no="C-1", request_id="R-1", **MARRIED
    )

    (row,) = rows_of(database_url)
    (entry,) = entries(hub)
    indexes = sorted(blind_index_of(hub.keyring, "subject", asked[n]) for n in ("id_a", "id_b"))
    assert ("answered", 1, "C-1", "R-1") == (
        row["state"],
        row["times_asked"],
        row["case_no"],
        row["request_id"],
    )
    assert (PURPOSE, "li.na", "62089901") == (row["purpose"], row["asker"], row["unit"])
    assert indexes == row["subjects"]
    assert answer.receipt == row["comparison_id"]
    assert answer.receipt_no == row["receipt_no"]
    assert [index.hex() for index in indexes] == entry["subjects"]
    assert "answered" == entry["outcome"]
    assert [str(answer.receipt)] == entry["receipts"]
    assert 2 == check(hub.engine)  # the files as they are, and this call


def test_the_answer_is_proved_with_the_proof_and_by_nothing_else(hub):
    """Not even the hub's own keys tell a yes from a no afterwards."""
    (answer,) = compare(hub, "civil_affairs", "marriage", [pair(4)], **MARRIED)
    others = {"yes", "no", "unknown"} - {answer.answer}

    def proved(word, proof):
        return is_proved(hub.engine, hub.keyring, answer.receipt, word, proof)

    assert proved(answer.answer, answer.proof)
    assert not any(proved(word, answer.proof) for word in others)
    assert not any(proved(word, "0" * 32) for word in ("yes", "no", "unknown"))


def test_asking_again_under_the_same_request_leaves_one_receipt(hub, database_url):
    """A compare is a read: it may be asked again, and is on record as one request."""
    for _ in range(2):
        (answer,) = compare(hub, "civil_affairs", "marriage", [pair(5)], request_id="R", **MARRIED)

    (row,) = rows_of(database_url)
    assert 2 == row["times_asked"]
    assert answer.receipt == row["comparison_id"]
    assert is_proved(hub.engine, hub.keyring, answer.receipt, answer.answer, answer.proof)
    assert 2 == len(entries(hub))
    assert 2 == len({r.receipt for r in compare(
        hub, "civil_affairs", "marriage", [pair(5), pair(6)], **MARRIED)})  # fmt: skip


def test_a_question_that_stands_twice_is_asked_once_and_answered_twice(married, database_url):
    """Rows keep their numbers."""
    hub, server = married(yes_to_all)

    found = compare(hub, "civil_affairs", "marriage", [pair(1), pair(2), pair(1)], **MARRIED)

    assert [(1, "yes"), (2, "yes"), (3, "yes")] == [(one.row, one.answer) for one in found]
    assert 2 == len(json.loads(server.asked[0].body)["pairs"])
    assert 2 == len(rows_of(database_url))


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"id_a": "620899198503140012"}, r"row 2: id_a is no resident_id: .*GB 11643"),
        ({"id_b": ""}, r"row 2: id_b is missing"),
        ({"name_a": "王5"}, r"row 2: name_a is no person_name"),
        ({"name_a": "王"}, r"row 2: name_a is no person_name"),
        ({"id_b": pair(9)["id_a"]}, r"row 2: id_a and id_b are the same number"),
        ({"620899195501010011": "x"}, r"row 2: 1 fields that are not asked for; expected name_a"),
    ],
)
def test_a_bad_question_is_refused_with_its_rule_and_nothing_is_asked(married, wrong, rule):
    """Row, field, rule; never the value, and no receipt."""
    hub, server = married(yes_to_all)
    asked = [pair(8), {**pair(9), **wrong}]

    with pytest.raises(QuestionsInvalid, match=rule) as refused:
        compare(hub, "civil_affairs", "marriage", asked, **MARRIED)

    assert [] == server.asked
    assert [] == entries(hub)
    text = f"{refused.value!r} {refused.value.context}"
    assert not [
        v for v in (*pair(9).values(), *wrong, *wrong.values()) if len(v) > 10 and v in text
    ]


def test_numbers_and_names_are_brought_into_their_normal_form(married):
    """Full-width digits, blanks, a small x and the old 15 digits are the same person."""
    hub, server = married(yes_to_all)
    typed = {
        "name_a": " 王 秀英 ",
        "id_a": "６２０８９９ 850314 001",
        "name_b": "阿依古丽•买买提",
        "id_b": "11010519491231002x",
    }

    compare(hub, "civil_affairs", "marriage", [typed], **MARRIED)

    (sent,) = json.loads(server.asked[0].body)["pairs"]
    assert ("王秀英", "620899198503140011") == (sent["xmA"], sent["zjhmA"])
    assert ("阿依古丽·买买提", "11010519491231002X") == (sent["xmB"], sent["zjhmB"])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"purpose": "curiosity"}, PurposeRefused, "deed_tax_family .契税家庭住房套数核查."),
        ({"asker": "li.na"}, ConfigInvalid, "expected person@unit"),
        ({"asker": "li.na@11010519491231002X"}, ConfigInvalid, "expected person@unit"),
        ({"case_no": "11010519491231002X"}, ConfigInvalid, "case number: expected"),
        ({"request_id": " "}, ConfigInvalid, "request id: expected"),
    ],
)
def test_nobody_asks_without_purpose_person_and_unit(hub, changes, error, message):
    """And nothing that stays readable may hold somebody's number."""
    with pytest.raises(error, match=message) as refused:
        compare(hub, "civil_affairs", "marriage", [pair(1)], **{**MARRIED, **changes})

    assert "11010519491231002X" not in str(refused.value)
    assert [] == entries(hub)


@pytest.mark.parametrize(
    ("system", "name", "message"),
    [
        ("civil_affairs", "mariage", 'has no compare "mariage", did you mean "marriage"'),
        ("tax", "marriage", "tax compares nothing; systems that do: civil_affairs"),
        ("civil_afairs", "marriage", 'did you mean "civil_affairs"'),
    ],
)
def test_an_unknown_compare_is_told_with_a_suggestion(hub, system, name, message):
    """Before anything is asked."""
    with pytest.raises(ConfigInvalid, match=message):
        compare(hub, system, name, [pair(1)], **MARRIED)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([{"seq": 1, "married": "1"}], AnswersMissing, "1 of 2 questions are answered"),
        ([{"seq": n, "married": "1"} for n in (1, 2, 2)], AnswersMissing, "2 is answered twice"),
        ([{"seq": n, "married": "1"} for n in (1, 2, 3)], AnswersMissing, "none of the numbers"),
        (
            [{"seq": 1, "married": "1"}, {"seq": 2, "married": "离异8"}],
            AnswerCodeUnknown,
            "married of question 2 is none of the 3 declared codes",
        ),
        ([{"seq": 1, "married": "1"}, {"seq": 2}], AnswerCodeUnknown, "of question 2"),
    ],
)
def test_an_answer_that_does_not_fit_its_questions_is_trusted_in_nothing(
    married, database_url, rows, error, message
):
    """The call stays on record with its error; no digest of the page is left."""
    hub, _ = married(lambda _a: results(rows))

    with pytest.raises(error, match=message) as refused:
        compare(hub, "civil_affairs", "marriage", [pair(1), pair(2)], **MARRIED)

    assert "离异" not in str(refused.value)
    assert "sha256" not in refused.value.context
    assert {("failed", error.code)} == {
        (row["state"], row["error_code"]) for row in rows_of(database_url)
    }
    assert [error.code] == [entry["outcome"] for entry in entries(hub)]


def test_a_busy_department_is_asked_again_and_a_later_try_closes_the_receipt(married, database_url):
    """Three tries inside one call; then a person tries again under the same request id."""
    answers = [(503, {}, b"")] * 4

    def moody(asked):
        return answers.pop() if answers else yes_to_all(asked)

    hub, server = married(moody)
    system = hub.catalog.systems["civil_affairs"]
    budget = system.budget.model_copy(update={"backoff_first_s": 0.01, "attempts": 3})
    hub.catalog.systems["civil_affairs"] = system.model_copy(update={"budget": budget})

    with pytest.raises(SystemUnavailable):
        compare(hub, "civil_affairs", "marriage", [pair(1)], request_id="R", **MARRIED)
    (failed,) = rows_of(database_url)
    (answer,) = compare(hub, "civil_affairs", "marriage", [pair(1)], request_id="R", **MARRIED)

    assert 5 == len(server.asked)
    assert ("failed", SystemUnavailable.code) == (failed["state"], failed["error_code"])
    (closed,) = rows_of(database_url)
    assert ("answered", None, 2) == (closed["state"], closed["error_code"], closed["times_asked"])
    assert "yes" == answer.answer
    assert [SystemUnavailable.code, "answered"] == [entry["outcome"] for entry in entries(hub)]


def test_batches_before_a_failure_are_answered_and_on_record(married, database_url):
    """Who reads them as they come has them."""
    seen = []

    def once(asked):
        seen.append(asked)
        return yes_to_all(asked) if len(seen) == 1 else (200, JSON, b'{"code": "422"}')

    hub, _ = married(once)
    pairs = [pair(n) for n in range(60)]
    batches = compare_in_batches(hub, "civil_affairs", "marriage", pairs, **MARRIED)
    found = next(batches)
    with pytest.raises(SystemRefused):
        next(batches)

    states = [row["state"] for row in rows_of(database_url)]
    assert 50 == len(found)
    assert (50, 10) == (states.count("answered"), states.count("failed"))


def test_a_receipt_number_that_is_a_person_is_not_stored(married, database_url):
    """Departments have been seen to put the number of the one who was asked about into it."""
    number = pair(1)["id_a"]

    def telling(asked):
        (question,) = json.loads(asked.body)["pairs"]
        rows = [{"seq": question["seq"], "married": "1"}]
        return results(rows, data={"results": rows, "receiptNo": f"MZ{number}"})

    hub, _ = married(telling)
    compare(hub, "civil_affairs", "marriage", [pair(1)], **MARRIED)

    assert ["withheld"] == [row["receipt_no"] for row in rows_of(database_url)]


def test_a_strict_department_refuses_what_is_not_well_formed(hub):
    """The fake, asked past our own checks: a wrong number, another purpose."""
    about = {"purpose": PURPOSE, "purpose_label": "x", "asker": "a", "unit": "b", "batch_id": "1"}
    good = {**pair(1), "case_no": None}
    with hub.connector("civil_affairs") as connector:
        with pytest.raises(SystemRefused, match="422"):
            connector.compare("marriage", [{**good, "id_a": "620899198503140012"}], about)
        with pytest.raises(SystemRefused, match="422"):
            connector.compare("marriage", [good], {**about, "purpose": "curiosity"})
        assert 1 == len(connector.compare("marriage", [good], about))
