"""Contracts are read strictly: every mistake has its file:line and a suggestion."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tongban.kernel.contracts import load_contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.odcs import check_contract

GOOD = """\
apiVersion: v3.2.0
kind: DataContract
id: tongban.thing
name: thing
version: 1.2.0
status: active
description:
  purpose: 测试
schema:
- name: thing
  businessName: 事物
  properties:
  - name: thing_no
    businessName: 编号
    logicalType: string
    physicalType: varchar(20)
    primaryKey: true
    primaryKeyPosition: 1
    logicalTypeOptions: {pattern: "^[0-9]+$", maxLength: 20}
  - name: amount
    businessName: 金额
    logicalType: number
    physicalType: numeric(12,2)
    classification: restricted
    logicalTypeOptions: {minimum: 0}
  - name: person_no
    businessName: 证件号
    logicalType: string
    classification: sensitive
    customProperties:
    - {property: index, value: subject}
    - {property: mask, value: resident_id}
    quality:
    - id: person_no_valid
      type: custom
      engine: tongban
      dimension: accuracy
      severity: error
      description: 身份证号校验位正确
      implementation: {rule: resident_id}
  - name: began_on
    businessName: 开始
    logicalType: date
    logicalTypeOptions: {minimum: "1990-01-01"}
  - name: month
    businessName: 月份
    logicalType: string
    customProperties:
    - {property: format, value: month}
  - name: changed_at
    businessName: 变更时间
    logicalType: timestamp
    required: true
customProperties:
- {property: changeTime, value: changed_at}
- {property: owner, value: tax}
- property: dirtyLimit
  value: {share: 0.1, rows: 50}
"""


def write(folder: Path, text: str) -> Path:
    """Write a contract of that text."""
    path = folder / "v1.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_contract_is_read_with_its_types_and_limits(tmp_path: Path):
    """Types, key, classification, index and limits arrive as declared."""
    contract = check_contract(write(tmp_path, GOOD))

    assert ("thing", "1.2.0", 1, "thing_v1", "tax") == (
        contract.dataset,
        contract.version,
        contract.major,
        contract.table,
        contract.owner,
    )
    assert ("thing_no",) == contract.key
    assert contract.field("thing_no").required
    assert (12, 2) == (contract.field("amount").precision, contract.field("amount").scale)
    assert Decimal(0) == contract.field("amount").minimum
    assert date(1990, 1, 1) == contract.field("began_on").minimum
    assert "month" == contract.field("month").type
    assert ["person_no"] == [f.name for f in contract.classified]
    assert ["person_no"] == [f.name for f in contract.indexed]
    assert (0.1, 50) == (contract.dirty_share, contract.dirty_rows)


def test_a_rule_knows_its_own_field(tmp_path: Path):
    """A rule below a property need not repeat the property's name."""
    (rule,) = load_contract(write(tmp_path, GOOD)).rules

    assert ("resident_id", ("person_no",), "error") == (rule.kind, rule.fields, rule.severity)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rule: resident_id", "rule: residentid", 'v1.yaml:40: unknown rule "residentid", did'),
        (
            "logicalType: number",
            "logicalType: nubmer",
            ':22: unknown logicalType "nubmer", did you',
        ),
        ("classification: restricted", "classification: secret", ':24: unknown classification "s'),
        (
            "property: mask",
            "property: maks",
            'unknown custom property "maks", did you mean "mask"?',
        ),
        ("value: changed_at", "value: changedat", "changeTime names no property"),
        ("primaryKey: true", "primaryKey: false", "no property has primaryKey: true"),
        ("severity: error", "severity: fatal", 'severity is "error" or "warning"'),
        ("dimension: accuracy", "dimension: acuracy", 'unknown dimension "acuracy", did you mean'),
        ("engine: tongban", "engine: soda", "expected a quality entry with engine: tongban"),
        (
            "{property: owner, value: tax}",
            "{property: rectificationDays, value: 5}",
            "owner is mis",
        ),
        (
            "rule: resident_id}",
            "rule: compare, left: amount, op: '<', right: amonut}",
            '"amonut", d',
        ),
    ],
)
def test_a_mistake_in_a_contract_is_refused(tmp_path: Path, old: str, new: str, message: str):
    """Nothing in a contract is silently ignored."""
    assert old in GOOD

    with pytest.raises(ConfigInvalid) as caught:
        load_contract(write(tmp_path, GOOD.replace(old, new)))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    required: true",
            "    requird: true",
            'unknown key "requird", did you mean "required"?',
        ),
        ("maxLength: 20", "maxLenght: 20", 'unknown key "maxLenght", did you mean "maxLength"?'),
        ("status: active", "statsu: active", 'unknown key "statsu", did you mean "status"?'),
        ("kind: DataContract\n", "", "'kind' is a required property"),
    ],
)
def test_a_key_that_odcs_does_not_know_is_refused_at_any_depth(
    tmp_path: Path, old: str, new: str, message: str
):
    """The official JSON Schema finds what the model alone would overlook."""
    assert old in GOOD

    with pytest.raises(ConfigInvalid) as caught:
        check_contract(write(tmp_path, GOOD.replace(old, new)))

    assert message in str(caught.value)


def test_two_rules_with_one_id_are_refused(tmp_path: Path):
    """A finding must name exactly one rule."""
    again = GOOD.replace(
        "customProperties:\n- {property: changeTime",
        "  quality:\n  - {id: person_no_valid, type: custom, engine: tongban, "
        "implementation: {rule: compare, left: amount, op: '>', value: 1}}\n"
        "customProperties:\n- {property: changeTime",
    )

    with pytest.raises(ConfigInvalid, match=r'two rules have the id "person_no_valid"'):
        load_contract(write(tmp_path, again))


def test_the_digest_changes_with_any_letter(tmp_path: Path):
    """Caches and DAG versions follow the file's content."""
    one = load_contract(write(tmp_path, GOOD)).digest
    two = load_contract(write(tmp_path, GOOD.replace("事物", "物事"))).digest

    assert one != two
