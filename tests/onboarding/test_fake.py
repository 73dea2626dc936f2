"""`tongban system fake`: our own connectors cannot tell it from a department that behaves."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from connectors import open_connector
from tongban.kernel.catalog import load_catalog
from tongban.kernel.connections import Connections, from_document
from tongban.kernel.errors import AuthenticationRefused, PortTaken
from tongban.kernel.identifiers import credit_code, resident_id_is_valid
from tongban.kernel.records import BEIJING, OutgoingRecord, Window
from tongban.kernel.settings import load_settings
from tongban.onboarding.asking import window
from tongban.onboarding.checking import check_system
from tongban.onboarding.fake import people
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.reading import read
from tongban.onboarding.fake.server import open_server, serving
from tongban.onboarding.fake.values import from_pattern
from tongban.pipeline import open_hub, push, transfer

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT)
PULLED = [(route.system, route.dataset) for route in CATALOG.pull_routes]
PUSHED = [(route.target, route.dataset) for route in CATALOG.push_routes]
NOW = datetime(2026, 11, 24, 12, tzinfo=BEIJING)


@contextmanager
def fake(system: str, folder: Path, rows: int = 23):
    """A served fake, its department, and the account that it gave."""
    department = Department(CATALOG, system, rows=rows, now=NOW)
    with serving(department) as url:
        yield department, department.open_account(url, folder)


@contextmanager
def connected(system: str, folder: Path, rows: int = 23, **changes: object):
    """A connector to a fake, in small pages and without waiting."""
    declared = CATALOG.system(system)
    budget = declared.budget.model_copy(update={"requests_per_second": 1000, "attempts": 1})
    datasets = {
        name: item.model_copy(update={"paging": item.paging.model_copy(update={"size": 5})})
        for name, item in declared.datasets.items()
    }
    small = declared.model_copy(update={"budget": budget, "datasets": datasets})
    with fake(system, folder, rows) as (_, account):
        connection = from_document(system, {**account, **changes})
        with open_connector(small, connection, ROOT) as connector:
            yield connector


@pytest.mark.parametrize(("system", "dataset"), PULLED)
def test_every_declared_dataset_can_be_read_whole(system, dataset, tmp_path):
    """All pages, all rows once, each dataset inside the pages too."""
    declared = CATALOG.system(system)
    children = [n for n, item in declared.datasets.items() if item.shares_pages_of == dataset]
    mapping = CATALOG.mapping(system, dataset)

    with connected(system, tmp_path) as connector:
        pages = list(connector.read_pages(dataset, Window(None, NOW)))
        keys = {
            row
            for page in pages
            for row in connector.decode(dataset, page.body, mapping.shape)
            .frame.select(mapping.source_key)
            .iter_rows()
        }
        for child in children:
            shape = CATALOG.mapping(system, child).shape
            rows = sum(connector.decode(child, p.body, shape).frame.height for p in pages)
            assert rows >= 23

    assert 23 == len(keys)
    assert len(pages) >= 5


@pytest.mark.parametrize(("system", "dataset"), PULLED)
def test_most_of_what_a_fake_serves_passes_its_own_contract(system, dataset):
    """All of it, with the mappings as they are."""
    holding = Department(CATALOG, system, rows=40, now=NOW).holdings[dataset]

    assert 40 == holding.accepted


def test_a_window_brings_only_what_changed_in_it(tmp_path):
    """The changes of a fake lie in the thirty days before its start."""
    shape = CATALOG.mapping("market", "enterprise").shape
    half = Window(NOW - timedelta(days=15), NOW)

    with connected("market", tmp_path, rows=30) as connector:
        pages = list(connector.read_pages("enterprise", half))
        rows = sum(connector.decode("enterprise", p.body, shape).frame.height for p in pages)

    assert 15 == rows


@pytest.mark.parametrize(("system", "dataset"), PUSHED)
def test_pushes_are_answered_record_by_record(system, dataset, tmp_path):
    """Accepted first, a duplicate when the same record comes again."""
    mapping = CATALOG.push_mapping(system, dataset)
    data: dict = {}
    for path in [*mapping.fields]:
        inner = data
        *heads, last = path.split(".")
        for head in heads:
            inner = inner.setdefault(head, {})
        inner[last] = "1"
    records = [OutgoingRecord(f"guid-{n}", "I", 1, f"digest-{n}", data) for n in range(3)]

    with connected(system, tmp_path) as connector:
        first = connector.send(dataset, records)
        again = connector.send(dataset, records[:1])

    assert ["accepted"] * 3 == [receipt.outcome for receipt in first]
    assert ["duplicate"] == [receipt.outcome for receipt in again]


def test_a_statement_lists_what_was_accepted(tmp_path):
    """As reconciliation reads it."""
    record = OutgoingRecord("guid-1", "I", 3, "digest-1", {"accept_no": "1"})

    with connected("substation", tmp_path) as connector:
        connector.send("case_acceptance", [record])
        lines = list(connector.statement("case_acceptance"))

    assert [("guid-1", 3, "digest-1")] == lines


@pytest.mark.parametrize("system", sorted(CATALOG.systems))
def test_the_check_of_a_system_passes_against_its_fake(system, tmp_path):
    """Even the WSDL is served as pinned."""
    home = load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path)})
    home.connections_dir.mkdir(parents=True)
    with fake(system, tmp_path) as (_, account):
        (home.connections_dir / f"{system}.json").write_text(json.dumps(account))
        steps = list(check_system(CATALOG, system, Connections(home.connections_dir), window(None)))

    assert [] == [step for step in steps if step.state == "failed"]
    assert "ok" == next(s.state for s in steps if s.name == "authenticate")


@pytest.mark.parametrize("system", ["housing", "market", "social", "tax", "substation"])
def test_a_request_without_identity_is_refused(system, tmp_path):
    """By the declared code, a fault, or the HTTP status; never with rows."""
    declared = CATALOG.system(system)
    silent = declared.model_copy(
        update={
            "interfaces": {
                name: item.model_copy(update={"auth": ()})
                for name, item in declared.interfaces.items()
            },
            "budget": declared.budget.model_copy(update={"attempts": 1}),
        }
    )
    dataset = next(d for s, d in PULLED if s == system)
    if system == "social":  # the signature's parts are in the WSDL, so they must be sent
        call = declared.datasets[dataset].call
        body = {**call.body, "appId": "", "timestamp": "", "sign": ""}
        item = declared.datasets[dataset]
        item = item.model_copy(update={"call": call.model_copy(update={"body": body})})
        silent = silent.model_copy(update={"datasets": {**declared.datasets, dataset: item}})

    with fake(system, tmp_path) as (_, account):
        connection = from_document(system, account)
        with (
            open_connector(silent, connection, ROOT) as connector,
            pytest.raises(AuthenticationRefused),
        ):
            list(connector.read_pages(dataset, Window(None, NOW)))


@pytest.mark.postgres
def test_a_whole_transfer_runs_against_fakes(tmp_path, database_url):
    """Real pull, load and push into a real database, while both departments are closed."""
    settings = replace(
        load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path / "home")}),
        database_url=database_url,
    )
    settings.connections_dir.mkdir(parents=True)
    with fake("housing", tmp_path) as (_, housing), fake("tax", tmp_path) as (receiver, tax):
        for name, account in (("housing", housing), ("tax", tax)):
            (settings.connections_dir / f"{name}.json").write_text(json.dumps(account))
        with open_hub(settings) as hub:
            loaded = {item.dataset: item for item in transfer(hub, "sale_contract")}
            pushed = push(hub, "tax", "sale_contract")

    assert (23, 23, 0) == (
        loaded["sale_contract"].read,
        loaded["sale_contract"].new,
        loaded["sale_contract"].quarantined,
    )
    assert loaded["sale_contract_party"].read >= 23
    assert pushed.accepted == len(receiver.inboxes["sale_contract"].held) > 0


def test_an_unknown_address_is_not_answered_with_rows(tmp_path):
    """A misspelt path is found at the desk, not at the department."""
    with fake("housing", tmp_path) as (_, account):
        answer = requests.get(f"{account['base_url']}/api/v1/contract", timeout=5)

    assert 404 == answer.status_code


def test_a_taken_port_is_said_as_ours(tmp_path):
    """With the way out."""
    department = Department(CATALOG, "housing", rows=1)
    with serving(department) as url, pytest.raises(PortTaken, match="--port"):
        open_server(department, int(url.rpartition(":")[2]))


@pytest.mark.parametrize("number", [0, 1, 14_999, 15_000, 99_999])
def test_synthetic_numbers_carry_right_check_digits(number):
    """And the area code that never existed."""
    assert resident_id_is_valid(people.resident_id_of(number))
    assert credit_code(people.credit_code_of(number)).is_valid
    assert "620899" == people.resident_id_of(number)[:6]


def test_synthetic_people_differ():
    """No two of ten thousand share a number."""
    assert 10_000 == len({people.resident_id_of(n) for n in range(10_000)})


@pytest.mark.parametrize(
    ("template", "actual", "expected"),
    [
        ("{page}", 3, {"page": 3}),
        ("{since}/{until}", "1/2", {"since": "1", "until": "2"}),
        ({"a": "x", "b": "{size}"}, {"a": "x", "b": "5"}, {"size": "5"}),
        ({"a": "x"}, {"a": "y"}, None),
        ({"a": "{cursor?}"}, {}, {}),
        ({"a": "{cursor}"}, {}, None),
        ({"$json": {"after": "{cursor}"}}, '{"after": "c"}', {"cursor": "c"}),
        ({"$xml": {"R": {"P": "{page}"}}}, "<R><P>2</P></R>", {"page": "2"}),
        (
            {"...": "{data}", "id": "{guid}"},
            {"id": "g", "x": 1},
            {"data": {"x": 1}, "guid": "g"},
        ),
    ],
)
def test_a_filled_template_can_be_read_back(template, actual, expected):
    """What placeholders stand for; None where the request is another one."""
    found: dict = {}

    fits = read(template, actual, found)

    assert expected == (found if fits else None)


@pytest.mark.parametrize("pattern", ["^[0-9]{12}$", "^[A-Z]{2}[0-9]{4}$", "^TJ-[0-9]{6}$"])
def test_values_fit_simple_patterns_and_differ(pattern):
    """As far as a pattern is classes and counts."""
    import re

    made = [from_pattern(pattern, number) for number in range(50)]

    assert 50 == len(set(made))
    assert all(re.search(pattern, value) for value in made)


def test_two_fakes_of_one_system_serve_the_same_records():
    """Nothing is random but secrets, so that a finding can be shown again."""
    digests = {
        hashlib.sha256(
            repr(Department(CATALOG, "tax", rows=9, now=NOW).holdings).encode()
        ).hexdigest()
        for _ in range(2)
    }
    first, second = (
        [
            r.document
            for r in Department(CATALOG, "tax", rows=9, now=NOW).holdings["taxpayer"].records
        ]
        for _ in range(2)
    )

    assert 1 == len(digests)
    assert first == second
