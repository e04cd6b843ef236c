"""What collecting keeps beside raw_products: scrapes, the pages on their way in, rejected items, prices, photos.

Revision: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
-- The time for all rules about time; a test sets unde.now and days pass without waiting.
CREATE OR REPLACE FUNCTION unde_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('unde.now', true), '')::timestamptz, now()) $$;

CREATE TABLE IF NOT EXISTS scrapes (
    id            bigserial PRIMARY KEY,
    brand         varchar(50) NOT NULL,
    state         text NOT NULL,     -- intended, running, complete, partial, failed
    apify_run_id  text,
    dataset_id    text,
    lease_token   text,              -- who reads it now, and until when
    leased_until  timestamptz,
    asked_by      text,              -- the root run that asked for it
    read_to       integer NOT NULL DEFAULT 0,     -- items of the dataset that were read ...
    staged        integer NOT NULL DEFAULT 0,     -- ... and how many of them wait in scraped_items
    counts        jsonb NOT NULL DEFAULT '{}',    -- items, new, changed, ... of the whole scrape, over all its runs
    seen          integer NOT NULL DEFAULT 0,
    rejected      integer NOT NULL DEFAULT 0,
    reason        text,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz
);
CREATE INDEX IF NOT EXISTS idx_scrapes_brand ON scrapes (brand, started_at DESC);
-- At most one scrape of a brand is open, so that two runs never pay for the same catalogue.
CREATE UNIQUE INDEX IF NOT EXISTS idx_scrapes_open ON scrapes (brand) WHERE state IN ('intended', 'running');

-- A scrape's items between COPY and merge. Unlogged: a crash of the server empties it, and they are read again.
CREATE UNLOGGED TABLE IF NOT EXISTS scraped_items (
    scrape_id            bigint NOT NULL,
    position             integer NOT NULL,
    external_id          varchar(100) NOT NULL,
    name                 text,
    description          text,
    price                decimal(10, 2),
    currency             varchar(10),
    category             text,
    colour               varchar(100),
    sizes                jsonb,
    composition          text,
    original_image_urls  jsonb,
    raw_data             jsonb
);
CREATE INDEX IF NOT EXISTS idx_scraped_items_product ON scraped_items (scrape_id, external_id);

CREATE TABLE IF NOT EXISTS rejected_items (
    id           bigserial PRIMARY KEY,
    scrape_id    bigint NOT NULL REFERENCES scrapes (id) ON DELETE CASCADE,
    brand        varchar(50) NOT NULL,
    position     integer NOT NULL,
    external_id  text,
    reason       text NOT NULL,
    detail       text,
    raw          jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (scrape_id, position)     -- a page read again after a crash rejects the same item once
);
CREATE INDEX IF NOT EXISTS idx_rejected_items_brand ON rejected_items (brand, reason);

CREATE TABLE IF NOT EXISTS price_history (
    product_id  bigint NOT NULL REFERENCES raw_products (id) ON DELETE CASCADE,
    price       decimal(10, 2),
    currency    varchar(10),
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (product_id, seen_at)
);

CREATE TABLE IF NOT EXISTS product_photos (
    product_id  bigint NOT NULL REFERENCES raw_products (id) ON DELETE CASCADE,
    n           smallint NOT NULL,   -- place in original_image_urls, from 1
    source_url  text NOT NULL,
    state       text NOT NULL,       -- stored, gone, refused, failed
    reason      text,
    key         text,
    sha256      text,
    width       integer,
    height      integer,
    bytes       integer,
    fetched_at  timestamptz NOT NULL,
    PRIMARY KEY (product_id, n)
);
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
