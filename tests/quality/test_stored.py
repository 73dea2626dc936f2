"""Reading rows back: text into the contract's types, without a word about values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from tests.quality.loading import Office
from tongban.kernel.contracts import Field
from tongban.quality.stored import read_stored, snapshot, typed


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        ("string", ["a", "", None], ["a", "", None]),
        ("month", ["2026-03"], ["2026-03"]),
        ("integer", ["-3", None], [-3, None]),
        ("decimal", ["1.50", None], [Decimal("1.50"), None]),
        ("date", ["2026-03-02", None], [date(2026, 3, 2), None]),
        ("datetime", ["0", None], [datetime(1970, 1, 1, tzinfo=UTC), None]),
        ("boolean", ["true", "t", "false", "f", None], [True, True, False, False, None]),
    ],
)
def test_text_becomes_the_fields_type(kind, texts, expected):
    """As PostgreSQL and the quarantine write them."""
    item = Field("x", "字段", kind, precision=9, scale=2)

    assert expected == typed(pl.Series("x", texts, dtype=pl.String), item).to_list()


@pytest.mark.parametrize("kind", ["integer", "decimal", "date", "datetime"])
def test_text_of_another_type_is_null_and_no_error(kind):
    """An error would quote the value, and a row of an older contract must not stop the audit."""
    item = Field("x", "字段", kind, precision=9, scale=2)

    assert [None] == typed(pl.Series("x", ["secret"], dtype=pl.String), item).to_list()


@pytest.mark.postgres
def test_stored_rows_come_back_as_they_were_given(office: Office):
    """Every type, null, encrypted and plain, of the richest contract."""
    office.store("real_estate_right", {}, {"business_no": "2024031000000009", "price": None})
    contract = office.hub.catalog.contract("real_estate_right")
    with snapshot(office.hub.engine) as conn:
        (rows,) = read_stored(conn, contract, office.hub.keyring)

    by_key = {row["business_no"]: row for row in rows.frame.iter_rows(named=True)}
    first, second = by_key["2024031000000001"], by_key["2024031000000009"]
    assert "平凉市示范区示范路1号1号楼1单元101室" == first["address"]
    assert (Decimal("560000.00"), None) == (first["price"], second["price"])
    assert (1, date(2015, 6, 30)) == (first["floor"], first["completed_on"])
    assert datetime(2024, 3, 8, 1, 15, tzinfo=UTC) == first["registered_at"]
    assert sorted(rows.tokens) == rows.tokens.to_list()


@pytest.mark.postgres
def test_snapshot_cannot_write(office: Office):
    """An audit only looks."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    with pytest.raises(DBAPIError, match="read-only"), snapshot(office.hub.engine) as conn:
        conn.execute(text("DELETE FROM data.real_estate_right_v1"))
