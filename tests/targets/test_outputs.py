"""What the targets give beyond agreement: shape, honesty about gaps, escaping, speed, commands."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from pathlib import Path

import jsonschema
import psycopg
import pytest
import yaml
from lxml import etree
from typer.testing import CliRunner

from tongban.cli import build
from tongban.kernel.catalog import load_catalog
from tongban.kernel.contracts import load_contract
from tongban.kernel.records import BEIJING
from tongban.targets.html import contract_page
from tongban.targets.json_schema import KEYWORD, compile_json_schema, meta_schema, validator
from tongban.targets.openapi import compile_openapi
from tongban.targets.sql import compile_sql, created, stored_sql
from tongban.targets.vocabulary import URI
from tongban.targets.xsd import CERTIFICATE_GAP, XsdValidator, compile_xsd, write_records
from tongban.validate import compile_contract

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT)
WITH_EXAMPLES = [
    name for name in CATALOG.datasets if (ROOT / "contracts" / name / "examples").is_dir()
]
NOW = datetime.now(BEIJING)


def examples(dataset):
    """Rows in the exchange form, each with the error rules that it breaks."""
    contract = CATALOG.contract(dataset)
    errors = {
        r.id for r in compile_contract(contract, CATALOG.codes).rules if r.severity == "error"
    }
    folder = contract.path.parent / "examples"
    good = [(row, set()) for row in json.loads((folder / "good.json").read_text("utf-8"))]
    bad = [
        (item["row"], set(item["rules"]) & errors)
        for item in json.loads((folder / "bad.json").read_text("utf-8"))
    ]
    for row, broken in [*good, *bad]:
        yield (
            {
                name: str(value)
                if value is not None and contract.field(name).type == "decimal"
                else value
                for name, value in row.items()
            },
            broken,
        )


@pytest.mark.parametrize("dataset", WITH_EXAMPLES)
def test_examples_of_every_contract_pass_or_fail_in_json_schema_and_xsd_alike(dataset):
    """The corpus is about rules; this is about the contracts that departments signed."""
    contract = CATALOG.contract(dataset)
    judge = validator(compile_json_schema(contract, CATALOG.codes).schema, now=NOW)
    target = compile_xsd(contract, CATALOG.codes)
    xml = XsdValidator(target)
    unsaid = {gap.rule for gap in target.gaps if gap.why != CERTIFICATE_GAP}

    for row, broken in examples(dataset):
        assert bool(broken) == (not judge.is_valid(row))
        document = etree.fromstring(etree.tostring(write_records(contract, [row], NOW)))
        assert bool(broken - unsaid) == bool(xml.problems(document))


@pytest.mark.postgres
def test_every_contract_becomes_a_table_that_postgresql_takes(postgres_server):
    """With its CHECKs and, where both tables are there, its foreign keys."""
    contracts = CATALOG.contracts()
    targets = [compile_sql(c, CATALOG.codes, contracts) for c in contracts.values()]
    with psycopg.connect(postgres_server) as connection:
        for target in targets:
            for statement in (*target.functions, created(target.table)):
                connection.execute(statement.encode())
        for target in targets:
            for reference in target.references:
                connection.execute(reference.encode())
        (checks,) = connection.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'c'"
        ).fetchone()
        (links,) = connection.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
        ).fetchone()
        connection.rollback()

    assert checks > 100
    assert links >= 10


def test_stored_tables_hold_ciphertext_where_the_plain_ones_hold_text():
    """Two forms of one contract."""
    contract = CATALOG.contract("deed_tax_payment")
    plain = compile_sql(contract, CATALOG.codes).text

    assert "payer_name TEXT NOT NULL" in plain
    assert "加密存放" in plain
    assert "payer_name BYTEA" in stored_sql(contract)
    assert "payer_id_no_index BYTEA" in stored_sql(contract)


def test_warnings_are_told_and_not_enforced():
    """A CHECK would refuse what the hub accepts."""
    contract = CATALOG.contract("deed_tax_payment")
    target = compile_sql(contract, CATALOG.codes)

    assert ["deed_tax_payment.deed_tax_paid_by_buyer"] == [rule for rule, _ in target.warnings]
    assert "not enforced, a warning: deed_tax_payment.deed_tax_paid_by_buyer" in target.text


def test_json_schema_is_2020_12_and_lists_the_rules_that_need_the_vocabulary():
    """A foreign validator ignores the keyword and still checks the rest."""
    schema = compile_json_schema(CATALOG.contract("deed_tax_payment"), CATALOG.codes).schema
    foreign = jsonschema.Draft202012Validator(schema)
    row, _ = next(examples("deed_tax_payment"))
    wrong_check_digit = {**row, "payer_id_type": "111", "payer_id_no": "620899198001010010"}

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    listed = schema["$comment"].partition(": ")[2].split(", ")
    assert listed == [rule["id"] for rule in schema[KEYWORD]]
    assert meta_schema()["$vocabulary"][URI] is False
    assert foreign.is_valid(wrong_check_digit)
    assert not validator(schema).is_valid(wrong_check_digit)
    assert not foreign.is_valid({**row, "surprise": 1})
    assert not foreign.is_valid({**row, "tax_base": 12.5})


def test_no_error_of_the_vocabulary_quotes_a_value():
    """Messages travel into logs."""
    schema = compile_json_schema(CATALOG.contract("deed_tax_payment"), CATALOG.codes).schema
    row, _ = next(examples("deed_tax_payment"))
    number = "62089919800101001X"
    bad = {**row, "payer_id_type": "111", "payer_id_no": number, "ticket_no": "SECRET"}

    errors = list(validator(schema).iter_errors(bad))

    assert {KEYWORD, "pattern"} == {error.validator for error in errors}
    assert not [e for e in errors if "SECRET" in e.message or number in e.message]


def test_openapi_has_every_contract_as_a_component_that_resolves():
    """3.1, whose schemas are JSON Schema 2020-12."""
    document = compile_openapi(CATALOG.contracts().values(), CATALOG.codes).document
    schemas = document["components"]["schemas"]

    assert document["openapi"].startswith("3.1.")
    assert {c.table for c in CATALOG.contracts().values()} <= set(schemas)
    for name, schema in schemas.items():
        if name.endswith("_list"):
            assert schema["items"]["$ref"].rpartition("/")[2] in schemas


def test_page_asks_no_server_and_escapes_what_the_contract_says(tmp_path):
    """Even where a contract's text is an attack."""
    data = yaml.safe_load((ROOT / "contracts/deed_tax_payment/v1.yaml").read_text("utf-8"))
    data["description"]["purpose"] = '<script src="https://example.com/x.js"></script>'
    data["schema"][0]["properties"][0]["description"] = "<img src=x onerror=alert(1)>"
    path = tmp_path / "contracts" / "deed_tax_payment" / "v1.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")

    page = contract_page(load_contract(path), CATALOG.codes)
    tree = etree.fromstring(page.encode(), etree.HTMLParser())

    assert [] == tree.xpath("//script | //img | //link | //iframe | //*[@src or @href]")
    assert [] == re.findall(r"url\(|@import", page)
    assert "&lt;script" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


