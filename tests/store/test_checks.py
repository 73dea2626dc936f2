"""CHECKs of stored tables: a second guard that never stands in the way of what is stored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tests.validate.batches import contract
from tongban.kernel.contracts import Field
from tongban.store.datasets import dataset_table, ensure_dataset
from tongban.store.engine import open_engine

pytestmark = pytest.mark.postgres
THING = contract(
    Field("no", "编号", "string", required=True, max_length=5),
    Field("price", "价格", "decimal", precision=12, scale=2, minimum=Decimal(0)),
    Field("secret", "证件", "string", classification="sensitive", max_length=3),
)
INSERT = (
    "INSERT INTO data.thing_v1 (record_id, no, price, row_digest, transfer_id) "
    "VALUES (gen_random_uuid(), :no, :price, '', gen_random_uuid())"
)


@pytest.fixture
def conn(database_url):
    """A connection whose work is rolled back."""
    engine = open_engine(database_url)
    with engine.connect() as opened:
        yield opened
        opened.rollback()
    engine.dispose()


def names(conn):
    """What the CHECKs of the table are about."""
    found = sa.inspect(conn).get_check_constraints("thing_v1", "data")
    return sorted(str(c["name"]).rpartition(".")[0] for c in found)


def changed(digest, **bounds):
    """The contract with another price."""
    fields = (THING.fields[0], replace(THING.fields[1], **bounds), THING.fields[2])
    return replace(THING, fields=fields, digest=digest * 64)


@pytest.mark.parametrize(("no", "price"), [("123456", "1"), ("1", "-0.01")])
def test_a_value_that_the_contract_refuses_is_refused_by_the_table_too(conn, no, price):
    """Whoever writes past the validation."""
    ensure_dataset(conn, THING)

    with pytest.raises(IntegrityError, match="check constraint"):
        conn.execute(sa.text(INSERT), {"no": no, "price": price})


def test_ciphertext_has_no_check(conn):
    """No engine can look into it; its index column says what it is."""
    ensure_dataset(conn, THING)

    assert ["no.length", "price.range"] == names(conn)


def test_a_loosened_contract_loosens_the_table(conn):
    """The old bound is gone, also where there is none any more."""
    ensure_dataset(conn, THING)
    ensure_dataset(conn, changed("1", minimum=None))

    conn.execute(sa.text(INSERT), {"no": "1", "price": "-5"})

    assert ["no.length"] == names(conn)


def test_a_tightened_contract_does_not_judge_what_is_stored(conn):
    """Such a CHECK would stop every later change of the old row; without such rows it is there."""
    ensure_dataset(conn, THING)
    ensure_dataset(conn, changed("1", minimum=Decimal(1)))
    assert ["no.length", "price.range"] == names(conn)
    conn.execute(sa.text(INSERT), {"no": "1", "price": "5"})

    ensure_dataset(conn, changed("2", minimum=Decimal(10)))
    conn.execute(sa.text("UPDATE data.thing_v1 SET version = version + 1"))

    assert ["no.length"] == names(conn)


def test_every_name_fits_into_63_bytes():
    """PostgreSQL would cut it, and the next start would not know it again."""
    long = contract(Field("a" * 63, "长", "string", max_length=1))

    (check,) = (c for c in dataset_table(long).constraints if isinstance(c, sa.CheckConstraint))

    assert len(str(check.name).encode()) <= 63
