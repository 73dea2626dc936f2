"""One audit on a real database: what it finds, writes, and never lets out."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta

import pytest

from tests.quality.loading import Office
from tongban.evidence.log import check as check_evidence
from tongban.evidence.log import export
from tongban.kernel.errors import EnvelopeBroken
from tongban.quality import run_audit
from tongban.quality.engines import GreatExpectations
from tongban.quality.masks import Measured, Measuring
from tongban.quality.native import native_checks
from tongban.quality.refused import read_refused
from tongban.quality.stored import read_stored, snapshot
from tongban.validate import compile_contract

pytestmark = pytest.mark.postgres

CANARY_ID = "620899197906010"  # of 18 digits; the good rows' numbers begin otherwise
CANARY_NUMBER = CANARY_ID + "09X"
CANARY_NAME = "欧阳鸢尾"
CANARY_PAYER = "司徒凤凰"
BAD_NUMBER = CANARY_ID + "091"  # wrong check digit
DAY = date(2026, 3, 2)  # a Monday without holidays near
NEEDLES = (CANARY_NUMBER, BAD_NUMBER, CANARY_NAME, CANARY_PAYER, CANARY_NAME[1:], CANARY_ID[6:])


def payment(ticket: int, **more: object) -> dict[str, object]:
    """A good payment with a ticket number of its own."""
    return {"ticket_no": f"3620899240{ticket:08d}", **more}


def measure(office: Office, dataset: str) -> Measured:
    """One dataset, measured as an audit does."""
    hub = office.hub
    contract = hub.catalog.contract(dataset)
    from datetime import datetime

    from tongban.kernel.records import BEIJING

    plan = compile_contract(contract, hub.catalog.codes)
    measuring = Measuring(contract, plan, datetime.now(BEIJING))
    with snapshot(hub.engine) as conn:
        for rows in read_stored(conn, contract, hub.keyring, rows=2):
            measuring.add_stored(rows)
        measuring.add_refused(read_refused(conn, contract, hub.keyring))
    return measuring.done()


def findings(office: Office, kind: str) -> list[tuple]:
    """(dataset, name, owner, other owner, rows) of the newest audit."""
    return office.rows(
        "SELECT dataset, name, owner, other_owner, rows FROM quality.audit_finding"
        " WHERE kind = :kind AND run_id = (SELECT run_id FROM quality.audit_run"
        " ORDER BY run_no DESC LIMIT 1) ORDER BY dataset, name",
        kind=kind,
    )


@pytest.fixture
def planted(office: Office) -> Office:
    """Rows with names and numbers that must not come out anywhere, stored and refused."""
    office.store(
        "sale_contract_party",
        {"party_no": 1, "name": CANARY_NAME, "id_no": CANARY_NUMBER, "role": "buyer"},
        {"party_no": 2, "name": CANARY_NAME, "id_no": BAD_NUMBER},
    )
    office.store(
        "deed_tax_payment",
        payment(1, payer_name=CANARY_PAYER, payer_id_no=CANARY_NUMBER),
        payment(2, payer_name=CANARY_PAYER, payer_id_no=BAD_NUMBER),
        payment(3, payer_name=None, payer_id_no=CANARY_NUMBER),
        payment(4, payer_role="seller"),
    )
    return office


def test_audit_counts_stored_warnings_and_quarantined_errors(planted):
    """Both together are what the contract finds."""
    counts = run_audit(planted.hub, day=DAY)

    assert [
        ("deed_tax_payment", "deed_tax_payment.deed_tax_paid_by_buyer", "tax", "", 1),
        ("deed_tax_payment", "deed_tax_payment.payer_id_valid", "tax", "", 1),
        ("deed_tax_payment", "payer_name.required", "tax", "", 1),
        ("sale_contract_party", "sale_contract_party.id_no_valid", "housing", "", 1),
    ] == [(d, n if "." in n else f"{d}.{n}", *more) for d, n, *more in findings(planted, "rule")]
    assert (3, 3) == (counts["stored"], counts["quarantined"])
    assert 0 == counts["disagreements"]


def test_comparison_names_both_owners_and_the_record(planted):
    """Tax and housing know the same person under two names; tax is asked first."""
    run_audit(planted.hub, day=DAY)

    assert [("deed_tax_payment", "payer_name", "tax", "housing", 1)] == findings(
        planted, "comparison"
    )
    ticket = planted.rows(
        "SELECT f.tokens[1] = p.record_id FROM quality.audit_finding f"
        " JOIN data.deed_tax_payment_v1 p ON p.payer_role = 'buyer'"
        " WHERE f.kind = 'comparison'"
    )
    assert [(True,)] == ticket


def test_no_planted_value_leaves_memory(planted, caplog, capfd):
    """Not to Great Expectations, not to the report, the tables, the evidence, logs or counts."""
    counts = run_audit(planted.hub, day=DAY)
    engine = GreatExpectations()
    texts = [json.dumps(counts, ensure_ascii=False), caplog.text, *capfd.readouterr()]
    texts += [p.read_text("utf-8") for p in (planted.hub.settings.home / "reports").iterdir()]
    texts += list(export(planted.hub.engine))
    for table in ("audit_run", "audit_score", "audit_finding"):
        texts += [str(row) for row in planted.rows(f"SELECT t::text FROM quality.{table} t")]
    source = engine.open_database(planted.hub.engine)
    for dataset in ("deed_tax_payment", "sale_contract_party"):
        measured = measure(planted, dataset)
        checks = native_checks(measured.contract, planted.hub.catalog.codes)
        results = (
            engine.validate_masks(measured),
            engine.validate_columns(source, measured, checks),
        )
        texts += [json.dumps(r.to_json_dict(), ensure_ascii=False) for r in results]
        texts += [repr(measured), str(measured.samples)]
    engine.close(source)

    assert all(len(text) > 10 for text in texts[4:])
    for needle in NEEDLES:
        assert [] == [text[:80] for text in texts if needle in text], "a value came out"


def test_results_of_great_expectations_hold_counts_only(planted):
    """No list of values, of rows, and no query that would find them."""
    engine = GreatExpectations()
    measured = measure(planted, "deed_tax_payment")
    source = engine.open_database(planted.hub.engine)
    checks = native_checks(measured.contract, planted.hub.catalog.codes)
    results = [
        *engine.validate_masks(measured).results,
        *engine.validate_columns(source, measured, checks).results,
    ]
    engine.close(source)

    assert {
        "element_count", "missing_count", "missing_percent", "observed_value", "unexpected_count",
        "unexpected_percent", "unexpected_percent_nonmissing", "unexpected_percent_total",
    } == {name for item in results for name in item.result}  # fmt: skip


def test_great_expectations_counts_every_rule_as_we_do(planted):
    """Its own count over the masks, rule by rule."""
    measured = measure(planted, "deed_tax_payment")

    counted = GreatExpectations().count_masks(measured)

    assert () == counted.broken
    assert {rule.id for rule in measured.plan.rules} | {"$rows", "$tokens"} == set(
        counted.unexpected
    )
    assert {rule: count.bad for rule, count in measured.counts.items()} == {
        rule: bad for rule, bad in counted.unexpected.items() if not rule.startswith("$")
    }


def test_both_engines_see_what_was_changed_behind_the_hub(planted):
    """An unknown code and a negative sum in the database itself: two engines, one count."""
    for (name,) in planted.rows(
        "SELECT conname FROM pg_constraint WHERE conname LIKE 'tax_base.range%'"
    ):
        planted.run(f'ALTER TABLE data.deed_tax_payment_v1 DROP CONSTRAINT "{name}"')
    planted.run("UPDATE data.deed_tax_payment_v1 SET house_kind = 'castle', tax_base = -1")

    counts = run_audit(planted.hub, day=DAY)

    found = {name: rows for _, name, *_, rows in findings(planted, "rule")}
    assert (2, 2) == (found["house_kind.code"], found["tax_base.range"])
    assert 0 == counts["disagreements"]


def test_engines_that_differ_are_a_finding_of_the_audit_itself(planted, monkeypatch):
    """Here the second engine is asked for a smaller code table than the contract's."""
    from tongban.quality import audit

    def fewer_codes(contract, codes):
        checks = native_checks(contract, codes)
        for check in checks:
            if check.rule == "house_kind.code":
                check.parameters["value_set"] = ["nothing"]
        return checks

    monkeypatch.setattr(audit, "native_checks", fewer_codes)

    counts = run_audit(planted.hub, day=DAY)

    assert 1 == counts["disagreements"]
    assert [("deed_tax_payment", "house_kind.code", "hub", "", 2)] == findings(planted, "engine")


