"""The console over a real database: who may see it, what it says, what it never says."""

from __future__ import annotations

import re
import time
import uuid

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from tests.console.conftest import CHILD, FAILED, PULL, PUSH
from tongban.console import texts
from tongban.console.app import routes

PAGES = [
    "/",
    "/transfers",
    "/transfers?view=all",
    f"/transfers/{PULL}",
    f"/transfers/{PUSH}",
    f"/transfers/{FAILED}",
    "/quarantine",
    "/quarantine?dataset=sale_contract",
    "/outbox",
    "/datasets",
    "/datasets/sale_contract",
    "/dags/pull_sale_contract",
    "/dags/audit",
]


def cells(html: str, marker: str) -> list[str]:
    """Plain text of each cell of the table row that holds the marker."""
    row = next(r for r in re.findall(r"<tr>.*?</tr>", html, re.DOTALL) if marker in r)
    found = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in found]


def test_every_route_refuses_an_anonymous_caller(anonymous: TestClient):
    """A plugin's routes are public unless they say otherwise."""
    paths = [route.path for route in routes.routes if isinstance(route, APIRoute)]

    assert len(paths) >= 9
    for path in paths:
        url = path.replace("{transfer_id}", str(PULL)).replace("{name}", "sale_contract")
        answer = anonymous.get(url.replace("{dag_id}", "cases"))
        assert 401 == answer.status_code, path
        assert "1,250" not in answer.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_there_is_no_interface_description_to_read(reader: TestClient, path: str):
    """Even a signed-in user gets no generated documentation."""
    assert 404 == reader.get(path).status_code


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_in_both_languages(reader: TestClient, path: str):
    """Chinese first; English on request."""
    chinese = reader.get(path)
    english = reader.get(path, params={"lang": "en"} | dict(reader.get(path).url.params))

    assert 200 == chinese.status_code == english.status_code
    assert '<html lang="zh-CN">' in chinese.text
    assert "传输" in chinese.text
    assert '<html lang="en">' in english.text
    assert "Transfers" in english.text


@pytest.mark.parametrize("path", PAGES)
def test_no_page_asks_another_host(reader: TestClient, path: str):
    """The hub stands in a network without a way out."""
    answer = reader.get(path)

    assert [] == re.findall(r"(?:src|href|action|url)\s*[=(]\s*[\"']?(?:https?:)?//", answer.text)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", PAGES)
def test_pages_work_inside_the_sandboxed_frame(reader: TestClient, path: str):
    """Airflow's frame allows neither new windows nor dialogs."""
    html = reader.get(path).text

    assert " target=" not in html
    assert "alert(" not in html.replace("&lt;script&gt;alert(1)", "")
    assert "onclick" not in html
    assert "style=" not in html


def test_the_language_is_remembered_by_a_cookie_of_the_console_only(reader: TestClient):
    """A choice is made once."""
    answer = reader.get("/?lang=en")

    assert "httponly" in answer.headers["set-cookie"].lower()
    assert '<html lang="en">' in reader.get("/transfers").text
    assert '<html lang="zh-CN">' in reader.get("/transfers?lang=zh").text


def test_the_other_language_keeps_the_filters(reader: TestClient):
    """Switching the language does not lose the place."""
    html = reader.get("/transfers?system=tax&view=all").text

    assert 'href="/transfers?system=tax&amp;view=all&amp;lang=en"' in html


@pytest.mark.parametrize("name", ["path", "base", "self", "context", "'\"><i>"])
def test_any_parameter_of_an_address_is_harmless(reader: TestClient, name: str):
    """A made-up parameter breaks no page and becomes no markup, on refusals too."""
    for place in ("/transfers", "/nowhere"):
        answer = reader.get(place, params={name: "x"})

        assert {"/transfers": 200, "/nowhere": 404}[place] == answer.status_code
        assert "<i>" not in answer.text


def test_messages_are_escaped(reader: TestClient):
    """A department's words or a user's name never become markup."""
    html = reader.get(f"/transfers/{FAILED}").text

    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; HTTP 503 &amp; nothing" in html
    assert "张&lt;clerk&gt;" in html


def test_a_pull_shows_where_its_rows_went_and_that_they_balance(reader: TestClient):
    """Read = accepted + quarantined + duplicate."""
    row = cells(reader.get("/transfers").text, f"/transfers/{PULL}")

    assert ["1,250", "1,200", "45", "5"] == row[3:7]
    assert "✓ 平" == row[7]


