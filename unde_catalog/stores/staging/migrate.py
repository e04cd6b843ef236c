"""The migrations of the staging database.

How they run, and what they may do to big tables, is in `stores/db/migrate.py`. The big tables are raw_products,
due_work, product_photos and raw_availability.
"""

from pathlib import Path

from unde_catalog.stores.db.migrate import MigrationSeries

STAGING = MigrationSeries(
    database="staging",
    versions=Path(__file__).parent / "migrations" / "versions",
    own_table="due_work",
    first_locked="raw_products",  # the order of `due_work/work_queue.py`: products before their photos before due rows
    last_locked="due_work",
)
