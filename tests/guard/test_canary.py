"""No plain value of a person is left anywhere by a whole run: logs, errors, tables, files, answers.

Six real servers and a real PostgreSQL; the run pulls, loads, pushes, opens cases, looks people up,
audits, and meets broken answers on the way. Then everything that it left is searched.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient

from tests.conftest import fresh_database
from tests.guard.canary import Person, Traces, plant, spellings
from tests.pipeline.city import CityHub, make_template
from tongban.cases.run import advance_cases
from tongban.console import create_app
from tongban.console.view import keyless_view
from tongban.evidence.log import export
from tongban.kernel.errors import TongbanError
from tongban.pipeline import pull, push
from tongban.quality import run_audit
from tongban.subjects import SubjectAnswer, find_subject

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
PURPOSE = "guard test"


@dataclass
class Story:
    """One run and what it left behind."""

    city: CityHub
    applicant: Person
    officer: Person
    numbers: set[str]
    traces: Traces
    answer: SubjectAnswer


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, database_template: str
) -> Iterator[Story]:
    """Run everything once."""
    folder = tmp_path_factory.mktemp("canary")
    template = make_template(folder / "template")
    applicant, officer, numbers = plant(template)
    traces = Traces()
    with ExitStack() as stack:
        urls = fresh_database(postgres_server, f"TEMPLATE {database_template}")
        url = next(urls)
        stack.callback(lambda: next(urls, None))
        city = CityHub(template, folder, url)
        stack.callback(city.close)
        with traces.listening():
            answer = live(city, traces, applicant)
        traces.add_database(url)
        shutil.rmtree(folder / "city")  # the departments' own state; what is left is ours
        traces.add_files(folder / "hub")
        yield Story(city, applicant, officer, numbers, traces, answer)


def live(city: CityHub, traces: Traces, applicant: Person) -> SubjectAnswer:
    """Let a day pass: pulls, cases, pushes, a lookup, an audit, and some bad luck."""
    hub = city.hub
    city.town.fault("housing", "half_body", count=50)
    with pytest.raises(TongbanError) as broken:
        pull(hub, "sale_contract")
    traces.raised(broken.value)
    city.town.clear_faults()
    traces.add("outcomes", repr(city.pull()))
    city.town.fault("tax", "reset_after", count=1)  # the delivery heals it, and may log it
    city.town.fault("substation", "token_death", count=50)
    with pytest.raises(TongbanError) as unknown:
        push(hub, "substation", "real_estate_right")
    traces.raised(unknown.value)
    traces.add("outcomes", repr(push(hub, "tax", "sale_contract")))
    city.town.clear_faults()
    traces.add("outcomes", repr(city.push_all()))
    traces.add("outcomes", repr(city.pull("deed_tax_payment", "real_estate_right")))
    traces.add("outcomes", repr(advance_cases(hub)))
    traces.add("outcomes", repr(city.push_all()))
    with pytest.raises(TongbanError) as unusable:
        find_subject(hub, applicant.number[:-1] + "*", purpose=PURPOSE)
    traces.raised(unusable.value)
    answer = find_subject(hub, applicant.number, purpose=PURPOSE)
    traces.add("answer", repr(answer))
    traces.add("evidence", "\n".join(export(hub.engine)))
    traces.add("outcomes", repr(run_audit(hub)))
    visit(city, traces)
    return answer


def visit(city: CityHub, traces: Traces) -> None:
    """Open every page of the console, both languages."""
    app = create_app(keyless_view(city.settings.root, lambda: city.database_url), lambda: "clerk")
    client = TestClient(app)
    paths = ["/", "/transfers", "/quarantine", "/outbox", "/datasets"]
    paths += [f"/datasets/{name}" for name in city.hub.catalog.datasets]
    paths += [f"/transfers/{row['transfer_id']}" for row in city.rows("SELECT * FROM hub.transfer")]
    for path in paths:
        for language in ("zh", "en"):
            page = client.get(path, params={"lang": language})
            assert 200 == page.status_code, path
            traces.add(f"page {path}", page.text)


def test_the_run_really_handled_the_planted_people(story: Story):
    """Otherwise the searches below would prove nothing."""
    known = {item.system for item in story.answer.known}

    assert {"substation", "hub"} <= known
    assert len(known) >= 3
    assert story.city.one("SELECT count(*) FROM hub.quarantine WHERE dataset='enterprise_person'")
    assert len(story.numbers) > 300
    assert len(story.traces.errors) == 3
    assert any(place.startswith("file landing/") for place in story.traces.places)


def test_nothing_of_the_planted_people_is_left_anywhere(story: Story):
    """Name, number and telephone, in no spelling: text, JSON escapes, GB18030, hex, base64."""
    people = (story.applicant, story.officer)
    values = {value for p in people for value in (p.name, p.number, p.phone)}

    assert len(values) == 6
    assert set() == story.traces.spelled(values)


def test_no_number_of_anybody_is_left_anywhere(story: Story):
    """Resident IDs and telephone numbers of the whole city."""
    assert set() == story.traces.numbers(story.numbers)


def test_errors_carry_no_value_in_their_context(story: Story):
    """Ids, counts and paths only."""
    for error in story.traces.errors:
        context = repr(getattr(error, "context", {}))
        assert not any(number in context for number in story.numbers)


@pytest.mark.parametrize("kind", dict(spellings("鹿泠雪崖")))
def test_the_search_finds_every_spelling_that_it_looks_for(kind: str):
    """A search that finds nothing must be able to find something."""
    traces = Traces({"somewhere": f"before {dict(spellings('鹿泠雪崖'))[kind]} after"})

    assert {"somewhere"} == {place for place, _ in traces.spelled({"鹿泠雪崖"})}


def test_the_search_finds_numbers_inside_other_text():
    """Resident IDs and telephone numbers, wherever they stand."""
    traces = Traces({"log": "id=62089919440513420X", "row": "(139000002630)"})

    assert {"log"} == traces.numbers({"62089919440513420X"})
    assert {"row"} == traces.numbers({"13900000263"})
