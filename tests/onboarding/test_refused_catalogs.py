"""Bad input: one mistake in a copy of the real catalog, refused with file:line and a suggestion."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mappings.city import ROOT
from tongban.changes import release_problems
from tongban.kernel.catalog import load_catalog
from tongban.onboarding.compiling import compile_problems

RIGHT = "contracts/real_estate_right/v1.yaml"
HOLDER = "contracts/right_holder/v1.yaml"
SALE = "contracts/sale_contract/v1.yaml"
PARTY = "contracts/sale_contract_party/v1.yaml"
PAID = "mappings/tax/deed_tax_payment.yaml"
PUSH = "mappings/tax/sale_contract.push.yaml"
LIMITS = "{minLength: 1, maxLength: 40}"
TO_SALE = "{type: foreignKey, to: sale_contract.contract_no}"
BACK = "relationships: [{type: foreignKey, to: real_estate_right.business_no}]\n        "

CONTRACTS = [
    (RIGHT, "status: active\n", "status: active\ntenent: x\n", 'key "tenent", did you mean "tenan'),
    (RIGHT, "name: 平凉市不动", "nmae: 平凉市不动", 'unknown key "nmae", did you mean "name"'),
    (RIGHT, "    physicalType: table", "    physicalTyp: table", 'did you mean "physicalType"'),
    (RIGHT, "required: true", "requird: true", 'unknown key "requird", did you mean "required"'),
    (RIGHT, LIMITS, "{minLength: 1, maxLenght: 40}", 'key "maxLenght", did you mean "maxLength"'),
    (RIGHT, "severity: error", "severty: error", 'unknown key "severty", did you mean "severity"'),
    (RIGHT, "property: codeTable", "property: codeTabel", 'did you mean "codeTable"'),
    (RIGHT, "{share: 0.2,", "{shar: 0.2,", 'dirtyLimit: unknown key "shar", did you mean "share"'),
    (RIGHT, "{share: 0.2,", "{share: 20,", "dirtyLimit: expected a share from 0 to 1"),
    (RIGHT, "Days, value: 5", "Days, value: five", "rectificationDays: expected a whole number of"),
    (RIGHT, LIMITS, '{pattern: "[0-9]+"}', "business_no is not anchored; begin it with ^ and end"),
    (RIGHT, LIMITS, r'{pattern: "^\\d{4}$"}', r"business_no uses \d; write the characters out"),
    (RIGHT, LIMITS, "{minLength: 9, maxLength: 4}", "minLength is above maxLength; nothing could"),
    (RIGHT, "{rule: real_estate_unit}", "{rule: real_estate_unti}", 'mean "real_estate_unit"'),
    (RIGHT, "{rule: real_estate_unit}", "{rul: real_estate_unit}", 'the key "rule" is missing'),
    (RIGHT, "right: total_floors}", "right: total_flors}", 'field "total_flors", did you mean "t'),
    (RIGHT, "right: total_floors}", "rihgt: total_floors}", 'no parameter "rihgt", did you mean "'),
    (RIGHT, "t.floor_within_total", "t.land_term_in_order", "two rules have the id "),
    (RIGHT, "codeTable, value: right_type", "codeTable, value: right_typ", 'mean "right_type"'),
    (RIGHT, "mask, value: address", "mask, value: adress", 'mask "adress", did you mean "address"'),
    (HOLDER, "index, value: subject", "index, value: subjct", 'did you mean "subject"'),
    (RIGHT, "owner, value: registration", "owner, value: registrtion", 'mean "registration"'),
    (RIGHT, "property: latency", "property: latncy", 'property "latncy", did you mean "latency"'),
    (RIGHT, "element: real_estate_right.", "element: real_estate_rigt.", 'did you mean "real_est'),
    (RIGHT, "numeric(12,2)", "numric(12,2)", 'physicalType "numric", did you mean "numeric"'),
    (RIGHT, "numeric(12,2)", "numeric(12,two)", "expected a physicalType such as numeric(12,2)"),
    (RIGHT, "to: sale_contract.c", "to: sale_contrct.c", 'no contract "sale_contrct", did you'),
    (RIGHT, TO_SALE, TO_SALE.replace("_no", "_nr"), 'no field "contract_nr", did you mean "contr'),
    (RIGHT, TO_SALE, TO_SALE.replace("contract_no", "signed_at"), "both ends of a relationship"),
    (SALE, "businessName: 合同状态", f"{BACK}businessName: 合同状态", "go in a circle: "),
    (SALE, "to: house_unit.house_code", "to: sale_contract.contract_no", "sale_contract → sale"),
    (RIGHT, "with: sale_contract.total", "with: sale_contract.totl", 'mean "total_price"'),
    (RIGHT, "rule: agrees_with, field: price", "rule: agrees_with, field: pric", 'mean "price"'),
    (RIGHT, "tolerance: 0.01, when", "tolerence: 0.01, when", 'did you mean "tolerance"'),
    (PARTY, "kind: [existing_house]", "kind: [existing_hous]", 'did you mean "existing_house"'),
    (PARTY, "through: {dataset: sale_contract,", "through: {dataset: sale_contrac,", "no contract"),
]  # fmt: skip
MAPPINGS = [
    (PAID, "  tax_organ: {", "  tax_orgna: {", 'no field "tax_orgna", did you mean "tax_organ"'),
    (PAID, "  tax_kind: {from", "  tax_kind_: {from", 'no field "tax_kind_", did you mean "tax_k'),
    (PAID, "unit: 元", "unit: 千元", 'operation money does not know the unit "千元", did you mean'),
    (PAID, "{datetime: {", "{datetme: {", 'unknown operation "datetme", did you mean "datetime"'),
    (PAID, "formats: [", "fomats: [", 'no argument "fomats", did you mean "formats"'),
    (PAID, "table: tax_kind", "table: tax_knd", 'no code table "tax_knd", did you mean "tax_kind"'),
    (PAID, "ignore: []", "ignroe: []", 'unknown key "ignroe", did you mean "ignore"'),
    (PAID, "key: [DZSPHM]", "key: [DZSPH]", 'key "DZSPH" is in no example, did you mean "DZSPHM'),
    (PAID, "      SJBH: SJ", "      SJBX: SJ", 'the mapping has no "SJBX", did you mean "SJBH"'),
    (PAID, "      receipt_no: SJ", "      reciept_no: SJ", 'did you mean "receipt_no"'),
    (PAID, '"560000.00"\n      rate', '"560000.01"\n      rate', "example's tax_base is another"),
    (PAID, "      receipt_no: null", '      receipt_no: "1"', "example's receipt_no is lost on"),
    (PUSH, "from: record_no", "from: recrd_no", 'no field "recrd_no", did you mean "record_no"'),
    (PUSH, "unit: 元", "unit: 角", 'unknown unit "角"; expected one of: 万元, 元, 分'),
    (PUSH, "{decimal_text:", "{decimal_txt:", 'operation "decimal_txt", did you mean "decimal_te'),
    (PUSH, "table: usage", "table: usge", 'no code table "usge", did you mean "usage"'),
    (PUSH, "[recorded]", "[recordd]", 'status has no code "recordd", did you mean "recorded"'),
    (PUSH, "dataset: sale_contract_party", "dataset: sale_contract_prty", 'mean "sale_contract_p'),
    (PUSH, '"on": {contract_no', '"on": {contrct_no', 'no field "contrct_no", did you mean "cont'),
    (PUSH, "      BAH: ", "      BAHH: ", "example's BAH"),
    (PUSH, '      HTCJJG: "5', '      HTCJJG: "6', "example's HTCJJG is another value than exp"),
]  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Everything that `tongban check` reads."""
    root: Path = tmp_path_factory.mktemp("catalog")
    for name in ("contracts", "mappings", "connectors/systems", "connectors/wsdl"):
        shutil.copytree(ROOT / name, root / name)
    return root


