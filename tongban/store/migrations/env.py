"""Alembic's environment: runs inside the transaction that `tongban.store.migrate` opened."""

from __future__ import annotations

from alembic import context

from tongban.store.tables import HUB, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=HUB,
)
with context.begin_transaction():
    context.run_migrations()
