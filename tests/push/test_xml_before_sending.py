"""XML that would break the push mapping's own schema is refused here, by name, and never sent."""

from __future__ import annotations

import pytest

from tests.push.samples import CODES, PAYMENT_OUT, SALE_OUT, made, mapping_of
from tests.store.samples import PARTY, PAYMENT, SALE, payments
from tongban.kernel.catalog import load_catalog
from tongban.kernel.settings import load_settings
from tongban.targets.push_xsd import PushCheck, compile_push_xsd, speaks_xml

GOOD = {
    "ticket": "T000000",
    "payer": {"name": "张0", "id": "620899********0000"},
    "amount": "100.00",
    "paid_at": "2026-03-01T09:00:00+08:00",
}
PERIOD_OUT = mapping_of("payment", made("ticket", "ticket_no"), made("period", "period"))


@pytest.fixture
def check():
    """The check of the payments' mapping."""
    return PushCheck(compile_push_xsd(PAYMENT_OUT, {"payment": PAYMENT}, CODES))


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("amount", {"amount": "100.0"}),
        ("amount", {"amount": "1e2"}),
        ("paid_at", {"paid_at": "2026-03-01 09:00:00"}),
        ("amount", {"ticket": None}),
        ("unknown", {"unknown": "x"}),
        ("payer.name", {"payer": {"id": "x"}}),
    ],
)
def test_a_document_that_does_not_fit_is_named_by_its_field(check, field, changed):
    """Its neighbours fit; a missing element shows at the one that came in its place."""
    found = check([GOOD, {**GOOD, **changed}, GOOD])

    assert [None, None] == [found[0], found[2]]
    assert found[1] in {field, "payer.id", "payer"}


def test_children_are_held_against_their_own_mapping():
    """A list inside the document; an empty one is right."""
    check = PushCheck(compile_push_xsd(SALE_OUT, {"sale": SALE, "sale_party": PARTY}, CODES))
    good = {"no": "C1", "usage": "住宅", "LIST": {"PARTY": [{"NAME": "张", "SHARE": "50%"}]}}
    empty = {**good, "LIST": {"PARTY": []}}
    wrong = {**good, "LIST": {"PARTY": [good["LIST"]["PARTY"][0], {"NAME": "李", "SHARE": "0.5"}]}}

    assert [None, None, "LIST.PARTY.SHARE"] == check([good, empty, wrong])


def test_a_character_that_xml_has_not_is_left_to_the_connector(check):
    """Which names it itself; nothing here breaks, and the next document is judged as itself."""
    bad = {**GOOD, "ticket": "T\x00"}

    assert [None, "amount"] == check([bad, {**GOOD, "amount": "x"}])


@pytest.mark.postgres
def test_the_record_is_rejected_with_a_code_and_its_neighbours_go_out(hub, office):
    """Never sent, never lost, nobody blocked."""
    hub.load(payments(4), subscribers=("office",))
    with hub.engine.begin() as conn:  # what the contract of today would refuse
        conn.exec_driver_sql(
            "UPDATE data.payment_v1 SET period = '2026/03' WHERE ticket_no = 'T000002'"
        )

    done = office.deliver(PERIOD_OUT, is_xml=True)

    assert (3, 1) == (done.accepted, done.rejected)
    assert ["TONGBAN_UNFIT:period"] == [
        code for (code,) in hub.rows("SELECT code FROM hub.outbox WHERE state = 'rejected'")
    ]
    assert 3 == len(office.held)


def test_the_routes_that_speak_xml_are_those_of_the_soap_systems():
    """And the tax office, whose records travel as text inside an envelope."""
    catalog = load_catalog(load_settings().root)
    spoken = {
        route.name
        for route in catalog.push_routes
        if speaks_xml(
            catalog.system(route.target), catalog.system(route.target).accepts[route.dataset]
        )
    }

    assert {
        "registration_deed_tax_payment",
        "registration_sale_contract",
        "social_enterprise",
        "tax_enterprise",
        "tax_real_estate_right",
        "tax_sale_contract",
    } <= spoken
    assert "substation_case_acceptance" not in spoken
