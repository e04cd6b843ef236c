"""The products on sale by brand, in the order of their ids: who has no place yet in recurring work is found by that.

On a big live table the index is built by hand before (see stores/db/migrate.py):
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_raw_products_active ON raw_products (brand, id) WHERE active;

Revision: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"

INDEX = "CREATE INDEX IF NOT EXISTS idx_raw_products_active ON raw_products (brand, id) WHERE active"


def upgrade() -> None:
    """Make what is missing."""
    op.execute(INDEX)
