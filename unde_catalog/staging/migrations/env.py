"""Alembic's entry: runs the numbered migrations over the connection that `migrate.py` hands in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
