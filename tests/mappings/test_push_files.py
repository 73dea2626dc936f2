"""Every mapping of the way out fits its contracts and sends no more than the receiver needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mappings.city import CODES, ROOT, contract_of
from tongban.kernel.mappings import PushMapping, check_push_mapping, load_push_mapping

ROUTES = sorted(
    (path.parent.name, path.name.removesuffix(".push.yaml"))
    for path in (ROOT / "mappings").glob("*/*.push.yaml")
)
TO_SUBSTATION = [dataset for target, dataset in ROUTES if target == "substation"]
NEEDED_BY_THE_SUBSTATION = {"applicant_name", "applicant_id_no"}  # up_pro_accept demands them


def _push(target: str, dataset: str) -> PushMapping:
    path: Path = ROOT / "mappings" / target / f"{dataset}.push.yaml"
    return load_push_mapping(path, root=ROOT)


def _fields(mapping: PushMapping):
    """Every outgoing field with the contract that it reads, children included."""
    for made in mapping.fields.values():
        yield mapping.dataset, made
    for child in mapping.children.values():
        for made in child.fields.values():
            yield child.dataset, made


def test_there_is_a_mapping_for_every_route():
    """Seventeen routes to six targets."""
    assert 17 == len(ROUTES)


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_push_mapping_fits_its_contracts(target, dataset):
    """Every source field exists, in the children too."""
    mapping = _push(target, dataset)
    names = [dataset, *(child.dataset for child in mapping.children.values())]

    check_push_mapping(mapping, {name: contract_of(name) for name in names}, root=ROOT)

    assert (target, dataset) == (mapping.target, mapping.dataset)


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_children_are_joined_by_fields_of_both_sides(target, dataset):
    """Parties join by contract, holders by business number."""
    for child in _push(target, dataset).children.values():
        for ours, theirs in child.on.items():
            assert ours in contract_of(child.dataset).by_name
            assert theirs in contract_of(dataset).by_name


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_conditions_name_codes_that_exist(target, dataset):
    """A misspelt code in `where` would silently send nothing."""
    for name, values in _push(target, dataset).where.items():
        table = contract_of(dataset).field(name).code_table

        assert table is not None
        assert set(values) <= CODES.known(table)


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_codes_are_translated_for_whoever_has_codes_of_his_own(target, dataset):
    """A field whose table the target writes differently goes through code_out."""
    for source, made in _fields(_push(target, dataset)):
        for name in made.sources:
            table = contract_of(source).by_name[name].code_table
            own = table and (ROOT / "mappings" / "codes" / f"{table}.{target}.csv").is_file()

            assert not own or "code_out" in [op.name for op in made.ops], made.target


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_every_common_code_has_a_translation(target, dataset):
    """Only kinds of papers that a target does not know at all may stay without one."""
    rare_papers = {"113", "114", "516", "002", "999"}
    for _, made in _fields(_push(target, dataset)):
        for op in made.ops:
            if op.name == "code_out":
                table = op.args["table"]
                missing = CODES.known(table) - set(CODES.from_hub(table, target))
                assert missing <= (rare_papers if table == "id_type" else set()), made.where


@pytest.mark.parametrize("dataset", TO_SUBSTATION)
def test_substation_gets_no_personal_data_but_the_applicant(dataset):
    """Encrypted fields leave for the substation only masked, or because its table demands them."""
    for source, made in _fields(_push("substation", dataset)):
        masked = "mask" in [op.name for op in made.ops]
        personal = {n for n in made.sources if contract_of(source).by_name[n].is_classified}

        assert masked or personal <= NEEDED_BY_THE_SUBSTATION, made.where


@pytest.mark.parametrize("dataset", TO_SUBSTATION)
def test_substation_gets_no_amounts_and_no_children(dataset):
    """Prices, taxes, holders and parties are none of its business."""
    mapping = _push("substation", dataset)
    sources = {n for source, made in _fields(mapping) for n in made.sources}

    assert {} == mapping.children
    assert set() == {n for n in sources if contract_of(dataset).by_name[n].mask == "amount"}


def test_registration_learns_that_tax_is_paid_but_not_how_much():
    """Paid or exempt, and the ticket number: the projection of the share agreement."""
    mapping = _push("registration", "deed_tax_payment")
    sources = {name for _, made in _fields(mapping) for name in made.sources}

    assert {"contract_no", "unit_no", "ticket_no", "tax_kind", "status", "paid_at"} == sources


def test_market_regulation_learns_the_clearance_but_no_person():
    """Cancelling a company needs the settlement of taxes and nothing about its representative."""
    sources = {n for _, made in _fields(_push("market", "taxpayer")) for n in made.sources}

    assert {"credit_code", "status", "clearance_state", "cleared_on"} == sources


@pytest.mark.parametrize(("target", "dataset"), ROUTES)
def test_business_content_does_not_depend_on_the_try(target, dataset):
    """Key, operation and time of sending stand outside: a repeated try has the same digest."""
    special = {n for _, made in _fields(_push(target, dataset)) for n in made.sources if "$" in n}

    assert set() == special


@pytest.mark.parametrize("target", ["tax", "registration"])
def test_only_recorded_contracts_leave_housing(target):
    """A draft is nobody's legal ground."""
    assert {"status": ("recorded",)} == _push(target, "sale_contract").where
