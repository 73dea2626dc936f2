"""`tongban system new`: strangers' descriptions become drafts that the hub accepts or explains."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.connectors.serving import serving
from tests.onboarding import samples
from tongban.cli import build
from tongban.kernel.catalog import load_catalog
from tongban.kernel.connections import from_document
from tongban.kernel.errors import ConfigInvalid, SystemUnavailable
from tongban.onboarding.asking import window
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving as serving_fake
from tongban.onboarding.preview import preview

ROOT = Path(__file__).parents[2]
OURS = {"tax": "TaxExchange", "registration": "ShareService", "social": "InsuranceShare"}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the project's data folders, where drafts may be written."""
    for name in ("connectors/systems", "connectors/wsdl", "mappings", "contracts"):
        shutil.copytree(ROOT / name, tmp_path / "root" / name)
    monkeypatch.setenv("TONGBAN_ROOT", str(tmp_path / "root"))
    return tmp_path / "root"


def new(*words: object):
    """Draft in this process."""
    return CliRunner().invoke(build(), ["system", "new", *(str(word) for word in words)])


def drafted(*words: object) -> dict:
    """The document that --json prints."""
    result = new(*words, "--json")
    assert result.stdout, result.exception
    return json.loads(result.stdout)


def targets(found: dict) -> dict[str, str | None]:
    """Source → proposed field."""
    return {item["source"]: item["target"] for item in found["fields"]}


def test_drafts_from_an_unknown_wsdl_pass_the_check(root, tmp_path):
    """Bare document/literal with an imported schema, which is pinned too."""
    folder = samples.write_wsdl(tmp_path)

    found = drafted("fund", "--wsdl", folder / "Fund.wsdl")

    assert [] == found["problems"]
    assert "queryAccounts" == found["operation"]
    assert {
        "connectors/systems/fund.yaml",
        "contracts/fund_accounts/v1.yaml",
        "mappings/fund/fund_accounts.yaml",
        "connectors/wsdl/fund/Fund.wsdl",
        "connectors/wsdl/fund/types.xsd",
    } == set(found["files"])
    assert [] == load_catalog(root).check()


def test_a_draft_takes_less_than_five_seconds(root, tmp_path):
    """A person waits for it."""
    folder = samples.write_wsdl(tmp_path)
    started = time.monotonic()

    drafted("fund", "--wsdl", folder / "Fund.wsdl")

    assert 5 > time.monotonic() - started


def test_pinned_copies_carry_their_digests(root, tmp_path):
    """The YAML names what was read, byte for byte."""
    folder = samples.write_wsdl(tmp_path)

    drafted("fund", "--wsdl", folder / "Fund.wsdl")

    soap = load_catalog(root).system("fund").interfaces["api"].soap
    digest = hashlib.sha256((folder / "Fund.wsdl").read_bytes()).hexdigest()
    assert digest == soap.sha256
    assert {"fund/types.xsd"} == set(soap.imports)
    assert (folder / "types.xsd").read_bytes() == (
        root / "connectors/wsdl/fund/types.xsd"
    ).read_bytes()


def test_fields_are_matched_by_label_and_by_usual_names(root, tmp_path):
    """Chinese labels and the first letters of Chinese words both count."""
    found = drafted("fund", "--wsdl", samples.write_wsdl(tmp_path) / "Fund.wsdl")

    matched = targets(found)
    assert ("name", "id_no", "unit_credit_code", "changed_at") == (
        matched["xm"],
        matched["zjhm"],
        matched["dwxydm"],
        matched["gxsj"],
    )
    by_source = {item["source"]: item for item in found["fields"]}
    assert "sensitive" == by_source["zjhm"]["classification"]
    assert by_source["zjhm"]["confidence"] > by_source["ye"]["confidence"]


def test_roles_of_parameters_and_answers_are_found(root, tmp_path):
    """Window, page, size, code, total and records stand where the WSDL has them."""
    drafted("fund", "--wsdl", samples.write_wsdl(tmp_path) / "Fund.wsdl")

    system = load_catalog(root).system("fund")
    pulled = system.datasets["fund_accounts"]
    assert "data.row" == pulled.records
    assert "totalCount" == pulled.total
    assert "page_number" == pulled.paging.kind
    assert {
        "head": {"kssj": "{since}", "jssj": "{until}"},
        "pageNo": "{page}",
        "pageSize": "{size}",
    } == pulled.call.body
    assert ("retCode", ("0",)) == (
        system.interfaces["api"].success[0].check,
        system.interfaces["api"].success[0].equals,
    )


def test_a_draft_has_no_schedule_so_no_dag_calls_before_a_person_wants_it(root, tmp_path):
    """And the budget is as low as a fragile source needs."""
    drafted("fund", "--wsdl", samples.write_wsdl(tmp_path) / "Fund.wsdl")

    system = load_catalog(root).system("fund")
    assert system.datasets["fund_accounts"].schedule is None
    assert (1, 1) == (system.budget.requests_per_second, system.budget.concurrent)