@pytest.mark.parametrize("dataset", CATALOG.datasets)
def test_page_shows_every_field_and_every_rule(dataset):
    """Chinese labels and ids."""
    contract = CATALOG.contract(dataset)
    page = contract_page(contract, CATALOG.codes)

    assert all(f">{item.name}</code>" in page for item in contract.fields)
    assert all(f"<code>{rule.id}</code>" in page for rule in contract.rules)
    assert page.index("字段") < page.index("Fields")


def test_load_and_compile_of_a_contract_is_fast():
    """At most 150 ms each; the median of all, so that one busy moment decides nothing."""
    times = []
    for contract in CATALOG.contracts().values():
        started = time.process_time()
        compile_contract(load_contract(contract.path, root=ROOT), CATALOG.codes)
        times.append(time.process_time() - started)

    assert sorted(times)[len(times) // 2] < 0.15


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("html", "deed_tax_payment"), "<!DOCTYPE html>"),
        (("sql", "deed_tax_payment"), "CREATE TABLE deed_tax_payment_v1"),
        (("sql", "deed_tax_payment", "--stored"), "CREATE TABLE data.deed_tax_payment_v1"),
        (("jsonschema", "deed_tax_payment"), '"$schema"'),
        (("jsonschema", "--openapi"), '"openapi": "3.1'),
        (("jsonschema", "--dialect"), '"$vocabulary"'),
        (("xsd", "contracts/deed_tax_payment/v1.yaml"), "targetNamespace"),
    ],
)
def test_command_prints_the_document_and_nothing_else(words, part, monkeypatch):
    """So that its output can go into a file or another tool."""
    monkeypatch.chdir(ROOT)

    result = CliRunner().invoke(build(), ["contract", *words])

    assert 0 == result.exit_code
    assert part in result.stdout
    assert not result.stdout.startswith("wrote")


def test_lint_says_file_and_line_and_ends_with_one(tmp_path):
    """A misspelt key, wherever it is."""
    path = tmp_path / "v1.yaml"
    text = (ROOT / "contracts/deed_tax_payment/v1.yaml").read_text("utf-8")
    path.write_text(text.replace("required: true", "requird: true", 1), encoding="utf-8")

    result = CliRunner().invoke(build(), ["contract", "lint", str(path)])

    assert 1 == result.exit_code
    line = text[: text.index("required: true")].count("\n") + 1
    assert f"v1.yaml:{line}: " in result.stdout
    assert 'did you mean "required"' in result.stdout
