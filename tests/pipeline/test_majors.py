"""Two majors of one contract: one pull fills both tables, each reader gets the one it reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.pipeline.city import CityHub, city, city_template  # noqa: F401 - fixtures
from tests.pipeline.majors import NEW, OLD, approve, change, make_changed
from tongban import pipeline
from tongban.admission import KIND
from tongban.evidence import log
from tongban.kernel.catalog import Catalog, load_catalog
from tongban.orchestration import documents, housekeeping
from tongban.pipeline import Hub, open_hub, push, transfer
from tongban.quality import journal
from tongban.quality.audit import examine
from tongban.store import summary

pytestmark = pytest.mark.postgres
ENDS = date(2027, 6, 30)


@pytest.fixture(scope="module")
def changed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the catalog with the second major."""
    return make_changed(tmp_path_factory.mktemp("changed"))


@pytest.fixture
def changed(city: CityHub, changed_root: Path) -> Iterator[Hub]:  # noqa: F811
    """The city's hub after its catalog got the second major."""
    with open_hub(replace(city.settings, root=changed_root)) as hub:
        yield hub


def test_the_changed_catalog_is_right_and_one_pull_feeds_both_majors(changed_root):
    """Both ride in one landing; each target reads the major that it has a mapping for."""
    catalog = load_catalog(changed_root)

    assert [] == catalog.check()
    route = catalog.pull_route(NEW)
    assert catalog.pull_route(OLD) == route
    assert ("sale_contract_party", NEW, OLD) == route.datasets
    assert f"pull_{OLD}" == route.dag_id
    assert ("registration", "substation") == catalog.subscribers(OLD)
    assert ("tax",) == catalog.subscribers(NEW)
    assert {OLD, NEW} == set(documents.pull_definition(catalog, route)["datasets"]) - {
        "sale_contract_party"
    }


def test_both_majors_of_a_new_installation_are_filled_by_one_pull_without_approval(
    changed: Hub,
    city: CityHub,  # noqa: F811
):
    """Nobody relied on an older one, so nobody is asked."""
    done = {item.dataset: item for item in transfer(changed, OLD)}

    assert ["stored"] * 3 == [item.outcome for item in done.values()]
    assert done[OLD].read == done[NEW].read > 0
    assert done[OLD].new == done[NEW].new > 0
    assert done[OLD].quarantined == done[NEW].quarantined
    first = changed.catalog.contract(OLD).version
    assert (first, "2.0.0") == (done[OLD].contract_version, done[NEW].contract_version)
    assert 1 == city.one("SELECT count(DISTINCT landing) FROM hub.transfer WHERE landing <> ''")
    assert 0 == city.one(
        "SELECT count(*) FROM data.sale_contract_v1 a FULL JOIN data.sale_contract_v2 b"
        " USING (contract_no) WHERE a.total_price IS DISTINCT FROM b.price"
        " OR a.is_supervised IS DISTINCT FROM (b.is_supervised = 'Y')"
    )
    balances = summary.dataset_balances(changed.engine, list(changed.catalog.contracts().values()))
    assert [] == [item.dataset for item in balances if not item.in_balance]
    assert 0 < log.check(changed.engine)
    journal.prepare(changed.engine)
    audit = examine(changed, changed.catalog.today)
    stored = {item.dataset: item.stored for item in audit.measured}
    assert done[OLD].new == stored[OLD] == stored[NEW]
    assert 0 == audit.disagreements


