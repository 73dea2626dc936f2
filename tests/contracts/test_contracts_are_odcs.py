"""Every contract is a valid ODCS 3.2 document and says what the house demands of it."""

from __future__ import annotations

import re

import jsonschema
import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from tests.contracts.odcs import DATASETS, ROOT, contract_of, document_of, official_schema
from tongban.kernel.catalog import load_catalog
from tongban.kernel.contracts import DIMENSIONS
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.odcs import check_contract
from tongban.validate import problem_with

CHINESE = re.compile(r"[\u4e00-\u9fff]")
OWNERS = {path.stem for path in (ROOT / "connectors/systems").glob("*.yaml")} | {"hub"}
SCHEMA = official_schema()


def _all(dataset: str) -> list[dict[str, object]]:
    """Every quality entry of a contract, of the properties and of the schema."""
    schema = document_of(dataset)["schema"][0]
    entries = [q for item in schema["properties"] for q in item.get("quality", [])]
    return entries + schema.get("quality", [])


def test_there_is_a_contract_for_every_dataset_of_the_hub():
    """What some system provides, and what the hub makes itself."""
    pulled = {name for route in load_catalog(ROOT).pull_routes for name in route.datasets}
    made = {name for name in DATASETS if contract_of(name).owner == "hub"}

    assert made
    assert set(DATASETS) == pulled | made


@pytest.mark.parametrize("dataset", DATASETS)
def test_contract_is_valid_against_the_official_schema(dataset):
    """The schema in the wheel finds misspelt keys at every depth."""
    validator = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)

    errors = [list(e.absolute_path) for e in validator.iter_errors(document_of(dataset))]

    assert [] == errors


@pytest.mark.parametrize("dataset", DATASETS)
def test_contract_loads_in_the_official_model_and_in_ours(dataset):
    """Another tool that reads ODCS sees the same dataset as the hub."""
    theirs = OpenDataContractStandard.from_file(str(ROOT / "contracts" / dataset / "v1.yaml"))
    ours = check_contract(ROOT / "contracts" / dataset / "v1.yaml", root=ROOT)

    assert dataset == ours.dataset
    assert [p.name for p in theirs.schema_[0].properties] == [f.name for f in ours.fields]


def test_misspelt_key_is_refused_with_its_line(tmp_path):
    """Loading alone would overlook it."""
    text = (ROOT / "contracts" / "house_unit" / "v1.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "v1.yaml"
    wrong.write_text(text.replace("        required: true", "        requird: true", 1), "utf-8")

    with pytest.raises(ConfigInvalid, match=r"requird"):
        check_contract(wrong)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_property_and_rule_speaks_chinese(dataset):
    """Departments read contracts; a rule without a reason cannot be rectified."""
    schema = document_of(dataset)["schema"][0]
    texts = [schema["businessName"]]
    texts += [item[k] for item in schema["properties"] for k in ("businessName", "description")]
    texts += [str(entry["description"]) for entry in _all(dataset)]

    assert [] == [text for text in texts if not CHINESE.search(text)]


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_rule_has_name_severity_and_dimension(dataset):
    """Scores and reports are made by these three."""
    for entry in _all(dataset):
        assert str(entry["name"]).startswith(f"{dataset}.")
        assert entry["severity"] in {"error", "warning"}
        assert entry["dimension"] in DIMENSIONS


@pytest.mark.parametrize("dataset", DATASETS)
def test_owner_limit_and_rectification_days_are_declared(dataset):
    """Every finding has somebody who mends it, and a day by which it is mended."""
    contract = contract_of(dataset)

    assert contract.owner in OWNERS
    assert 0 < contract.rectification_days <= 10
    assert 0 < contract.dirty_share < 1
    assert 0 < contract.dirty_rows
    assert "changed_at" == contract.changed_at


@pytest.mark.parametrize("dataset", DATASETS)
def test_sensitive_fields_are_masked_and_subjects_are_indexed(dataset):
    """Whatever is encrypted at rest also has a masked form; whom it is about can be found."""
    for item in contract_of(dataset).fields:
        assert item.mask is not None or item.classification not in {"sensitive", "restricted"}
        if item.name.endswith("id_no") or item.name in {"credit_code", "social_number"}:
            assert "subject" == item.index


@pytest.mark.parametrize("dataset", DATASETS)
def test_patterns_mean_the_same_in_every_engine(dataset):
    """Anchored, no digits class, no look-around (research/contracts_quality.md §8)."""
    patterns = [item.pattern for item in contract_of(dataset).fields if item.pattern]

    assert [] == [p for p in patterns if problem_with(p)]


@pytest.mark.parametrize("dataset", DATASETS)
def test_texts_fit_their_columns(dataset):
    """A value that every rule lets pass must not fail at the COPY into the table."""
    for item in document_of(dataset)["schema"][0]["properties"]:
        size = re.fullmatch(r"varchar\((\d+)\)", item["physicalType"])
        longest = item.get("logicalTypeOptions", {}).get("maxLength")
        if size and longest:
            assert longest <= int(size[1])


@pytest.mark.parametrize("dataset", DATASETS)
def test_numbers_fit_their_columns(dataset):
    """The largest allowed number has no more digits than its column."""
    for item in contract_of(dataset).fields:
        if item.type == "decimal":
            assert item.maximum is not None
            assert item.minimum is not None
            assert len(str(int(item.maximum))) <= (item.precision or 0) - (item.scale or 0)
