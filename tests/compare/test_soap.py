"""Compares over SOAP: one person, three words, answers that leave out whom nobody knows."""

from __future__ import annotations

import json

import pytest

from tests.compare.places import hub_at, person, rows_of, soap_answers, soap_root
from tests.connectors.serving import serving
from tongban.compare import compare
from tongban.evidence.log import export
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import SystemRefused
from tongban.onboarding.fake import people
from tongban.onboarding.fake.compares import code_for
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving as serving_fake

pytestmark = pytest.mark.postgres

WHY = {"purpose": "bus_pass", "asker": "he.ping@62089931"}


@pytest.fixture
def root(tmp_path):
    """A catalog of one SOAP department that only compares."""
    return soap_root(tmp_path / "root")


def asked_of(handler, root, tmp_path, url, count):
    """Ask about some people; gives the answers and what the server was asked."""
    with serving(handler) as server:
        account = {"base_url": server.url, "login": "hub", "password": "only-for-tests"}
        with hub_at(root, tmp_path / "home", url, {"disabled_union": account}) as hub:
            asked = [person(n) for n in range(count)]
            found = compare(hub, "disabled_union", "disability", asked, **WHY)
            lines = [json.loads(line) for line in export(hub.engine)]
            subjects = [line["subject"] for line in lines if line["kind"] == "comparison"]
    return found, server, subjects


def test_every_person_gets_a_word_and_who_is_left_out_has_none(root, tmp_path, database_url):
    """Batches of three in GB18030, with WS-Security; the department's receipt number per person."""
    codes = {people.resident_id_of(n): code for n, code in enumerate(["Y", "N", "S", None, "Y"])}

    found, server, subjects = asked_of(
        soap_answers(lambda _n, who: codes[who]), root, tmp_path, database_url, 5
    )

    assert ["yes", "no", "suspended", "no", "yes"] == [one.answer for one in found]
    assert ["R-1", "R-2", "R-3", "", "R-2"] == [one.receipt_no for one in found]
    assert [3, 2] == [entry["count"] for entry in subjects]
    assert 5 == len(rows_of(database_url))
    text = server.asked[0].body.decode("gb18030")
    assert "公交卡年审" in text
    assert "he.ping" in text
    assert "UsernameToken" in text


def test_a_fault_is_one_of_our_errors_and_stays_on_record(root, tmp_path, database_url):
    """The department's words are not repeated, they may quote the question."""
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        "<faultcode>e:Client.QUOTA</faultcode><faultstring>查询人 王秀英</faultstring>"
        "</e:Fault></e:Body></e:Envelope>"
    )
    answer = (500, {"Content-Type": "text/xml; charset=GB18030"}, body.encode("gb18030"))

    with pytest.raises(SystemRefused, match=r"Client\.QUOTA") as refused:
        asked_of(lambda _a: answer, root, tmp_path, database_url, 1)

    assert "王" not in str(refused.value)
    assert ["failed"] == [row["state"] for row in rows_of(database_url)]


def test_a_fake_of_a_soap_department_answers_and_refuses(root, tmp_path, database_url):
    """From the description alone; what is not well-formed is a fault."""
    department = Department(load_catalog(root), "disabled_union", rows=1)
    spec = department.system.compares["disability"]
    expected = [spec.answers.answer.codes[code_for(spec, [person(n)["id_no"]])] for n in range(20)]
    about = {"purpose_label": "x", "asker": "a", "unit": "b", "batch_id": "1", "purpose": "x"}
    wrong = {**person(1), "id_no": "620899198503140012", "case_no": None}
    with serving_fake(department) as url:
        account = department.open_account(url, tmp_path)
        with hub_at(root, tmp_path / "home", database_url, {"disabled_union": account}) as hub:
            asked = [person(n) for n in range(20)]
            found = compare(hub, "disabled_union", "disability", asked, **WHY)
            with (
                hub.connector("disabled_union") as connector,
                pytest.raises(SystemRefused, match="NOT_WELL_FORMED"),
            ):
                connector.compare("disability", [wrong], about)

    assert expected == [one.answer for one in found]
    assert len(set(expected)) > 1
