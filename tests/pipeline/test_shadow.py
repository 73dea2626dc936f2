"""Shadow runs: landed pages through changed files, against real systems and a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from tests.conftest import fresh_database
from tests.pipeline.city import ROOT, CityHub
from tongban.cli import build
from tongban.kernel.errors import ConfigInvalid
from tongban.onboarding import shadow
from tongban.onboarding.shadow import open_shadow
from tongban.onboarding.trial import try_sample
from tongban.store.landed import read_only

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

PAID = ROOT / "mappings" / "tax" / "deed_tax_payment.yaml"
CONTRACT = ROOT / "contracts" / "deed_tax_payment" / "v1.yaml"
TABLES = """
    SELECT format('%%I.%%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
     ORDER BY 1
"""


@pytest.fixture(scope="module")
def paid(city_template, tmp_path_factory, postgres_server, database_template):
    """A hub that has pulled the tax payments once; no test here changes anything."""
    for url in fresh_database(postgres_server, f"TEMPLATE {database_template}"):
        running = CityHub(city_template, tmp_path_factory.mktemp("shadow"), url)
        try:
            running.pull("deed_tax_payment")
            yield running
        finally:
            running.close()


def edited(source: Path, folder: Path, *changes: tuple[str, str]) -> Path:
    """A changed copy of a file, outside the catalog."""
    content = source.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in content
        content = content.replace(old, new, 1)
    path = folder / source.name
    path.write_text(content, encoding="utf-8")
    return path


def compare(city, mapping: Path, **options):
    """One shadow run."""
    with open_shadow(city.settings) as run:
        return run.compare(mapping, **options)


def test_unchanged_files_differ_in_nothing(paid):
    """And every row that was loaded is read again."""
    found = compare(paid, PAID)
    loaded = paid.rows(
        "SELECT read_rows, quarantined_rows FROM hub.transfer WHERE dataset = 'deed_tax_payment'"
    )[0]

    assert found.is_same
    assert found.read == loaded["read_rows"] >= 40
    assert found.still_quarantined == loaded["quarantined_rows"]
    assert found.read == found.same + found.still_quarantined
    assert [] == found.examples


def test_another_unit_changes_its_field_and_breaks_its_rules(paid, tmp_path):
    """Every row is in exactly one count; the rules that refuse it are named."""
    unit = "tax_base: {from: JSJE, ops: [{money: {unit: "
    changed = edited(PAID, tmp_path, (f"{unit}元", f"{unit}分"))

    found = compare(paid, changed)

    assert not found.is_same
    assert found.newly_quarantined >= 40
    assert max(found.new_rules.values()) <= found.newly_quarantined
    assert {"tax_base"} >= set(found.by_field)
    assert found.read == (
        found.same + found.changed + found.newly_accepted
        + found.newly_quarantined + found.still_quarantined
    )  # fmt: skip


def test_other_field_is_counted_and_shown_masked(paid, tmp_path):
    """Examples have a token, never a name."""
    changed = edited(PAID, tmp_path, ("payer_name: {from: NSRMC", "payer_name: {from: SKSSJGDM"))

    found = compare(paid, changed, examples=3)

    assert found.changed == found.by_field["payer_name"] >= 40
    assert 3 == len(found.examples)
    for example in found.examples:
        ((field, before, after),) = example.fields
        assert "payer_name" == field
        assert "*" in before
        assert "*" in after
        assert 12 == len(example.token)


def test_stricter_contract_is_shown_by_the_rule_that_refuses(paid, tmp_path):
    """The contract's file need not be in the catalog either."""
    stricter = edited(
        CONTRACT, tmp_path,
        ('pattern: "^[0-9]{11}$"', 'pattern: "^[A-Z]+$"'),
    )  # fmt: skip

    found = compare(paid, PAID, contract_file=stricter)

    assert found.newly_quarantined == found.new_rules["tax_organ.pattern"] >= 40
    assert 0 == found.newly_accepted
    assert {"newly quarantined"} == {example.what for example in found.examples}


def test_looser_contract_accepts_what_waits_in_the_quarantine(paid, tmp_path):
    """And says by which rule it was refused."""
    before, _, after = CONTRACT.read_text("utf-8").partition("- name: payer_name\n")
    looser = tmp_path / "v1.yaml"
    optional = after.replace("required: true", "required: false", 1)
    looser.write_text(f"{before}- name: payer_name\n{optional}", "utf-8")

    found = compare(paid, PAID, contract_file=looser)

    assert found.freed_rules["payer_name.required"] == found.newly_accepted > 0
    assert 0 == found.newly_quarantined


def test_chunks_do_not_change_the_counts(paid, tmp_path, monkeypatch):
    """Memory is one chunk, whatever the number of pages."""
    changed = edited(PAID, tmp_path, ("payer_name: {from: NSRMC", "payer_name: {from: HTBH"))
    whole = compare(paid, changed, examples=0)
    monkeypatch.setattr(shadow, "ROWS_PER_CHUNK", 1)

    assert whole == compare(paid, changed, examples=0)


def test_nothing_is_written(paid, tmp_path):
    """Neither the database nor a folder of the hub is another afterwards."""
    changed = edited(PAID, tmp_path, ("payer_name: {from: NSRMC", "payer_name: {from: HTBH"))

    def state():
        home = paid.settings.home
        files = {p: p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}
        tables = {
            row["name"]: paid.one(
                f"SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {row['name']} t"
            )
            for row in paid.rows(TABLES)
        }
        assert len(tables) > 20
        return tables, files

    before = state()
    compare(paid, changed)

    assert before == state()


def test_the_server_itself_refuses_to_write(paid):
    """The transaction is read-only, so not even a mistake of ours could write."""
    with (
        pytest.raises(DBAPIError, match="read-only transaction"),
        read_only(paid.hub.engine) as conn,
    ):
        conn.execute(text("DELETE FROM hub.transfer"))


def test_a_transfer_can_be_named_and_a_wrong_one_is_refused(paid):
    """By its id; a landing of another system is none of this mapping's."""
    transfer = paid.one("SELECT transfer_id FROM hub.transfer WHERE dataset = 'deed_tax_payment'")

    assert compare(paid, PAID, transfer=str(transfer)).is_same
    with pytest.raises(ConfigInvalid, match="no landing of that transfer"):
        compare(paid, PAID, transfer="00000000-0000-0000-0000-000000000000")
    with pytest.raises(ConfigInvalid, match="expected the id of a transfer"):
        compare(paid, PAID, transfer="7")
    with pytest.raises(ConfigInvalid, match="no landing of tax/taxpayer"):
        compare(paid, ROOT / "mappings" / "tax" / "taxpayer.yaml")


def test_mapping_that_explodes_another_list_cannot_be_compared(paid, tmp_path):
    """Row beside row needs the same rows."""
    changed = edited(PAID, tmp_path, ("key: [DZSPHM]", "explode: LIST\nkey: [DZSPHM]"))

    with pytest.raises(ConfigInvalid, match="explode is another list than now"):
        compare(paid, changed)


def test_the_command_ends_with_0_or_1(paid, tmp_path, monkeypatch):
    """0 where nothing differs, 1 where something does; the document says what."""
    monkeypatch.setenv("TONGBAN_HOME", str(paid.settings.home))
    monkeypatch.setenv("TONGBAN_DATABASE_URL", paid.database_url)
    changed = edited(PAID, tmp_path, ("payer_name: {from: NSRMC", "payer_name: {from: HTBH"))

    same = CliRunner().invoke(build(), ["map", "shadow", str(PAID), "--json"])
    other = CliRunner().invoke(build(), ["map", "shadow", str(changed), "--json"])
    told = CliRunner().invoke(build(), ["map", "shadow", str(changed), "--examples", "1"])

    assert (0, 1, 1) == (same.exit_code, other.exit_code, told.exit_code)
    assert json.loads(same.stdout)["is_same"]
    assert {"payer_name"} == set(json.loads(other.stdout)["by_field"])
    assert "nothing was written" in told.stdout


def test_a_landed_page_can_be_tried_as_it_came(paid, tmp_path):
    """The system's own decoder reads it; nobody in it is shown."""
    row = paid.rows("SELECT landing FROM hub.transfer WHERE dataset = 'deed_tax_payment'")[0]
    landing = paid.hub.landing.landing(*row["landing"].split("/"))
    body = next(iter(landing.pages())).body
    page = tmp_path / "page.xml"
    page.write_bytes(body)

    found = try_sample(ROOT, PAID, page, rows=3)

    assert 3 == len(found.rows) < found.total
    names = {cell.after for r in found.rows for cell in r.fields if cell.field == "payer_name"}
    assert all("*" in name for name in names if name is not None)
