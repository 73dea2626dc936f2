"""What leaves the hub: the whole city through every outgoing mapping, judged by the receivers.

The receivers' own demands (required fields, forms of dates, amounts and numbers) are taken from
the sandbox servers; nothing is sent. A value that has no counterpart at the receiver would be
lost, so a loss anywhere fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.population import populate
from sandbox.servers import housing, market, registration, social, substation, tax_services
from sandbox.servers.inbox import Form, Pushed
from tests.contracts.odcs import batch_of, good_rows
from tests.mappings.city import CODES, PULLED, ROOT, contract_of, pull
from tongban.kernel.formatting import compile_outward
from tongban.kernel.mappings import FieldMapping, PushMapping, load_push_mapping
from tongban.protect.mask import mask

FORMS: dict[tuple[str, str], Form] = {
    **{("tax", push.dataset): push.form for push in tax_services.PUSHES.values()},
    **{("registration", push.dataset): push.form for push in registration.SUBMISSIONS.values()},
    ("housing", "real_estate_right"): housing.REGISTRATION,
    ("social", "enterprise"): social.ENTERPRISE,
    ("market", "taxpayer"): market.TAXPAYER,
    ("substation", "case_acceptance"): substation.PUSHES["up_pro_accept"],
    ("substation", "case_process"): substation.PUSHES["up_pro_process"],
    ("substation", "case_result"): substation.PUSHES["up_pro_result"],
}
ROUTES = sorted(
    (path.parent.name, path.name.removesuffix(".push.yaml"))
    for path in (ROOT / "mappings").glob("*/*.push.yaml")
)
OF_THE_HUB = ("case_acceptance", "case_process", "case_result")
Frames = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Frames:
    """Everything that a city of 2,000 people brings into the store, and the hub's own examples."""
    state_dir: Path = tmp_path_factory.mktemp("city")
    populate(state_dir, 2000, seed=21)
    frames = {
        name: pull(state_dir, of, name, parent).result.accepted for of, name, parent in PULLED
    }
    for name in OF_THE_HUB:
        frames[name] = batch_of(contract_of(name), good_rows(name)).frame
    return frames


def _push(target: str, dataset: str) -> PushMapping:
    return load_push_mapping(ROOT / "mappings" / target / f"{dataset}.push.yaml", root=ROOT)


def _chosen(mapping: PushMapping, frame: pl.DataFrame) -> pl.DataFrame:
    for name, values in mapping.where.items():
        frame = frame.filter(pl.col(name).is_in(values))
    return frame


