"""The five services of the tax department: what each serves or takes, as tables.

Field names are the department's own; datasets carry the hub's names. The protocol around them is
in `tax`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.servers import fields
from sandbox.servers.inbox import Form


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull service: what it serves, and the names of list and row."""

    dataset: str
    list_name: str
    row_name: str


@dataclass(frozen=True, slots=True)
class Push:
    """One push service: what it takes, names of list and row, and the demanded form."""

    dataset: str
    list_name: str
    row_name: str
    form: Form
    operation_field: str | None = None


PULLS = {
    "A020": Pull("deed_tax_payment", "WSXXLIST", "WSXX"),
    "D001": Pull("taxpayer", "NSRXXLIST", "NSRXX"),
}
PUSHES = {
    "A005": Push(
        "sale_contract",
        "RWJSHOUSELIST",
        "RWJSHOUSE",
        Form(
            ("HTBH", "BDCDYH", "TDFWDZ", "FWJZMJ", "HTCJJG", "JYHTRQ", "JYFXXLIST"),
            {
                "BDCDYH": fields.is_unit_no,
                "FWJZMJ": fields.is_amount,
                "HTCJJG": fields.is_amount,
                "JYHTRQ": fields.is_compact_date,
            },
            required_to_delete=("HTBH",),
        ),
        operation_field="CZBZ",
    ),
    "B001": Push(
        "real_estate_right",
        "DJJGLIST",
        "DJJG",
        Form(
            ("YWH", "BDCDYH", "BDCQZH", "DJSJ", "QSZT"),
            {"BDCDYH": fields.is_unit_no, "DJSJ": fields.is_compact_time},
        ),
    ),
    "C001": Push(
        "enterprise",
        "QYDJLIST",
        "QYDJ",
        Form(
            ("SHXYDM", "QYMC", "QYZT"),
            {
                "SHXYDM": fields.is_credit_code,
                "ZCZB": fields.is_amount,
                "CLRQ": fields.is_compact_date,
            },
        ),
    ),
}
