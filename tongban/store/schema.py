"""The schema `hub` itself: its metadata, and the kinds of column that many of its tables have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, MetaData, text

HUB = "hub"

metadata = MetaData(
    schema=HUB,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


def moment() -> DateTime:
    """A point in time; the server keeps it in UTC."""
    return DateTime(timezone=True)


def count(name: str) -> Column[int]:
    """A count that begins with nothing."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))
