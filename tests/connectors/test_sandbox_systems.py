"""The six declared systems against the six sandbox servers, as running processes.

Nothing in `connectors` knows them: what works here works by the YAML alone.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors import Connector, SystemClock, open_connector
from connectors.protocols.schema import schemas_of
from connectors.protocols.soap_page import PageReader
from sandbox import remote
from sandbox.credentials import load_credentials
from sandbox.datasets import DATASETS, SYSTEMS
from sandbox.errors import ServerUnreachable
from sandbox.population import populate
from sandbox.state import open_state
from tests.connectors.soap_corpus import differences, wanted_leaves, zeep_rows
from tongban.kernel.catalog import Catalog, load_catalog
from tongban.kernel.connections import from_document
from tongban.kernel.errors import AuthenticationRefused, DeliveryUnclear, SystemRefused
from tongban.kernel.records import BEIJING, OutgoingRecord, RecordShape, Window
from tongban.kernel.systems import System
from tongban.local.ports import free_port

ROOT = Path(__file__).parents[2]
PULLED = [(s, d) for d, row in DATASETS.items() for s in (row.system,)]
READ_FAULTS = (
    "error500",
    "reset_before",
    "reset_after",
    "too_many",
    "token_death",
    "maintenance",
    "half_body",
    "error_in_200",
)
UNIT = "620899001001GB00001F00010001"
CODE = "91620899MA00000000"


class Impatient(SystemClock):
    """The machine's clock that never waits between tries."""

    def sleep(self, seconds: float) -> None:
        """Wait for the rate only, never longer."""
        time.sleep(min(seconds, 0.02))


@dataclass
class Town:
    """Six running servers and the catalog that declares them."""

    state: Path
    catalog: Catalog

    def system(self, name: str) -> System:
        """Give the declared system."""
        return self.catalog.system(name)

    def connector(self, name: str, system: System | None = None, **changes: Any) -> Connector:
        """Open a connector with the credentials of the state folder."""
        document = load_credentials(self.state)[name] | changes
        return open_connector(
            system or self.system(name), from_document(name, document), ROOT, clock=Impatient()
        )

    def keys(self, dataset: str) -> set[tuple[str, ...]]:
        """Read the keys that the server holds, straight from its state file."""
        row = DATASETS[dataset]
        connection = open_state(self.state, row.system)
        try:
            rows = connection.execute("SELECT doc FROM record WHERE dataset=?", (dataset,))
            found = [json.loads(fields[0]) for fields in rows]
        finally:
            connection.close()
        return {tuple(str(doc[name]) for name in row.key_fields) for doc in found}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Build a small city and run its six servers until the module ends."""
    state = tmp_path_factory.mktemp("town")
    populate(state, 250, 5)
    servers = []
    try:
        for name in SYSTEMS:
            command = [sys.executable, "-m", "sandbox", "serve", name]
            command += ["--state", str(state), "--port", str(free_port())]
            servers.append(
                subprocess.Popen(
                    command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        for name in SYSTEMS:
            wait_for(state, name)
        yield Town(state, load_catalog(ROOT))
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(10)


def wait_for(state: Path, name: str) -> None:
    """Wait until a server answers."""
    for _ in range(200):
        try:
            remote.control(state, name, "GET", "health")
        except ServerUnreachable:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{name} did not start")


def now() -> datetime:
    """Tell the end of a window that holds everything."""
    return datetime.now(BEIJING) + timedelta(seconds=1)


def smaller(system: System, dataset: str, size: int) -> System:
    """Declare the same system with small pages."""
    pulled = system.datasets[dataset]
    paging = pulled.paging.model_copy(update={"size": size})
    datasets = {**system.datasets, dataset: pulled.model_copy(update={"paging": paging})}
    budget = system.budget.model_copy(update={"requests_per_second": 1000.0})
    return system.model_copy(update={"datasets": datasets, "budget": budget})


def read_keys(connector: Connector, dataset: str, shape, *, until=None, between=lambda _n: None):
    """Read a dataset and give its keys and the unknown fields of all pages."""
    names = DATASETS[dataset].key_fields
    keys, unknown = [], set()
    for page in connector.read_pages(dataset, Window(None, until or now())):
        decoded = connector.decode(dataset, page.body, shape)
        keys += decoded.frame.select(names).rows()
        unknown |= decoded.unknown_fields
        between(page.number)
    return keys, unknown


@pytest.mark.parametrize(("name", "dataset"), PULLED)
def test_every_dataset_is_read_completely_and_without_drift(town, name, dataset):
    """Same keys as the server's own file; every served field is known to the mapping."""
    shape = town.catalog.mapping(name, dataset).shape
    with town.connector(name) as connector:
        keys, unknown = read_keys(connector, dataset, shape)
    assert town.keys(dataset) == set(keys)
    assert set() == unknown