def problems(root: Path) -> list[str]:
    """What `tongban check` says."""
    catalog = load_catalog(root)
    return catalog.check() or compile_problems(catalog) or release_problems(catalog)


def edited(path: Path, old: str, new: str) -> str:
    """Edit the first place of a file, and give its former text."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text


def test_the_copy_itself_has_no_problem(copy):
    """What is refused below is refused for its mistake alone."""
    assert [] == problems(copy)


@pytest.mark.parametrize(("file", "old", "new", "expected"), [*CONTRACTS, *MAPPINGS])
def test_mistake_is_refused_with_its_place(copy, file, old, new, expected):
    """Each is told with the file's line and with what to write instead."""
    text = edited(copy / file, old, new)
    try:
        found = problems(copy)
    finally:
        (copy / file).write_text(text, encoding="utf-8")

    assert found
    assert expected in found[0]
    name, line = found[0].split(" ", 1)[0].rstrip(":").rsplit(":", 1)
    assert (copy / name).is_file()
    assert 0 < int(line) <= len(text.splitlines()) + 3


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("right_type.csv", "the code's validity overlaps line 2; end one before the other begins"),
        ("tax_kind.tax.csv", "the source's code overlaps line 2"),
    ],
)
def test_code_table_with_overlapping_dates_is_refused(copy, table, expected):
    """One code has one meaning at a time."""
    path = copy / "mappings" / "codes" / table
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    try:
        found = problems(copy)
    finally:
        path.write_text(text, encoding="utf-8")

    assert f"{table}:{len(text.splitlines()) + 1}: {expected}" in found[0]


def test_mapping_that_loses_a_required_field_is_refused(copy):
    """A promise that nothing can keep."""
    text = edited(copy / PAID, "  paid_at: {from: JKRQ", "  # paid_at: {from: JKRQ")
    try:
        found = problems(copy)
    finally:
        (copy / PAID).write_text(text, encoding="utf-8")

    assert [f'{PAID}:8: the required field "paid_at" is not mapped; add it'] == found
