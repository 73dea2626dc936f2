"""The list of sealed columns is complete, whoever adds a table."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY

from tests.store.samples import PAYMENT, payments
from tongban.cases.tables import metadata as cases
from tongban.custody import reseal
from tongban.custody.places import SEALED, places_of, scopes_of
from tongban.quality.tables import metadata as quality
from tongban.store.engine import transaction
from tongban.store.tables import metadata as hub_tables

NO_ENVELOPES = (
    "content", "digest", "fingerprint", "hash", "head", "index", "key", "keys", "leaf", "previous",
    "public", "records", "root", "seed", "signature", "subjects",
)  # fmt: skip
"""Last words of binary columns with digests, blind indexes, public keys or signatures."""


def binary_columns():
    """Every column of bytes outside the schema `data`."""
    return {
        f"{table.fullname}.{column.name}"
        for metadata in (hub_tables, cases, quality)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
        or (isinstance(column.type, ARRAY) and isinstance(column.type.item_type, LargeBinary))
    }


def test_every_binary_column_is_known_to_be_sealed_or_not():
    """A sealed column that rotation does not know would lose its key: name a new one in SEALED."""
    sealed = {f"{table}.{column}" for table, columns in SEALED.items() for column in columns}
    others = {name for name in binary_columns() if re.split(r"[._]", name)[-1] not in NO_ENVELOPES}

    assert sealed == others


@pytest.mark.postgres
def test_a_datasets_columns_are_those_of_the_database(keeper):
    """Envelopes in the table and its history; indexes and digests are none."""
    with transaction(keeper.engine) as conn:
        places = {place.name: place.columns for place in places_of(conn, "payment")}

    assert {
        "data.payment_v1_history": ("payer_name", "payer_id_no"),
        "data.payment_v1": ("payer_name", "payer_id_no"),
        "hub.quarantine": ("row_sealed",),
    } == places


@pytest.mark.postgres
def test_a_field_that_the_contract_dropped_is_still_found(keeper):
    """Its column stays, and so do its envelopes."""
    keeper.store.load(payments(2))
    with transaction(keeper.engine) as conn:
        conn.execute(text("ALTER TABLE data.payment_v1 ADD COLUMN old_name bytea"))
        conn.execute(text("UPDATE data.payment_v1 SET old_name = payer_name"))

    with transaction(keeper.engine) as conn:
        places = places_of(conn, "payment")
        keys = [key.key_id for key in keeper.keyring.active_keys("payment")]
        counted = reseal.count(conn, places, keys)

    assert 2 * 3 == counted["data.payment_v1"]
    assert PAYMENT.by_name.get("old_name") is None


@pytest.mark.postgres
def test_every_stored_dataset_is_a_scope(keeper):
    """And the hub's own pages and answers are one."""
    with transaction(keeper.engine) as conn:
        assert ["payment", "sale", "sale_party", "hub"] == scopes_of(conn)
