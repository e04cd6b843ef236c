"""What the API needs beside the catalogue: pages of it by category, and which deliveries of webhooks were here.

On a big live table the indexes are built by hand before (see stores/db/migrate.py):
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_raw_products_on_sale ON raw_products (id) WHERE active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_raw_products_category ON raw_products (left(category, 100), id)
WHERE active;

Revision: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"

TABLES = """
CREATE INDEX IF NOT EXISTS idx_raw_products_on_sale ON raw_products (id) WHERE active;
-- Some shops' categories are longer than an index entry may be.
CREATE INDEX IF NOT EXISTS idx_raw_products_category ON raw_products (left(category, 100), id) WHERE active;

CREATE TABLE IF NOT EXISTS webhook_deliveries (
    digest       text PRIMARY KEY,          -- of the signature: nothing else of a delivery is sure to be its own
    brand        varchar(50) NOT NULL,
    delivery     text,                      -- the sender's name for it, for people
    received_at  timestamptz NOT NULL,
    known        integer NOT NULL DEFAULT 0,
    due          integer NOT NULL DEFAULT 0,
    unknown      integer NOT NULL DEFAULT 0,
    unknown_ids  jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS idx_webhook_deliveries_received ON webhook_deliveries (received_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