@pytest.mark.parametrize(("name", "dataset"), PULLED)
def test_every_dataset_is_read_completely_in_small_pages(town, name, dataset):
    """The paging of each system, over many pages."""
    size = max(2, len(town.keys(dataset)) // 5)
    system = smaller(town.system(name), dataset, size)
    shape = town.catalog.mapping(name, dataset).shape
    with town.connector(name, system) as connector:
        keys, _ = read_keys(connector, dataset, shape)
    assert town.keys(dataset) == set(keys)


@pytest.mark.parametrize("dataset", ["right_holder", "sale_contract_party"])
def test_children_come_out_of_their_parents_pages(town, dataset):
    """One row per child, each with its parent's key, nothing unknown."""
    route = town.catalog.pull_route(dataset)
    shape = town.catalog.mapping(route.system, dataset).shape
    with town.connector(route.system) as connector:
        pages = list(connector.read_pages(dataset, Window(None, now())))
        decoded = [connector.decode(dataset, page.body, shape) for page in pages]
    assert sum(item.frame.height for item in decoded) > len(town.keys(route.dataset))
    assert set() == set().union(*(item.unknown_fields for item in decoded))


@pytest.mark.parametrize("dataset", ["person_insurance", "contribution"])
def test_encrypted_fields_arrive_open(town, dataset):
    """Numbers of 15 or 18 places instead of base64."""
    shape = town.catalog.mapping("social", dataset).shape
    with town.connector("social") as connector:
        page = next(connector.read_pages(dataset, Window(None, now())))
        numbers = connector.decode(dataset, page.body, shape).frame["AAC002"].drop_nulls()
    assert numbers.len() > 50
    assert numbers.str.len_chars().max() <= 20


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("housing", "sale_contract"),
        ("housing", "house_unit"),
        ("tax", "deed_tax_payment"),
        ("social", "person_insurance"),
        ("social", "contribution"),
        ("registration", "real_estate_right"),
        ("market", "enterprise"),
    ],
)
def test_changes_while_we_read_hide_no_row(town, name, dataset):
    """Rows leave the window between the pages; each is read there or in the next window."""
    before = town.keys(dataset)
    system = smaller(town.system(name), dataset, max(2, len(before) // 6))
    shape = town.catalog.mapping(name, dataset).shape
    time.sleep(1.1)  # change times have whole seconds: earlier tests' changes are before this one
    until = datetime.now(BEIJING)

    def change(number: int) -> None:
        if number <= 3:
            remote.control(town.state, name, "POST", "advance", {"changes": 3})

    with town.connector(name, system) as connector:
        keys, _ = read_keys(connector, dataset, shape, until=until, between=change)
        later = [
            connector.decode(dataset, page.body, shape).frame
            for page in connector.read_pages(dataset, Window(until, now()))
        ]
    changed = {key for frame in later for key in frame.select(DATASETS[dataset].key_fields).rows()}
    assert before <= set(keys) | changed


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("kind", READ_FAULTS)
def test_one_fault_of_any_kind_is_bridged_by_a_read(town, name, kind):
    """Two tries at most, and the rows are all there."""
    dataset = next(iter(town.system(name).datasets))
    shape = town.catalog.mapping(name, dataset).shape
    with town.connector(name) as connector:
        list(connector.read_pages(dataset, Window(now(), now())))
        remote.plan_fault(town.state, name, kind, count=1)
        keys, _ = read_keys(connector, dataset, shape)
    assert town.keys(dataset) == set(keys)


@pytest.mark.parametrize("name", ["tax", "registration", "housing", "social", "substation"])
def test_a_wrong_secret_is_an_authentication_error(town, name):
    """Each system says so in its own way."""
    wrong: dict[str, Any] = {"password": "wrong"}
    if name in {"registration", "substation"}:
        wrong = {"login": "nobody"}
    dataset = next(iter(town.system(name).datasets))
    with town.connector(name, **wrong) as connector, pytest.raises(AuthenticationRefused):
        list(connector.read_pages(dataset, Window(None, now())))


def test_a_wrong_client_secret_gets_no_token(town):
    """OAuth2."""
    with (
        town.connector("market", password="wrong") as connector,
        pytest.raises(AuthenticationRefused, match="token"),
    ):
        list(connector.read_pages("enterprise", Window(None, now())))


def test_tokens_that_die_in_the_middle_of_a_run_are_renewed(town):
    """Every fifth call finds its token dead."""
    system = smaller(town.system("market"), "enterprise", 2)
    shape = town.catalog.mapping("market", "enterprise").shape

    def kill(number: int) -> None:
        if number % 5 == 0:
            remote.plan_fault(town.state, "market", "token_death", count=1)

    with town.connector("market", system) as connector:
        keys, _ = read_keys(connector, "enterprise", shape, between=kill)
    assert town.keys("enterprise") == set(keys)


def record(guid: str, data: dict[str, Any], version: int = 1) -> OutgoingRecord:
    """Make an outgoing record with its digest."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return OutgoingRecord(guid, "I", version, hashlib.sha256(text.encode()).hexdigest(), data)


PARTY = {"Role": "B", "Name": "甲", "IdKind": "1", "IdNo": "x", "Share": "100%"}
CASE = {
    "project_no": "P1",
    "task_code": "T",
    "applyer_name": "甲",
    "apply_date": "20181008090000",
    "accept_date": "20181008090000",
}
PUSHES: dict[tuple[str, str], dict[str, Any]] = {
    ("tax", "sale_contract"): {
        "HTBH": "H1",
        "BDCDYH": UNIT,
        "HTCJJG": "1.00",
        "FWJZMJ": "9.50",
        "TDFWDZ": "平凉",
        "JYHTRQ": "20181008",
        "JYFXXLIST": {
            "JYFXX": [
                {"ZRFCSFBZ": "0", "NSRMC": "甲", "ZJLX": "201", "NSRSBH": "x", "SZFE": "100%"},
                {"ZRFCSFBZ": "1", "NSRMC": "𠮷", "ZJLX": "201", "NSRSBH": "y", "SZFE": "100%"},
            ]
        },
    },
    ("tax", "real_estate_right"): {
        "YWH": "Y1",
        "BDCDYH": UNIT,
        "BDCQZH": "Z",
        "HTBH": "H1",
        "DJSJ": "20181008090000",
        "QSZT": "1",
    },
    ("tax", "enterprise"): {"SHXYDM": CODE, "QYMC": "某公司", "QYZT": "1", "CLRQ": "20181008"},
    ("registration", "sale_contract"): {
        "HTBH": "H1",
        "BDCDYH": UNIT,
        "CJJG": "1.00",
        "QDSJ": "2018-10-08T09:00:00+08:00",
        "BASJ": "2018-10-08T09:00:00+08:00",
        "Parties": {"Party": [PARTY]},
    },
    ("registration", "deed_tax_payment"): {
        "HTBH": "H1",
        "BDCDYH": UNIT,
        "DZSPHM": "1",
        "SZDM": "10119",
        "PaidOrExempt": True,
    },
    ("housing", "real_estate_right"): {
        "businessNo": "Y1",
        "unitNo": UNIT,
        "certificateNo": "Z",
        "registeredAt": "2018-10-08 09:00:00",
        "rightStatus": "1",
        "holders": [{"name": "甲", "idType": "01", "idNo": "x", "share": "100%"}],
    },
    ("social", "enterprise"): {"BAB010": CODE, "AAB004": "某公司", "state": "1"},
    ("market", "taxpayer"): {
        "uniscid": CODE,
        "taxState": "03",
        "clearanceState": "0",
        "clearedOn": None,
    },
    ("substation", "case_acceptance"): CASE,
    ("substation", "enterprise"): {"credit_code": CODE, "name": "某公司", "n": 1, "ok": True},
    ("substation", "house_unit"): {"house_code": "1", "area": "9.50"},
}


@pytest.mark.parametrize("route", PUSHES, ids="->".join)
def test_pushes_are_accepted_once_and_then_known(town, route):
    """The second delivery of the same version gets the first receipt."""
    name, dataset = route
    sent = record(f"once-{dataset}", PUSHES[route])
    with town.connector(name) as connector:
        (first,) = connector.send(dataset, [sent])
        (second,) = connector.send(dataset, [sent])
    assert ("accepted", "duplicate") == (first.outcome, second.outcome), first.code
    assert first.receipt_no
    assert first.receipt_no == second.receipt_no


@pytest.mark.parametrize("route", PUSHES, ids="->".join)
@pytest.mark.parametrize("kind", ["reset_after", "half_body"])
def test_a_lost_answer_is_unclear_and_the_same_key_again_is_a_duplicate(town, route, kind):
    """Nothing is accepted twice, nothing is lost."""
    name, dataset = route
    sent = record(f"{kind}-{dataset}", PUSHES[route])
    with town.connector(name) as connector:
        list(connector.read_pages(next(iter(connector.system.datasets)), Window(now(), now())))
        remote.plan_fault(town.state, name, kind, count=1)
        with pytest.raises(DeliveryUnclear):
            connector.send(dataset, [sent])
        (receipt,) = connector.send(dataset, [sent])
    assert "duplicate" == receipt.outcome


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("kind", ["too_many", "token_death", "error_in_200"])
def test_refusals_before_the_work_are_bridged_by_a_push(town, name, kind):
    """They say that nothing was done, so the push is tried again at once."""
    route = next(route for route in PUSHES if route[0] == name)
    sent = record(f"{kind}-{name}", PUSHES[route])
    with town.connector(name) as connector:
        list(connector.read_pages(next(iter(connector.system.datasets)), Window(now(), now())))
        remote.plan_fault(town.state, name, kind, count=1)
        (receipt,) = connector.send(route[1], [sent])
    assert "accepted" == receipt.outcome


def test_one_bad_row_is_rejected_and_its_neighbour_accepted(town):
    """Rejection is per record, with the receiver's code."""
    rows = [
        record("bad-1", {"businessNo": "Y9"}),
        record("good-1", PUSHES["housing", "real_estate_right"]),
    ]
    with town.connector("housing") as connector:
        receipts = connector.send("real_estate_right", rows)
    assert [("rejected", True), ("accepted", False)] == [
        (r.outcome, bool(r.code)) for r in receipts
    ]


def test_a_step_before_its_acceptance_is_rejected_with_its_code(town):
    """Parent first."""
    step = {"project_no": "none", "event_name": "e", "event_start_time": "20181008090000"}
    with town.connector("substation") as connector:
        (receipt,) = connector.send("case_process", [record("step", step)])
    assert ("rejected", "PARENT_MISSING") == (receipt.outcome, receipt.code)


def test_versions_move_forward_only(town):
    """A later version replaces, an older one is stale."""
    data = PUSHES["substation", "case_acceptance"]
    with town.connector("substation") as connector:
        outcomes = [
            connector.send("case_acceptance", [record("v", data | {"n": n}, n)])[0]
            for n in (5, 70, 6)
        ]
    assert ["accepted", "accepted", "rejected"] == [receipt.outcome for receipt in outcomes]
    assert "STALE" == outcomes[-1].code


@pytest.mark.parametrize("dataset", ["case_acceptance", "enterprise"])
def test_the_statement_says_what_was_sent(town, dataset):
    """Key, version and digest, so that both sides can be compared."""
    sent = record(f"statement-{dataset}", PUSHES["substation", dataset] | {"x": 1}, version=42)
    with town.connector("substation") as connector:
        connector.send(dataset, [sent])
        held = {guid: (version, digest) for guid, version, digest in connector.statement(dataset)}
    assert (42, sent.digest) == held[sent.guid]


def test_a_batch_of_two_hundred_gets_two_hundred_receipts(town):
    """In the order in which it was sent."""
    rows = [record(f"many-{n}", PUSHES["tax", "enterprise"]) for n in range(200)]
    with town.connector("tax") as connector:
        receipts = connector.send("enterprise", rows)
    assert [row.guid for row in rows] == [receipt.guid for receipt in receipts]
    assert {"accepted"} == {receipt.outcome for receipt in receipts}


def test_an_unknown_field_refuses_the_batch_at_the_tax_office(town):
    """Its schema knows no such element; said as a refusal with its code."""
    with town.connector("tax") as connector, pytest.raises(SystemRefused, match="2001"):
        connector.send("enterprise", [record("odd", {"SHXYDM": CODE, "NOSUCH": "1"})])


@pytest.mark.parametrize(
    ("name", "dataset"), [(s, d) for s, d in PULLED if s in {"registration", "social"}]
)
def test_every_page_decodes_to_what_zeep_reads(town, name, dataset):
    """Differential, on whole answers of the running servers."""
    system = town.system(name)
    pulled = system.datasets[dataset]
    interface = system.interface_of(pulled.call)
    wsdl = ROOT / "connectors" / "wsdl"
    spoken = schemas_of(wsdl, interface.soap).operation(pulled.call.operation, interface.soap)
    reader = PageReader(interface, name, pulled.records, spoken)
    shape = wanted_leaves(reader.record)
    path = tuple(pulled.records.split("."))
    rows = 0
    with town.connector(name) as connector:
        for page in connector.read_pages(dataset, Window(None, now())):
            ours = reader.decode(page.body, shape, whole=True).frame
            theirs = zeep_rows(wsdl, interface.soap, pulled.call.operation, path, page.body)
            assert [] == differences(ours, theirs)
            rows += len(theirs)
    assert rows


@pytest.mark.parametrize("dataset", ["deed_tax_payment", "taxpayer"])
def test_every_page_with_xml_in_a_string_decodes_to_what_a_plain_walk_reads(town, dataset):
    """Zeep gives the string; the document in it is walked element by element."""
    system = town.system("tax")
    pulled = system.datasets[dataset]
    with town.connector("tax") as connector:
        pages = list(connector.read_pages(dataset, Window(None, now())))
        rows = 0
        for page in pages:
            envelope = etree.fromstring(page.body.decode("gb18030").partition("?>")[2].encode())
            inner = etree.fromstring(envelope.findtext(".//{*}responseData").encode())
            records = inner.findall(pulled.records.replace(".", "/"))
            names = tuple(dict.fromkeys(child.tag for record in records for child in record))
            expected = [
                tuple(record.findtext(name) or None for name in names) for record in records
            ]
            assert expected == connector.decode(dataset, page.body, RecordShape(names)).frame.rows()
            rows += len(expected)
    assert rows