def test_a_push_shows_what_was_acknowledged(reader: TestClient):
    """Sent is not accepted."""
    row = cells(reader.get("/transfers").text, f"/transfers/{PUSH}")

    assert ["1,140", "1,100", "10", "30"] == row[3:7]


def test_a_count_that_differs_from_the_sources_own_is_marked(reader: TestClient, traffic: Engine):
    """The source said 1,260, we read 1,250: somebody must look."""
    with traffic.begin() as connection:
        connection.execute(
            text("UPDATE hub.transfer SET declared_rows = 1260 WHERE transfer_id = :id"),
            {"id": PULL},
        )

    row = cells(reader.get("/transfers").text, f"/transfers/{PULL}")

    assert "✗ 与声明差 -10" == row[7]
    assert f"/transfers/{PULL}" in reader.get("/").text


def test_the_declared_count_of_shared_pages_does_not_bind_the_children(reader: TestClient):
    """A page of 1,250 contracts may hold 2,500 parties."""
    assert "✓ 平" == cells(reader.get("/transfers").text, f"/transfers/{CHILD}")[7]


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("system=tax", PUSH, PULL),
        ("direction=pull", PULL, PUSH),
        ("dataset=house_unit", FAILED, PULL),
        ("state=failed", FAILED, PUSH),
        ("system=tax&view=all", PUSH, PULL),
        ("state=finished&view=all", PULL, FAILED),
    ],
)
def test_transfers_are_filtered(
    reader: TestClient, query: str, shown: uuid.UUID, hidden: uuid.UUID
):
    """Each filter narrows, in both views."""
    html = reader.get(f"/transfers?{query}").text

    assert f"/transfers/{shown}" in html
    assert f"/transfers/{hidden}" not in html


@pytest.mark.parametrize("query", ["state=bad", "before=yesterday", "direction=up", "view=x"])
def test_a_filter_that_means_nothing_narrows_nothing(reader: TestClient, query: str):
    """An old link still opens."""
    assert f"/transfers/{PULL}" in reader.get(f"/transfers?{query}").text


def test_history_is_paged_by_the_start_time(reader: TestClient, traffic: Engine):
    """The link to older transfers leads to the rest."""
    with traffic.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO hub.transfer (transfer_id, direction, system, dataset, started_at)"
                " SELECT gen_random_uuid(), 'pull', 'housing', 'house_unit',"
                " now() - i * interval '1 hour' FROM generate_series(2, 71) i"
            )
        )

    first = reader.get("/transfers?view=all").text
    link = re.search(r'href="([^"]+)" rel="next"', first)
    assert link is not None
    second = reader.get(link[1].replace("&amp;", "&")).text

    assert 50 == first.count('<th scope="row">')
    assert 24 == second.count('<th scope="row">')
    assert 'rel="next"' not in second


def test_the_detail_names_rules_in_the_contracts_words(reader: TestClient):
    """Reasons are read by people of the department."""
    html = reader.get(f"/transfers/{PULL}").text

    assert "合同编号：必填" in html
    assert "更新时间：超出范围" in html
    assert "错误：隔离" in html
    assert "警告：仍入库" in html


def test_the_detail_of_a_push_counts_receipts_by_outcome(reader: TestClient):
    """A business refusal is a receipt with a code."""
    html = reader.get(f"/transfers/{PUSH}").text

    assert ["拒收", "DIGEST_MISMATCH", "1"] == cells(html, "DIGEST_MISMATCH")


def test_the_detail_leads_to_the_datasets_of_the_same_pages(reader: TestClient):
    """Parent and children are found from each other."""
    assert f"/transfers/{CHILD}" in reader.get(f"/transfers/{PULL}").text
    assert f"/transfers/{PULL}" in reader.get(f"/transfers/{CHILD}").text


def test_quarantine_counts_a_row_under_each_of_its_rules(reader: TestClient):
    """Two rows, one of them with a second broken rule."""
    html = reader.get("/quarantine").text

    assert "2" == cells(html, "合同编号：必填")[3]
    assert "1" == cells(html, "signed_not_future")[3]