def test_nothing_is_overwritten(root, tmp_path):
    """A second draft of the same name changes no file."""
    folder = samples.write_wsdl(tmp_path)
    drafted("fund", "--wsdl", folder / "Fund.wsdl")
    path = root / "mappings/fund/fund_accounts.yaml"
    path.write_text("# mine\n", encoding="utf-8")

    result = new("fund", "--wsdl", folder / "Fund.wsdl")

    assert isinstance(result.exception, ConfigInvalid)
    assert "exists already" in str(result.exception)
    assert "# mine\n" == path.read_text(encoding="utf-8")


def test_a_dataset_with_a_contract_is_mapped_onto_it(root):
    """The contract stays; required fields without a source are named."""
    found = drafted(
        "lands",
        "--wsdl",
        ROOT / "connectors/wsdl/ShareService.wsdl",
        "--operation",
        "QueryMortgages",
        "--dataset",
        "mortgage",
    )

    assert "contracts/mortgage/v1.yaml" not in found["files"]
    assert "proof_no" == targets(found)["BDCDJZMH"]


@pytest.mark.parametrize("system", ["registration", "social"])
def test_what_our_own_departments_send_is_recognised_by_others_alone(root, system):
    """Without a department's own mappings, labels and usual names still find fields."""
    for path in (root / "mappings" / system).glob("*.yaml"):
        path.unlink()
    for path in (root / "connectors/systems").glob(f"{system}.yaml"):
        path.unlink()

    found = drafted("again", "--wsdl", ROOT / f"connectors/wsdl/{OURS[system]}.wsdl")

    assert sum(item["target"] is not None for item in found["fields"]) == len(found["fields"])
    assert "changed_at" in targets(found).values() or system == "social"


def test_drafts_from_openapi_pass_the_check(root, tmp_path):
    """References, an API key, a list inside the answer, examples."""
    path = tmp_path / "clinic.json"
    path.write_text(json.dumps(samples.OPENAPI, ensure_ascii=False), encoding="utf-8")

    found = drafted("clinic", "--openapi", path)

    assert [] == found["problems"]
    system = load_catalog(root).system("clinic")
    assert "X-Key" == system.interfaces["api"].auth[0].name
    assert "/v2" == system.interfaces["api"].path
    (dataset,) = system.datasets.values()
    assert ("data.list", "data.total") == (dataset.records, dataset.total)
    assert "credit_code" == targets(found)["orgCode"]
    assert "id_no" == targets(found)["cardNumber"]
    assert (root / "connectors/openapi/clinic/clinic.json").is_file()


def test_sample_values_never_reach_a_file(root, tmp_path):
    """Examples of strangers may be of real people."""
    path = tmp_path / "clinic.json"
    path.write_text(json.dumps(samples.OPENAPI, ensure_ascii=False), encoding="utf-8")

    found = drafted("clinic", "--openapi", path)

    for name in found["files"]:
        if name.endswith(".yaml"):
            assert samples.PERSON not in (root / name).read_text(encoding="utf-8")


def test_swagger_2_in_yaml_is_read_too(root, tmp_path):
    """Older gateways give nothing else."""
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(samples.SWAGGER), encoding="utf-8")

    found = drafted("oldgate", "--openapi", path)

    assert [] == found["problems"]
    assert "basic" == load_catalog(root).system("oldgate").interfaces["api"].auth[0].kind


def test_text_inside_a_text_needs_a_sample_and_says_so(root, tmp_path):
    """The WSDL ends at a string; a real answer shows the rest."""
    wsdl = ROOT / "connectors/wsdl/TaxExchange.wsdl"
    without = drafted("taxa", "--wsdl", wsdl)
    sample = tmp_path / "answer.xml"
    sample.write_text(samples.TAX_PAYLOAD, encoding="utf-8")

    found = drafted("taxb", "--wsdl", wsdl, "--sample", sample)

    assert any("--sample" in text for text in without["to_fill"])
    system = load_catalog(root).system("taxb")
    assert ("responseData", "xml") == (
        system.interfaces["api"].success[1].open,
        system.interfaces["api"].success[1].read_as,
    )
    assert "BODY.WSXXLIST.WSXX" == next(iter(system.datasets.values())).records
    assert "ticket_no" == targets(found)["DZSPHM"]


def test_a_description_may_come_from_an_address(root, tmp_path):
    """As departments publish it; imports come from beside it."""
    folder = samples.write_wsdl(tmp_path)

    def handler(asked):
        name = "Fund.wsdl" if asked.raw_query else asked.path.strip("/").rpartition("/")[2]
        return 200, {"Content-Type": "text/xml"}, (folder / name).read_bytes()

    with serving(handler) as server:
        found = drafted("fund", "--wsdl", f"{server.url}/services/Fund?wsdl")

    assert [] == found["problems"]
    assert "connectors/wsdl/fund/Fund.wsdl" in found["files"]


