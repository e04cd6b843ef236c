"""Alembic's entry: runs the numbered migrations over the connection that `migrate.py` hands in."""

from alembic import context

given = context.config.attributes
context.configure(
    connection=given["connection"],
    version_table=given.get("version_table", "alembic_version"),
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