def test_a_major_after_a_loaded_one_waits_and_goes_through_after_approval_with_every_record(
    changed: Hub,
    city: CityHub,  # noqa: F811
):
    """Meanwhile the old one goes on; the first load afterwards reads everything."""
    city.pull(OLD)
    before = city.one("SELECT count(*) FROM data.sale_contract_v1")

    first = {item.dataset: item for item in transfer(changed, OLD)}

    assert ("waiting_for_approval", "stored") == (first[NEW].outcome, first[OLD].outcome)
    assert 0 == city.one("SELECT count(*) FROM data.sale_contract_v2")
    (refused,) = city.rows("SELECT * FROM hub.transfer WHERE dataset = %s", NEW)
    assert ("refused", "fatal.major_not_admitted") == (refused["state"], refused["error_code"])
    (asked,) = city.rows("SELECT * FROM hub.approval")
    assert (KIND, f"{OLD}@2.0.0", "housing") == (asked["kind"], asked["subject"], asked["owner"])
    assert "total_price (field.renamed)" in asked["reason"]
    assert "is_supervised (type.changed)" in asked["reason"]
    transfer(changed, OLD)
    assert 1 == city.one("SELECT count(*) FROM hub.approval")
    windows = "SELECT count(*) FROM hub.transfer WHERE dataset = %s AND window_since IS NULL"
    assert 1 == city.one(windows, OLD)  # waiting does not make the source give everything again

    approve(changed)
    second = {item.dataset: item for item in transfer(changed, OLD)}

    assert "stored" == second[NEW].outcome
    assert before == second[NEW].new == city.one("SELECT count(*) FROM data.sale_contract_v2")
    assert 0 == second[OLD].new
    assert 2 == city.one(windows, OLD)
    # what waited is in the new load, too, so its landings need not be kept
    assert 4 == housekeeping.remove_landings(changed, 0)


def test_a_landing_that_waited_can_be_loaded_after_approval_too(
    changed: Hub,
    city: CityHub,  # noqa: F811
):
    """Running its load again is enough."""
    city.pull(OLD)
    landed = pipeline.pull(changed, OLD)
    assert "waiting_for_approval" == pipeline.load(changed, landed.landing_id, NEW).outcome

    approve(changed)

    loaded = pipeline.load(changed, landed.landing_id, NEW)
    assert "stored" == loaded.outcome
    assert "finished" == city.one("SELECT state FROM hub.transfer WHERE dataset = %s", NEW)


def test_a_rejected_major_is_never_loaded_and_the_old_one_goes_on(
    changed: Hub,
    city: CityHub,  # noqa: F811
):
    """Until its version is raised and asked about again."""
    city.pull(OLD)
    transfer(changed, OLD)
    approve(changed, "rejected")

    done = {item.dataset: item.outcome for item in transfer(changed, OLD)}

    assert ("rejected", "stored") == (done[NEW], done[OLD])
    assert 1 == city.one("SELECT count(*) FROM hub.approval")


def test_each_reader_gets_its_major_and_what_waited_for_the_old_one_is_handed_over(
    changed: Hub,
    city: CityHub,  # noqa: F811
):
    """Tax gets every record once, in the form of version 2."""
    city.pull("house_unit", OLD)
    transfer(changed, OLD)
    approve(changed)
    transfer(changed, OLD)
    queued = (
        "SELECT count(*) FROM hub.outbox WHERE target = %s AND dataset = %s AND state = ANY(%s)"
    )
    assert 0 < city.one(queued, "tax", OLD, ["queued"])

    tax = push(changed, "tax", NEW)
    registration = push(changed, "registration", OLD)

    assert 0 < tax.accepted
    assert 0 < registration.accepted
    assert 0 == city.one(queued, "tax", OLD, ["queued", "sent", "waiting_parent"])
    assert 0 < city.one(queued, "tax", OLD, ["superseded"])
    assert 0 == city.one(queued, "registration", NEW, ["queued", "accepted"])
    assert tax.accepted == city.one(queued, "tax", NEW, ["accepted"])


