"""Fakes of systems that use other words: other pagings, formats, identities, pushes."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors import open_connector
from tongban.kernel.catalog import load_catalog
from tongban.kernel.connections import from_document
from tongban.kernel.errors import AuthenticationRefused
from tongban.kernel.records import BEIJING, OutgoingRecord, Window
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving

ROOT = Path(__file__).parents[2]
EXAMPLE = (
    "connectors/systems/traffic_hall.yaml",
    "contracts/hall_case/v1.yaml",
    "mappings/traffic_hall/hall_case.yaml",
)
NOW = datetime(2026, 11, 24, 12, tzinfo=BEIJING)
CURSOR = "paging: {kind: cursor, size: 200, next: next}"
AFTER = ', after: "{cursor?}"'
PAGINGS = {
    "page_number": ("paging: {kind: page_number, size: 4}", ', page: "{page}"'),
    "page_from_zero": ("paging: {kind: page_number, first: 0, size: 4}", ', page: "{page}"'),
    "offset": ("paging: {kind: offset, first: 0, size: 4}", ', row: "{row}"'),
    "cursor_with_flag": ("paging: {kind: cursor, size: 4, next: at.next, more: at.more}", AFTER),
    "link_header": ("paging: {kind: link_header, size: 4}", ""),
    "next_url": ("paging: {kind: next_url, size: 4, next: page.next}", ""),
    "key_set": ("paging: {kind: key_set, size: 4, keys: caseNo}", ', after: "{after:caseNo?}"'),
    "none": ("paging: {kind: none}", ""),
}
FAKED = sorted(path.stem for path in (ROOT / "connectors/systems").glob("*_hall.yaml"))
FAKED += ["citizen_hotline", "medical_insurance", "provident_fund"]
NO_SUCCESS = ('    success:\n      - {check: success, equals: "true", message: reason}\n', "")
KEY = "auth: {kind: api_key, name: X-Hall-Key}"


def changed(folder: Path, *changes: tuple[str, str]):
    """A catalog of one hall whose system differs from the live one in some words."""
    root = folder / "root"
    for name in EXAMPLE:
        (root / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "mappings/codes", root / "mappings/codes")
    path = root / "connectors/systems/traffic_hall.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return load_catalog(root)


def read_all(catalog, folder: Path, rows: int = 11) -> tuple[int, set]:
    """Pages and keys that a connector gets from the fake."""
    department = Department(catalog, "traffic_hall", rows=rows, now=NOW)
    shape = catalog.mapping("traffic_hall", "hall_case").shape
    with serving(department) as url:
        account = department.open_account(url, folder)
        connection = from_document("traffic_hall", account)
        with open_connector(catalog.system("traffic_hall"), connection, catalog.root) as connector:
            pages = list(connector.read_pages("hall_case", Window(None, NOW)))
            frames = [connector.decode("hall_case", page.body, shape).frame for page in pages]
    return len(pages), {key for frame in frames for key in frame["caseNo"]}


@pytest.mark.parametrize("kind", PAGINGS)
def test_every_paging_of_the_vocabulary_reaches_every_row(kind, tmp_path):
    """Each row, however the next page is named."""
    paging, parameter = PAGINGS[kind]
    budget = ("requests_per_second: 5", "requests_per_second: 1000")
    catalog = changed(tmp_path, (CURSOR, paging), (AFTER, parameter), budget)

    pages, keys = read_all(catalog, tmp_path)

    assert 11 == len(keys)
    assert (pages == 1) == (kind == "none")


@pytest.mark.parametrize("answers", ["ndjson", "csv"])
def test_tables_without_an_envelope_are_served_with_their_total_in_a_header(answers, tmp_path):
    """As the interface says; nested names only where the format has them."""
    mapping = ("records: cases\n    total: count", 'records: ""\n    total: "header:X-Total"')
    paging = (CURSOR, "paging: {kind: none}")
    answered = (KEY, f"{KEY}\n    answers: {answers}")
    catalog = changed(tmp_path, NO_SUCCESS, mapping, paging, (AFTER, ""), answered)
    if answers == "csv":  # a table has no names inside names
        path = catalog.root / "mappings/traffic_hall/hall_case.yaml"
        text = path.read_text(encoding="utf-8")
        text = text.replace("item.", "item_").replace("applicant.", "applicant_")
        path.write_text(text, encoding="utf-8")

    _, keys = read_all(catalog, tmp_path)

    assert 11 == len(keys)


@pytest.mark.parametrize("system", FAKED)
def test_a_window_in_which_nothing_changed_is_read_as_no_rows(system, tmp_path):
    """The usual answer between two schedules; a table without rows still has its header."""
    catalog = load_catalog(ROOT)
    department = Department(catalog, system, rows=3, now=NOW)
    quiet = Window(NOW + timedelta(days=1), NOW + timedelta(days=1, minutes=10))

    with serving(department) as url:
        connection = from_document(system, department.open_account(url, tmp_path))
        with open_connector(catalog.system(system), connection, catalog.root) as connector:
            rows = sum(
                connector.decode(name, page.body, catalog.mapping(system, name).shape).frame.height
                for name in catalog.system(system).datasets
                for page in connector.read_pages(name, quiet)
            )

    assert 0 == rows


@pytest.mark.parametrize(
    "auth",
    [
        "auth: {kind: basic}",
        "auth: {kind: api_key, in: query, name: key}",
        "auth: {kind: oauth2_client_credentials, token_path: /hall/token}",
    ],
)
def test_other_identities_are_accepted_when_they_are_there(auth, tmp_path):
    """The account that the fake gives has all that they need."""
    catalog = changed(tmp_path, (KEY, auth))

    assert 11 == len(read_all(catalog, tmp_path)[1])


def test_a_constant_key_that_is_missing_is_refused(tmp_path):
    """Presence is what a fake can check."""
    catalog = changed(tmp_path)
    department = Department(catalog, "traffic_hall", rows=3, now=NOW)
    silent = changed(tmp_path / "other", (KEY, "auth: {kind: none}")).system("traffic_hall")

    with serving(department) as url:
        connection = from_document("traffic_hall", department.open_account(url, tmp_path))
        with (
            open_connector(silent, connection, catalog.root) as connector,
            pytest.raises(AuthenticationRefused),
        ):
            list(connector.read_pages("hall_case", Window(None, NOW)))


def test_records_sent_one_by_one_are_answered_by_status(tmp_path):
    """Where the receiver speaks by 201 alone."""
    accepts = """
accepts:
  notice:
    batch: 1
    call: {method: PUT, path: "/notices/{guid}", body: {notice: "{record}"}}
    answers: {rejected: {path: error, equals: "1"}, statuses: {201: accepted, 409: duplicate}}
"""
    catalog = changed(tmp_path, (CURSOR, CURSOR + accepts))
    department = Department(catalog, "traffic_hall", rows=1, now=NOW)

    with serving(department) as url:
        connection = from_document("traffic_hall", department.open_account(url, tmp_path))
        with open_connector(catalog.system("traffic_hall"), connection, catalog.root) as connector:
            (receipt,) = connector.send("notice", [OutgoingRecord("g1", "I", 1, "d", {"a": "1"})])

    assert "accepted" == receipt.outcome
    assert ["g1"] == list(department.inboxes["notice"].held)