def test_quarantine_shows_references_and_fields_but_nothing_sealed(reader: TestClient):
    """The page has no key, so it could not show a value."""
    html = reader.get("/quarantine?dataset=sale_contract&rule=contract_no.required").text

    assert str(uuid.UUID(int=100))[:8] in html
    assert "合同编号" in html
    assert "sealed" not in html.split("</header>")[1]


def test_the_outbox_separates_waiting_from_refused(reader: TestClient):
    """Queued, waiting for the parent, sent without an answer, parked, rejected."""
    row = cells(reader.get("/outbox").text, "direction=push")

    assert ["3", "1", "1", "1", "1", "1,100"] == row[2:8]


def test_a_route_that_never_ran_is_listed_in_the_outbox(reader: TestClient, traffic: Engine):
    """An empty queue is an answer too."""
    with traffic.begin() as connection:
        connection.execute(text("DELETE FROM hub.outbox"))
        connection.execute(text("DELETE FROM hub.transfer WHERE direction = 'push'"))

    assert ["0"] * 6 == cells(reader.get("/outbox").text, "direction=push")[2:8]


def test_datasets_show_owner_classification_subscribers_and_freshness(reader: TestClient):
    """What exists, whose it is, who gets it, how fresh it is."""
    row = cells(reader.get("/datasets").text, '/datasets/sale_contract"')

    assert ["网签合同 sale_contract", "房产交易", "内部", "1.0.0", "税务", "1,100", "2"] == row[:7]
    assert re.fullmatch(r"\d\d-\d\d \d\d:\d\d", row[7])


@pytest.mark.parametrize(
    "path", [f"/transfers/{uuid.UUID(int=99)}", "/transfers/nonsense", "/datasets/none", "/nowhere"]
)
def test_what_is_not_there_gets_a_page_that_says_so(reader: TestClient, path: str):
    """404, with a way back and without a trace."""
    answer = reader.get(path)

    assert 404 == answer.status_code
    assert "没有找到" in answer.text


def test_a_database_that_is_away_gets_a_page_without_details(reader: TestClient, traffic: Engine):
    """No statement and no address is shown."""
    with traffic.begin() as connection:
        connection.execute(text("ALTER TABLE hub.transfer RENAME TO gone"))

    answer = reader.get("/transfers")

    assert 503 == answer.status_code
    assert "暂时无法显示" in answer.text
    assert "hub.transfer" not in answer.text


def test_the_tab_of_a_dag_shows_its_own_transfers(reader: TestClient):
    """pull_<dataset> and push_<target>_<dataset> are routes."""
    pull = reader.get("/dags/pull_sale_contract").text
    push = reader.get("/dags/push_tax_sale_contract").text

    assert f"/transfers/{PULL}" in pull
    assert f"/transfers/{PUSH}" not in pull
    assert f"/transfers/{PUSH}" in push


def test_pages_are_read_only(reader: TestClient):
    """Nothing can be changed from the console."""
    for path in ("/", "/transfers", "/outbox"):
        assert 405 == reader.post(path).status_code


def test_answers_are_private(reader: TestClient):
    """No proxy keeps a page, no other site frames it."""
    headers = reader.get("/").headers

    assert "no-store" == headers["Cache-Control"]
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


def test_every_word_exists_in_both_languages():
    """No page mixes languages by accident."""
    for key, (chinese, english) in texts.TEXTS.items():
        assert chinese, key
        assert english, key


def test_pages_stay_fast_with_a_hundred_thousand_outbox_rows(reader: TestClient, traffic: Engine):
    """Under 300 ms each, on a machine that does other work."""
    with traffic.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO hub.outbox (target, dataset, record_id, version, state, code)"
                " SELECT 'tax', 'sale_contract', gen_random_uuid(), 1,"
                " (ARRAY['accepted','accepted','accepted','queued','rejected'])[1 + i % 5],"
                " CASE WHEN i % 5 = 4 THEN 'E' || i % 7 END FROM generate_series(1, 100000) i"
            )
        )
    for path in PAGES:
        reader.get(path)
        best = min(_seconds(reader, path) for _ in range(5))

        assert best < 0.3, (path, best)


def _seconds(reader: TestClient, path: str) -> float:
    """Wall time of one answer."""
    started = time.perf_counter()
    assert 200 == reader.get(path).status_code
    return time.perf_counter() - started
