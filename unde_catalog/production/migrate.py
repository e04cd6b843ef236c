"""The production database's own migrations; how they are run is `staging/migrate.py`'s."""

from pathlib import Path

from unde_catalog.staging.migrate import Series

# The app may keep tables, and an alembic_version, of its own in the same database.
PRODUCTION = Series(Path(__file__).parent / "migrations", "catalog_alembic_version", "catalog_")
