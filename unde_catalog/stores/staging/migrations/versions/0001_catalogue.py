"""The catalogue's tables as spec 1 lists them: other systems read these, so nothing is renamed or dropped.

Revision: 0001
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE IF NOT EXISTS raw_products (
    id                    bigserial PRIMARY KEY,
    source                varchar(50)  NOT NULL,
    external_id           varchar(100) NOT NULL,
    brand                 varchar(50)  NOT NULL,
    name                  text,
    description           text,
    price                 decimal(10, 2),
    currency              varchar(10) DEFAULT 'AED',
    category              text,
    colour                varchar(100),
    sizes                 jsonb,
    composition           text,
    original_image_urls   jsonb,
    image_urls            jsonb,
    collage_url           text,
    raw_data              jsonb,
    scraped_at            timestamptz NOT NULL,
    image_status          varchar(20) DEFAULT 'pending',
    sync_status           varchar(20) DEFAULT 'pending',
    ximilar_status        varchar(20) DEFAULT 'pending',
    ximilar_synced_at     timestamptz,
    index_scope           text DEFAULT 'off',
    ximilar_synced_urls   jsonb DEFAULT '[]',
    ximilar_target_count  smallint DEFAULT 2,
    synced_at             timestamptz,
    error_message         text,
    created_at            timestamptz DEFAULT now(),
    updated_at            timestamptz DEFAULT now(),
    UNIQUE (source, external_id)
);
-- Beside spec 1's columns: is it on sale, and which scrape saw it last.
ALTER TABLE raw_products ADD COLUMN IF NOT EXISTS active boolean NOT NULL DEFAULT true;
ALTER TABLE raw_products ADD COLUMN IF NOT EXISTS last_scrape_id bigint;

CREATE INDEX IF NOT EXISTS idx_raw_products_brand ON raw_products (brand);
CREATE INDEX IF NOT EXISTS idx_raw_products_image_status ON raw_products (image_status);
CREATE INDEX IF NOT EXISTS idx_raw_products_sync_status ON raw_products (sync_status);
CREATE INDEX IF NOT EXISTS idx_raw_products_ximilar_status ON raw_products (ximilar_status);
CREATE INDEX IF NOT EXISTS idx_raw_products_external_id ON raw_products (external_id);
CREATE INDEX IF NOT EXISTS idx_raw_products_scraped_at ON raw_products (scraped_at);

-- Where it is there already, an index needs it as it is.
DO $do$
BEGIN
    IF to_regprocedure('to_date_immutable(timestamptz)') IS NULL THEN
        CREATE FUNCTION to_date_immutable(ts timestamptz) RETURNS date
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (ts AT TIME ZONE 'UTC')::date $$;
    END IF;
END $do$;

CREATE TABLE IF NOT EXISTS raw_availability (
    id              bigserial PRIMARY KEY,
    brand           varchar(50)  NOT NULL,
    store_id        integer      NOT NULL,
    product_id      varchar(100) NOT NULL,
    sizes_in_stock  jsonb        NOT NULL,
    fetched_at      timestamptz  NOT NULL,
    created_at      timestamptz DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_raw_availability_unique_daily
    ON raw_availability (brand, store_id, product_id, to_date_immutable(fetched_at));
CREATE INDEX IF NOT EXISTS idx_raw_availability_brand_store ON raw_availability (brand, store_id);
CREATE INDEX IF NOT EXISTS idx_raw_availability_product ON raw_availability (product_id);
CREATE INDEX IF NOT EXISTS idx_raw_availability_fetched ON raw_availability (fetched_at);
CREATE INDEX IF NOT EXISTS idx_raw_availability_lookup
    ON raw_availability (brand, store_id, product_id, fetched_at DESC);
CREATE INDEX IF NOT EXISTS idx_raw_availability_brand_product ON raw_availability (brand, product_id);

CREATE TABLE IF NOT EXISTS raw_stores (
    id          serial PRIMARY KEY,
    brand       varchar(50) NOT NULL,
    store_id    integer NOT NULL,
    name        text,
    address     text,
    mall_name   text,
    city        varchar(100) DEFAULT 'Dubai',
    country     varchar(10) DEFAULT 'AE',
    latitude    decimal(10, 7),
    longitude   decimal(10, 7),
    created_at  timestamptz DEFAULT now(),
    UNIQUE (brand, store_id)
);

CREATE TABLE IF NOT EXISTS scraper_logs (
    id                bigserial PRIMARY KEY,
    scraper_name      varchar(100) NOT NULL,
    run_id            varchar(100),
    status            varchar(20) NOT NULL,
    records_fetched   integer DEFAULT 0,
    records_new       integer DEFAULT 0,
    records_updated   integer DEFAULT 0,
    records_errors    integer DEFAULT 0,
    started_at        timestamptz NOT NULL,
    completed_at      timestamptz,
    duration_seconds  integer,
    error_message     text,
    metadata          jsonb,
    created_at        timestamptz DEFAULT now()
);
CREATE INDEX IF NOT EXISTS idx_scraper_logs_name ON scraper_logs (scraper_name);
CREATE INDEX IF NOT EXISTS idx_scraper_logs_started ON scraper_logs (started_at DESC);
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