def _out(fields: dict[str, FieldMapping], frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """Outgoing columns of a frame."""
    made = [compile_outward(item, CODES, target, mask) for item in fields.values()]
    return pl.DataFrame([m.run([frame[n] for n in m.sources], frame.height) for m in made])


def _documents(mapping: PushMapping, frames: Frames) -> list[dict[str, Any]]:
    """Outgoing documents with their children as lists."""
    frame = _chosen(mapping, frames[mapping.dataset])
    documents = _out(mapping.fields, frame, mapping.target).to_dicts()
    for path, child in mapping.children.items():
        rows = frames[child.dataset]
        (ours, theirs), *_ = child.on.items()
        out = _out(child.fields, rows, mapping.target).to_dicts()
        lists: dict[Any, list[dict[str, Any]]] = {}
        for key, row in zip(rows[ours], out, strict=True):
            lists.setdefault(key, []).append(row)
        for document, key in zip(documents, frame[theirs], strict=True):
            document[path.split(".")[0]] = lists.get(key, [])
    return documents


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_receiver_would_accept_every_record(stored, target, dataset):
    """Required fields are there and have the receiver's own form."""
    form = FORMS.get((target, dataset), Form(()))
    documents = _documents(_push(target, dataset), stored)

    problems = [form.problem(Pushed("guid", "U", document)) for document in documents]

    assert documents
    assert [] == [problem for problem in problems if problem is not None]


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_no_value_is_lost_on_the_way_out(stored, target, dataset):
    """Every value that the hub has becomes one that the receiver reads."""
    mapping = _push(target, dataset)
    parts = [(mapping.fields, _chosen(mapping, stored[dataset]))]
    parts += [(child.fields, stored[child.dataset]) for child in mapping.children.values()]

    for fields, frame in parts:
        out = _out(fields, frame, target)
        for name, made in fields.items():
            if made.sources:
                assert frame[made.sources[0]].null_count() == out[name].null_count(), name


def _example(target: str, dataset: str) -> dict[str, Any]:
    """The first good row of a contract as it leaves, with the good rows of its children."""
    names = {dataset, *(c.dataset for c in _push(target, dataset).children.values())}
    frames = {name: batch_of(contract_of(name), good_rows(name)).frame for name in names}
    return _documents(_push(target, dataset), frames)[0]


def test_contract_as_tax_receives_it():
    """A005: 元, dates without dashes, codes of the tax department, shares as percent."""
    document = _example("tax", "sale_contract")
    parties = document.pop("JYFXXLIST")

    assert {
        "HTBH": "HT20240305000001",
        "BAH": "BA2024620899000001",
        "BDCDYH": "620899001001GB00001F00010001",
        "TDFWDZ": "平凉市示范区示范路1号1号楼1单元101室",
        "FWJZMJ": "100.00",
        "HTCJJG": "560000.00",
        "JYHTRQ": "20240305",
        "FWLBDM": "10",
    } == document
    assert ["0", "1", "1", "0", "1"] == [party["ZRFCSFBZ"] for party in parties]
    assert ["201", "201", "201", "101", "208"] == [party["ZJLX"] for party in parties]
    assert ["100%", "50%", "33.3333%", "100%", None] == [party["SZFE"] for party in parties]


def test_contract_as_registration_receives_it():
    """Times with their zone, roles as S and B, kinds of papers of TD/T 1066; no address."""
    document = _example("registration", "sale_contract")
    parties = document.pop("Parties")

    assert {
        "HTBH": "HT20240305000001",
        "BAH": "BA2024620899000001",
        "BDCDYH": "620899001001GB00001F00010001",
        "CJJG": "560000.00",
        "QDSJ": "2024-03-05T10:00:00+08:00",
        "BASJ": "2024-03-06T11:30:00+08:00",
    } == document
    assert ["S", "B", "B", "S", "B"] == [party["Role"] for party in parties]
    assert ["1", "1", "1", "7", "3"] == [party["IdKind"] for party in parties]


def test_payment_as_registration_receives_it():
    """Paid or exempt, and the ticket number."""
    assert {
        "HTBH": "HT20240305000001",
        "BDCDYH": "620899001001GB00001F00010001",
        "DZSPHM": "362089924000000001",
        "SZDM": "10119",
        "PaidOrExempt": "true",
        "JKSJ": "2024-03-08T09:15:00+08:00",
    } == _example("registration", "deed_tax_payment")


def test_right_as_housing_receives_it():
    """Holders with their papers, times as the housing interface writes them."""
    document = _example("housing", "real_estate_right")
    holders = document.pop("holders")

    assert {
        "businessNo": "2024031000000001",
        "unitNo": "620899001001GB00001F00010001",
        "certificateNo": "甘（2024）平凉市不动产权第0000001号",
        "contractNo": "HT20240305000001",
        "registeredAt": "2024-03-08 09:15:00",
        "rightStatus": "1",
    } == document
    assert ["01", "01", "21", "03"] == [holder["idType"] for holder in holders]


def test_right_as_the_substation_receives_it():
    """The address ends with the district, nobody is named, no price is told."""
    document = _example("substation", "real_estate_right")

    assert document["address"].startswith("平凉市示范区")
    assert not any(character.isdigit() for character in document["address"])
    assert {"price", "holders", "name", "id_no"}.isdisjoint(document)


def test_acceptance_as_the_substation_receives_it():
    """The columns of the national front-end table, filled from one case."""
    document = _example("substation", "case_acceptance")

    assert "117051000" == document["catalog_code"][-9:]
    assert 12 == len(document["catalog_code"])
    assert ("1", "111") == (document["applyer_type"], document["applyer_page_type"])
    assert "20240301090000" == document["apply_date"]
    assert "20240308" == document["promise_date"]


def test_clearance_as_market_regulation_receives_it():
    """Codes of the receiver, and null where nothing is cleared."""
    document = _example("market", "taxpayer")

    assert ("03", "0", None) == tuple(
        document[name] for name in ("taxState", "clearanceState", "clearedOn")
    )
