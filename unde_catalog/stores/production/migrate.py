"""The production database's own migrations; how they are run is `stores/db/migrate.py`'s."""

from pathlib import Path

from unde_catalog.stores.db.migrate import Series

# The app may keep tables, and an alembic_version, of its own in the same database.
PRODUCTION = Series(Path(__file__).parent / "migrations", "catalog_alembic_version", "catalog_")