def test_a_major_is_not_loaded_after_the_last_day_of_its_support(changed_root, tmp_path):
    """The newer one goes on under the same DAG; check names the mappings that are left over."""
    root = tmp_path / "root"
    shutil.copytree(changed_root, root)
    path = root / "contracts" / OLD / "v1.yaml"
    ends = f"slaProperties:\n  - {{property: endOfSupport, value: {ENDS}}}\n"
    change(path, path, ("slaProperties:\n", ends))
    last, after = Catalog(root, today=ENDS), Catalog(root, today=ENDS + timedelta(days=1))

    assert [] == last.check()
    assert (OLD, NEW) == last.majors(OLD)
    assert (NEW,) == after.majors(OLD)
    assert ("sale_contract_party", NEW) == after.pull_route(OLD).datasets
    assert f"pull_{OLD}" == after.pull_route(OLD).dag_id
    assert {OLD, NEW} <= set(after.datasets)  # its table stays, and what is in it
    assert () == after.subscribers(OLD)
    problems = after.check()
    assert [
        f"mappings/{place}:1: support of sale_contract v1 ended on {ENDS}, it is neither loaded "
        "nor sent any more; delete the mapping, or set a later endOfSupport"
        for place in (
            f"housing/{OLD}.yaml",
            f"registration/{OLD}.push.yaml",
            f"substation/{OLD}.push.yaml",
        )
    ] == [line for line in problems if "support" in line]
    assert f"mappings/registration/{NEW}.push.yaml" in "\n".join(problems)


def test_a_landing_from_before_the_end_is_loaded_into_the_newer_major_after_it(
    changed: Hub,
    changed_root: Path,
    tmp_path: Path,
):
    """The day between does not matter, nor whose landing it was."""
    landed = pipeline.pull(changed, OLD)
    catalog = Catalog(changed_root)
    ended = replace(catalog.contract(OLD), supported_until=catalog.today - timedelta(days=1))
    root = tmp_path / "root"
    shutil.copytree(changed_root, root)
    path = root / "contracts" / OLD / "v1.yaml"
    ends = f"slaProperties:\n  - {{property: endOfSupport, value: {ended.supported_until}}}\n"
    change(path, path, ("slaProperties:\n", ends))

    with open_hub(replace(changed.settings, root=root)) as hub:
        loaded = pipeline.load(hub, landed.landing_id, NEW)
        again = {item.dataset: item for item in transfer(hub, OLD)}

    assert 0 < loaded.new
    assert {"sale_contract_party", NEW} == set(again)
    assert loaded.new == again[NEW].same


@pytest.mark.parametrize(
    ("file", "find", "put", "problem"),
    [
        (
            "mappings/housing/sale_contract_v2.yaml",
            "contract_version: 2\n",
            "",
            "housing/sale_contract_v2.yaml:2: the head says sale_contract, the file's name sale_",
        ),
        (
            "contracts/sale_contract/v2.yaml",
            "version: 2.0.0",
            "version: 3.0.0",
            "version 3.0.0 in v2.yaml; a new major has a file of its own, v3.yaml",
        ),
        (
            "mappings/tax/sale_contract_v2.push.yaml",
            "from: price",
            "from: total_price",
            'the contract has no field "total_price", did you mean "unit_price"?',
        ),
    ],
)
def test_what_does_not_fit_between_majors_is_refused_with_its_line(  # noqa: PLR0913
    file, find, put, problem, changed_root, tmp_path
):
    """Heads, versions and fields are held against the major that the file is for."""
    root = tmp_path / "root"
    shutil.copytree(changed_root, root)
    change(root / file, root / file, (find, put))

    assert problem in "\n".join(load_catalog(root).check())


def test_a_draft_of_a_newer_major_is_read_by_check_only(changed_root, tmp_path):
    """It can be written beside the living one for as long as it takes."""
    root = tmp_path / "root"
    shutil.copytree(changed_root, root)
    path = root / "contracts" / OLD / "v2.yaml"
    change(path, path, ("status: active", "status: draft"))
    catalog = load_catalog(root)

    assert (OLD,) == catalog.majors(OLD)
    assert NEW not in catalog.datasets
    assert NEW not in catalog.pull_route(OLD).datasets
    change(path, path, ("logicalType: timestamp", "logicalType: timestmap"))
    assert any("contracts/sale_contract/v2.yaml:" in line for line in load_catalog(root).check())
