"""The migrations of the production database. How they run is in `stores/db/migrate.py`."""

from pathlib import Path

from unde_catalog.stores.db.migrate import MigrationSeries

# The app may keep tables, and an alembic_version, of its own in the same database.
PRODUCTION = MigrationSeries(
    database="production",
    versions=Path(__file__).parent / "migrations" / "versions",
    own_table="catalog_products",
    version_table="catalog_alembic_version",
    table_prefix="catalog_",
)
