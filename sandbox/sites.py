"""Sites: which defect may be put where, and what the hub should make of it.

"quarantined" sites can be seen by a contract that looks at one row; "accepted" ones are healed by
normalisation; "audit" ones need a look at two departments. Key fields and change times are never
touched. A site with `in_child` wrongs one nested row, and the truth line names the child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sandbox import defects as d
from sandbox.datasets import Document
from sandbox.truth import Expectation


@dataclass(frozen=True, slots=True)
class Site:
    """One defect at one place. `fits` says beforehand which parent documents qualify."""

    defect: str
    dataset: str
    expect: Expectation
    inject: d.Injector
    in_child: bool = False
    fits: Callable[[Document], bool] = lambda _doc: True


# dataset: (ID fields, required fields, unit-number fields, required dates, name fields)
FIELDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "deed_tax_payment": (
        ("NSRSBH",),
        ("NSRMC", "SZDM", "SJJE", "JKRQ"),
        ("BDCDYH",),
        ("JKRQ",),
        ("NSRMC",),
    ),
    "taxpayer": (
        ("SHXYDM", "FDDBRSFZH"),
        ("NSRMC", "SHXYDM", "NSRZTDM"),
        (),
        ("DJRQ",),
        ("FDDBRXM",),
    ),
    "real_estate_right": ((), ("BDCDYH", "BDCQZH", "QSZT"), ("BDCDYH",), ("DJSJ",), ()),
    "mortgage": ((), ("BDCDYH", "DYR", "DYQR"), ("BDCDYH",), ("DJSJ",), ("DYR",)),
    "right_status": ((), ("SYQZT", "DYZT", "CFZT"), (), (), ()),
    "sale_contract": (
        (),
        ("unitNo", "totalPrice", "status", "signTime"),
        ("unitNo",),
        ("signTime",),
        (),
    ),
    "house_unit": ((), ("unitNo", "buildingArea", "saleState"), ("unitNo",), (), ()),
    "unit_insurance": (("BAB010",), ("AAB004", "BAB010", "AAB051"), (), ("AAB050",), ()),
    "person_insurance": (("AAC002",), ("AAC002", "AAC003", "AAC008"), (), (), ("AAC003",)),
    "contribution": (("AAC002",), ("AAC002", "AAE003", "AAE020"), (), (), ()),
    "enterprise": ((), ("entname", "estdate"), (), ("estdate",), ("lerep",)),
    "enterprise_person": (("uniscid", "cerno"), ("name", "cerno", "position"), (), (), ("name",)),
    "online_application": (
        ("applicantId",),
        ("itemCode", "applicantName", "applicantId"),
        ("unitNo",),
        ("applyTime",),
        ("applicantName",),
    ),
    "evaluation": ((), ("projNo", "level", "evalTime"), (), ("evalTime",), ()),
    "service_item": (("organCode",), ("taskName", "organCode", "kind"), (), (), ()),
}
CHILD_FIELDS = {
    "real_estate_right": (("ZJH",), ("QLRMC", "ZJH"), ("QLRMC",)),
    "sale_contract": (("idNo",), ("name", "idNo", "role"), ("name",)),
}
CODES: dict[str, tuple[dict[str, str], ...]] = {
    "deed_tax_payment": ({"SZDM": "99999"}, {"ZTBZ": "9"}),
    "taxpayer": ({"NSRZTDM": "99"},),
    "real_estate_right": ({"QSZT": "9"}, {"GHYT": "77"}, {"DJLX": "123"}),
    "mortgage": ({"DYFS": "7"}, {"QSZT": "9"}),
    "right_status": ({"DYZT": "5"}, {"CFZT": "5"}),
    "sale_contract": ({"status": "77"}, {"usage": "77"}, {"contractKind": "8"}),
    "house_unit": ({"saleState": "8"}, {"usage": "77"}),
    "unit_insurance": ({"AAB051": "9"},),
    "person_insurance": ({"AAC008": "9"}, {"AAC004": "7"}),
    "enterprise": (
        {"regstate": "9", "regstateCn": "状态不详"},
        {"enttype": "0000", "enttypeCn": "类型不详"},
    ),
    "enterprise_person": ({"certype": "77"}, {"position": "旁听"}),
    "evaluation": ({"level": "9"},),
    "service_item": ({"kind": "9"},),
}
CHILD_CODES: dict[str, tuple[dict[str, str], ...]] = {
    "real_estate_right": ({"ZJZL": "55"}, {"GYFS": "8"}),
    "sale_contract": ({"idType": "77"}, {"role": "X"}),
}
AMOUNTS = {
    "deed_tax_payment": ("JSJE", "SJJE"),
    "real_estate_right": ("FDCJYJG",),
    "mortgage": ("BDBZZQSE",),
    "sale_contract": ("totalPrice",),
    "house_unit": ("buildingArea",),
    "contribution": ("AAE180", "AAE020"),
    "enterprise": ("regcap",),
}
OUT_OF_ORDER = {
    "sale_contract": (("recordTime", "signTime", -3),),
    "real_estate_right": (("JGSJ", "DJSJ", 1), ("TDSYJSSJ", "TDSYQSSJ", -1)),
    "mortgage": (("ZWLXJSSJ", "ZWLXQSSJ", -30),),
    "enterprise": (("apprdate", "estdate", -10),),
    "person_insurance": (("AAC007", "AAC006", -400),),
}
LATE = {
    "deed_tax_payment": "JKRQ",
    "real_estate_right": "DJSJ",
    "contribution": "AAE002",
    "person_insurance": "AAC049",
    "enterprise": "apprdate",
}
TEN_THOUSAND = Decimal(10000)


def all_sites() -> list[Site]:
    """List every site once, in a fixed order."""
    return [
        *_field_sites(),
        *_child_sites(),
        *_code_sites(),
        *_amount_sites(),
        *_order_sites(),
        *_late_sites(),
        *_audit_sites(),
    ]


def _field_sites() -> Iterator[Site]:
    for dataset, (ids, required, unit_numbers, dates, names) in FIELDS.items():
        yield from _identity_sites(dataset, ids, names, in_child=False)
        for field in required:
            inject = d.missing_required(field)
            yield Site("missing_required", dataset, "quarantined", inject)
        for field in unit_numbers:
            inject = d.unit_no_malformed(field)
            yield Site("unit_no_malformed", dataset, "quarantined", inject)
            yield Site("full_width_digits", dataset, "accepted", d.full_width_digits(field))
        for field in dates:
            yield Site("bad_date", dataset, "quarantined", d.bad_date(field))
            yield Site("future_date", dataset, "quarantined", d.future_date(field))
    yield Site("bad_date", "person_insurance", "quarantined", d.bad_date("AAC006"))


def _child_sites() -> Iterator[Site]:
    for dataset, (ids, required, names) in CHILD_FIELDS.items():
        yield from _identity_sites(dataset, ids, names, in_child=True)
        for field in required:
            inject = d.missing_required(field)
            yield Site("missing_required", dataset, "quarantined", inject, in_child=True)


def _identity_sites(
    dataset: str, ids: tuple[str, ...], names: tuple[str, ...], *, in_child: bool
) -> Iterator[Site]:
    for field in ids:
        inject = d.bad_check_digit(field)
        yield Site("bad_check_digit", dataset, "quarantined", inject, in_child)
        for name, healing in (
            ("full_width_digits", d.full_width_digits(field)),
            ("fifteen_digit_id", d.fifteen_digit(field)),
            ("lower_case_x", d.lower_case_x(field)),
        ):
            if name == "full_width_digits" or field not in CREDIT_FIELDS:
                yield Site(name, dataset, "accepted", healing, in_child)
    for field in names:
        yield Site("blanks_in_name", dataset, "accepted", d.blanks_in_name(field), in_child)


CREDIT_FIELDS = {"SHXYDM", "BAB010", "uniscid", "organCode"}


def _code_sites() -> Iterator[Site]:
    for table, in_child in ((CODES, False), (CHILD_CODES, True)):
        for dataset, choices in table.items():
            for values in choices:
                inject = d.unknown_code(**values)
                yield Site("unknown_code", dataset, "quarantined", inject, in_child)


def _amount_sites() -> Iterator[Site]:
    for dataset, fields in AMOUNTS.items():
        for field in fields:
            yield Site("negative_amount", dataset, "quarantined", d.negative_amount(field))
    for dataset, inject in (
        ("real_estate_right", d.wrong_unit("FDCJYJG", TEN_THOUSAND)),
        ("sale_contract", d.wrong_unit("totalPrice", 1 / TEN_THOUSAND)),
    ):
        yield Site("wrong_unit", dataset, "quarantined", inject)
    yield Site("area_mismatch", "real_estate_right", "quarantined", d.area_mismatch)
    for dataset, paid, due in (
        ("contribution", "AAE080", "AAE020"),
        ("contribution", "AAE082", "AAE022"),
        ("deed_tax_payment", "SJJE", "HJSE"),
    ):
        yield Site("paid_above_due", dataset, "quarantined", d.paid_above_due(paid, due))


def _order_sites() -> Iterator[Site]:
    for dataset, triples in OUT_OF_ORDER.items():
        for field, reference, days in triples:
            inject = d.moved_day(field, reference, days)
            yield Site("seq_out_of_order", dataset, "quarantined", inject)
    yield Site("seq_out_of_order", "enterprise", "quarantined", d.ended_before_begun)
    for dataset, field in (("person_insurance", "AAC049"), ("contribution", "AAE003")):
        yield Site("bad_month", dataset, "quarantined", d.bad_month(field))


def _late_sites() -> Iterator[Site]:
    for dataset, field in LATE.items():
        yield Site("late_change", dataset, "accepted", d.late_change(dataset, field))


def _audit_sites() -> Iterator[Site]:
    def bought(doc: Document) -> bool:
        return bool(doc.get("FDCJYHTH")) and bool(doc["QSZT"] == "1")

    def paid_by_a_person(doc: Document) -> bool:
        return (doc["ZJLX"], doc["ZTBZ"]) == ("201", "1")

    for dataset, inject, in_child, fits in (
        ("deed_tax_payment", d.other_surname("NSRMC"), False, paid_by_a_person),
        ("taxpayer", d.other_company_name("NSRMC"), False, _always),
        ("unit_insurance", d.other_company_name("AAB004"), False, _always),
        ("real_estate_right", d.other_surname("QLRMC"), True, bought),
    ):
        yield Site("name_mismatch", dataset, "audit", inject, in_child, fits)
    yield Site("price_mismatch", "deed_tax_payment", "audit", d.other_tax_base)
    yield Site("price_mismatch", "real_estate_right", "audit", d.other_registered_price)
    yield Site("share_sum", "real_estate_right", "audit", _smaller_part("QLBL"), in_child=True)
    yield Site("share_sum", "sale_contract", "audit", _smaller_part("share"), in_child=True)


def _always(_doc: Document) -> bool:
    return True


def _smaller_part(field: str) -> d.Injector:
    """Let one of several holders have less than was agreed."""
    smaller = {
        "50%": "40%",
        "1/2": "1/3",
        "60%": "50%",
        "40%": "30%",
        "2/3": "1/2",
        "1/3": "1/4",
        "30%": "20%",
    }

    def inject(doc: Document, _random: object, _today: object) -> bool:
        if doc[field] not in smaller:
            return False
        doc[field] = smaller[str(doc[field])]
        return True

    return inject
