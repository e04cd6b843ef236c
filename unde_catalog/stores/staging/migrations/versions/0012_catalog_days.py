"""How each brand stood, a row a day; and the indexes by which the report counts without reading whole tables.

On big live tables the first two indexes are built by hand before (see stores/db/migrate.py):
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_raw_products_standing
    ON raw_products (brand, image_status, sync_status, ximilar_status, index_scope) WHERE active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_due_work_reason
    ON due_work (stage, brand, reason, given_up) WHERE reason IS NOT NULL;

Revision: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"

TABLES = """
CREATE INDEX IF NOT EXISTS idx_raw_products_standing
    ON raw_products (brand, image_status, sync_status, ximilar_status, index_scope) WHERE active;
CREATE INDEX IF NOT EXISTS idx_due_work_reason
    ON due_work (stage, brand, reason, given_up) WHERE reason IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_scraper_logs_last ON scraper_logs (scraper_name, started_at DESC);

CREATE TABLE IF NOT EXISTS catalog_days (
    brand         varchar(50) NOT NULL,
    day           date NOT NULL,       -- UTC; the figures are those of the day's last look
    looked_at     timestamptz NOT NULL,
    active        integer NOT NULL,
    inactive      integer NOT NULL,
    photographed  integer NOT NULL,    -- this and what follows: of the active products
    glued         integer NOT NULL,
    wanted        integer NOT NULL,    -- are to be in the Ximilar collection ...
    indexed       integer NOT NULL,    -- ... and are
    published     integer NOT NULL,
    photos        bigint NOT NULL,     -- stored, of all products
    collages      bigint NOT NULL,
    bytes         bigint NOT NULL,     -- of both
    counted_at    timestamptz NOT NULL,   -- when photos, collages and bytes were counted
    PRIMARY KEY (brand, day)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON catalog_days TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
