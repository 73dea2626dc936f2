"""Cases: clocks and their intervals, the calendar by ordinals, blocks of numbers, aliases.

The statements stand in `r0011_cases.sql`. Until now the first run over cases made its tables, so
each is made here only where it is not there.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "r0011"
down_revision = "r0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and extend those that a run has made."""
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Never: what was promised would be forgotten. Restore a backup instead."""
    raise NotImplementedError("the hub's schema only goes forward")
