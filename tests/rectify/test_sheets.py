"""Workbooks for departments: text only, nothing that a spreadsheet would run."""

from __future__ import annotations

import io

import openpyxl
import pytest

from tests.store.samples import PAYMENT
from tongban.rectify.sheets import OpenRow, export_rows, read_rows

EVIL = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "00123", "1E5", "2018-10-08"]


@pytest.mark.parametrize("value", EVIL)
def test_no_value_becomes_a_formula_a_number_or_a_date(value: str):
    """What the department sent is shown as it is, and comes back as it was."""
    row = OpenRow(7, {"ticket_no": "T1", "payer_name": value}, ("payer_name.pattern",))

    content = export_rows(PAYMENT, [row], {"notice": "tax-2018-0001"}, is_owner=True)

    sheet = openpyxl.load_workbook(io.BytesIO(content))["rows"]
    (cell,) = (c for c in sheet[2] if c.value == value)
    assert "s" == cell.data_type
    assert value.strip() == read_rows(content, PAYMENT)[0]["payer_name"]


def test_control_characters_do_not_stop_an_export():
    """XML has no place for them."""
    row = OpenRow(7, {"ticket_no": "T1", "payer_name": "a\x00b\x1f"}, ("payer_name.pattern",))

    content = export_rows(PAYMENT, [row], {}, is_owner=True)

    assert "a\ufffdb\ufffd" == read_rows(content, PAYMENT)[0]["payer_name"]


def test_another_reader_sees_masks_where_the_contract_classifies():
    """And whole values where it does not."""
    values = {"ticket_no": "T1", "payer_name": "王秀英", "payer_id_no": "620899198503140011"}
    row = OpenRow(7, values, ("payer_name.pattern",))

    (shown,) = read_rows(export_rows(PAYMENT, [row], {}, is_owner=False), PAYMENT)

    assert "T1" == shown["ticket_no"]
    assert not {"王秀英", "620899198503140011"} & set(shown.values())
