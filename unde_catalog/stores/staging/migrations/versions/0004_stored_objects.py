"""What is known of stored objects beside their rows: photos about to be stored, and collages.

Revision: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
-- A photo that is about to be stored. Whoever finds such a row looks at the object itself: a worker may have died
-- between the object and its row, and a photo that is stored is not asked for again.
CREATE TABLE IF NOT EXISTS photo_intents (
    product_id  bigint NOT NULL REFERENCES raw_products (id) ON DELETE CASCADE,
    n           smallint NOT NULL,
    source_url  text NOT NULL,
    key         text NOT NULL,
    sha256      text NOT NULL,
    width       integer NOT NULL,
    height      integer NOT NULL,
    bytes       integer NOT NULL,
    fetched_at  timestamptz NOT NULL,
    PRIMARY KEY (product_id, n)
);

CREATE TABLE IF NOT EXISTS product_collages (
    product_id  bigint PRIMARY KEY REFERENCES raw_products (id) ON DELETE CASCADE,
    key         text NOT NULL,
    sha256      text NOT NULL,
    width       integer NOT NULL,
    height      integer NOT NULL,
    bytes       integer NOT NULL,
    made_at     timestamptz NOT NULL
);

-- Which row is this object's: asked by those who compare the store with the tables.
CREATE INDEX IF NOT EXISTS idx_product_photos_key ON product_photos (key);
CREATE INDEX IF NOT EXISTS idx_product_collages_key ON product_collages (key);
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