def test_changed_envelope_stops_the_audit_before_anything_is_written(planted):
    """A value that cannot be opened is no row that passes."""
    planted.run(
        "UPDATE data.deed_tax_payment_v1 SET payer_name ="
        " set_byte(payer_name, length(payer_name) - 1, 255 - get_byte(payer_name,"
        " length(payer_name) - 1))"
    )

    with pytest.raises(EnvelopeBroken):
        run_audit(planted.hub, day=DAY)

    assert [(0,)] == planted.rows("SELECT count(*) FROM quality.audit_run")
    assert not (planted.hub.settings.home / "reports").exists()


def test_evidence_holds_the_digest_of_the_report(planted):
    """Who has the file and the log can prove that they belong together."""
    counts = run_audit(planted.hub, day=DAY)

    entry = [json.loads(line) for line in export(planted.hub.engine)][-1]
    path = planted.hub.settings.home / "reports" / entry["subject"]["report"]
    assert ("audit", counts["run_id"]) == (entry["kind"], entry["subject"]["run"])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["leaf"]
    assert check_evidence(planted.hub.engine) > 0


def test_latest_report_is_the_last_one(planted):
    """And the earlier ones stay."""
    run_audit(planted.hub, day=DAY)
    run_audit(planted.hub, day=DAY + timedelta(days=1))

    folder = planted.hub.settings.home / "reports"
    newest = planted.rows("SELECT report FROM quality.audit_run ORDER BY run_no DESC LIMIT 1")
    assert (folder / newest[0][0]).read_bytes() == (folder / "latest.html").read_bytes()
    assert 3 == len(list(folder.iterdir()))