def test_imports_keep_their_folders(root, tmp_path):
    """Two files of one name do not meet, and the protocol finds both."""
    folder = samples.write_wsdl(tmp_path)
    (folder / "schemas").mkdir()
    (folder / "types.xsd").rename(folder / "schemas" / "types.xsd")
    wsdl = folder / "Fund.wsdl"
    wsdl.write_text(wsdl.read_text().replace('"types.xsd"', '"schemas/types.xsd"'))

    found = drafted("fund", "--wsdl", wsdl)

    assert [] == found["problems"]
    assert "connectors/wsdl/fund/schemas/types.xsd" in found["files"]


def test_imports_above_the_wsdl_and_by_address_are_told_to_the_protocol(root, tmp_path):
    """They are pinned beside it, and `locations` says what stands for what."""
    folder = samples.write_wsdl(tmp_path)
    (folder / "types.xsd").rename(tmp_path / "types.xsd")
    wsdl = folder / "Fund.wsdl"
    wsdl.write_text(wsdl.read_text().replace('"types.xsd"', '"../types.xsd"'))

    found = drafted("fund", "--wsdl", wsdl)

    soap = load_catalog(root).system("fund").interfaces["api"].soap
    assert [] == found["problems"]
    assert {"types.xsd": "fund/types.xsd"} == soap.locations


def test_a_port_without_soap_is_passed_over(root, tmp_path):
    """Old .NET services list HTTP GET first; the draft names the SOAP port."""
    folder = samples.write_wsdl(tmp_path)
    wsdl = folder / "Fund.wsdl"
    text = wsdl.read_text()
    binding = (
        '<binding name="Get" type="tns:FundPort"><h:binding '
        'xmlns:h="http://schemas.xmlsoap.org/wsdl/http/" verb="GET"/></binding>'
    )
    address = '<h:address xmlns:h="http://schemas.xmlsoap.org/wsdl/http/" location="http://x/"/>'
    port = f'<port name="GetPort" binding="tns:Get">{address}</port>'
    text = text.replace("<service", f"{binding}<service", 1)
    wsdl.write_text(text.replace('<port name="FundPort"', f'{port}<port name="FundPort"'))

    found = drafted("fund", "--wsdl", wsdl)

    assert [] == found["problems"]
    assert "FundPort" == load_catalog(root).system("fund").interfaces["api"].soap.port


def test_a_draft_flows_from_its_fake_without_an_edit(root, tmp_path):
    """From a WSDL that nobody has seen to rows that their draft contract accepts."""
    drafted("fund", "--wsdl", samples.write_wsdl(tmp_path) / "Fund.wsdl")
    catalog = load_catalog(root)
    department = Department(catalog, "fund", rows=7)

    with serving_fake(department) as url:
        account = department.open_account(url, tmp_path)
        connection = from_document("fund", account)
        found = preview(catalog, "fund", "fund_accounts", connection, window(None))

    assert 7 == found.declared_total
    assert ["accepted"] * 5 == [row.outcome for row in found.rows]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html><body>login</body></html>", "wsdl:definitions"),
        (b"<definitions", "well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
    ],
)
def test_what_is_no_wsdl_is_refused_with_the_reason(root, tmp_path, content, told):
    """A web page, a cut file, a DTD."""
    path = tmp_path / "x.wsdl"
    path.write_bytes(content)

    result = new("fund", "--wsdl", path)

    assert isinstance(result.exception, ConfigInvalid)
    assert told in str(result.exception)
    assert not (root / "connectors/systems/fund.yaml").exists()


def test_an_address_without_a_description_is_no_draft(root):
    """Said as an error of ours, without the address's query."""
    with serving(lambda _a: (404, {}, b"")) as server:
        result = new("fund", "--wsdl", f"{server.url}/x?wsdl&token=secret")

    assert isinstance(result.exception, SystemUnavailable)
    assert "secret" not in str(result.exception)


def test_unknown_operation_is_refused_with_a_suggestion(root):
    """As everywhere."""
    wsdl = ROOT / "connectors/wsdl/ShareService.wsdl"

    result = new("lands", "--wsdl", wsdl, "--operation", "QueryRight")

    assert 'did you mean "QueryRights"' in str(result.exception)


def test_the_table_for_people_shows_confidence_and_what_to_fill(root, tmp_path):
    """Without --json."""
    result = new("fund", "--wsdl", samples.write_wsdl(tmp_path) / "Fund.wsdl")

    assert 0 == result.exit_code, result.output
    assert "wrote connectors/systems/fund.yaml" in result.stdout
    assert "fill: title and department" in result.stdout