def test_deadline_does_not_move_when_the_audit_runs_again(planted):
    """Five working days from the first sight of the comparison's finding."""
    run_audit(planted.hub, day=DAY)
    run_audit(planted.hub, day=DAY + timedelta(days=3))
    counts = run_audit(planted.hub, day=DAY + timedelta(days=8))

    dues = planted.rows(
        "SELECT DISTINCT found_on, due_on, is_provisional FROM quality.audit_finding"
        " WHERE kind = 'comparison'"
    )
    assert [(DAY, date(2026, 3, 9), False)] == dues
    assert counts["overdue"] >= 1


def test_finding_that_was_mended_and_comes_back_is_found_anew(planted):
    """Its old deadline belongs to the old mistake."""
    run_audit(planted.hub, day=DAY)
    planted.store(
        "deed_tax_payment",
        payment(1, payer_name=CANARY_NAME, payer_id_no=CANARY_NUMBER,
                changed_at="2024-03-09T09:15:00+08:00"),
    )  # fmt: skip
    run_audit(planted.hub, day=DAY + timedelta(days=1))
    assert [] == findings(planted, "comparison")
    planted.store(
        "deed_tax_payment",
        payment(1, payer_name=CANARY_PAYER, payer_id_no=CANARY_NUMBER,
                changed_at="2024-03-10T09:15:00+08:00"),
    )  # fmt: skip
    run_audit(planted.hub, day=DAY + timedelta(days=2))

    dues = planted.rows(
        "SELECT found_on FROM quality.audit_finding WHERE kind = 'comparison' ORDER BY 1"
    )
    assert [(DAY,), (DAY + timedelta(days=2),)] == dues


def test_corrected_row_leaves_the_count_and_the_balance_says_so(planted):
    """The department sends ticket 2 again with the right number."""
    planted.store(
        "deed_tax_payment",
        payment(2, payer_id_no=CANARY_NUMBER, changed_at="2024-03-09T09:15:00+08:00"),
    )

    counts = run_audit(planted.hub, day=DAY)

    assert (4, 2) == (counts["stored"], counts["quarantined"])
    assert not [n for _, n, *_ in findings(planted, "rule") if n.endswith("payer_id_valid")]


def test_empty_hub_has_a_report_and_no_score(office):
    """The first audit may come before the first transfer."""
    counts = run_audit(office.hub, day=DAY)

    assert (None, "—", 0) == (counts["score"], counts["grade"], counts["datasets"])
    assert "没有入库数据" in (office.hub.settings.home / "reports" / "latest.html").read_text(
        "utf-8"
    )


def test_rows_are_measured_the_same_in_any_chunks(planted):
    """Chunks of two rows give the counts, tokens and digest of one."""
    hub = planted.hub
    contract = hub.catalog.contract("deed_tax_payment")
    with snapshot(hub.engine) as conn:
        small = list(read_stored(conn, contract, hub.keyring, rows=1))
        whole = list(read_stored(conn, contract, hub.keyring))

    assert (2, 1) == (len(small), len(whole))
    assert whole[0].content == b"".join(rows.content for rows in small)
    assert whole[0].frame.equals(small[0].frame.vstack(small[1].frame))


def test_snapshot_does_not_see_what_is_loaded_meanwhile(planted):
    """Neither engine is confused by a transfer that runs beside the audit."""
    hub = planted.hub
    contract = hub.catalog.contract("deed_tax_payment")
    engine = GreatExpectations()
    with snapshot(hub.engine) as conn:
        before = sum(r.frame.height for r in read_stored(conn, contract, hub.keyring))
        source = engine.open_database(hub.engine, conn)
        planted.store("deed_tax_payment", payment(9))
        after = sum(r.frame.height for r in read_stored(conn, contract, hub.keyring))
        measured = measure(planted, "deed_tax_payment")
        counted = engine.count_columns(source, measured, [])
        engine.close(source)

    assert (2, 2, 3) == (before, after, measured.stored)
    assert {"$rows": 1} == counted.unexpected, "the second engine still sees two rows, not three"
