"""What is published, and what a publication needs on its way; all names begin with catalog_, as the app's tables may
live in the same database.

Revision: 0001
"""

from alembic import op

revision = "0001"
down_revision = None

# What the app reads. Nothing is ever deleted: what is not on sale is not active, and keeps its last verified values.
TABLES = """
CREATE TABLE IF NOT EXISTS catalog_products (
    source           varchar(50)  NOT NULL,
    external_id      varchar(100) NOT NULL,
    brand            varchar(50)  NOT NULL,
    name             text NOT NULL,
    description      text,
    price            decimal(10, 2) NOT NULL,
    currency         varchar(10) NOT NULL,
    category         text NOT NULL,
    colour           varchar(100),
    sizes            jsonb,
    composition      text,
    image_urls       jsonb NOT NULL,
    collage_url      text,
    active           boolean NOT NULL DEFAULT true,
    inactive_reason  text,                            -- left_the_shop, or the rule that it fails now
    publication_id   bigint NOT NULL,                 -- the last one that changed it
    published_at     timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, external_id)
);
CREATE INDEX IF NOT EXISTS idx_catalog_products_brand ON catalog_products (brand, external_id);
CREATE INDEX IF NOT EXISTS idx_catalog_products_on_sale ON catalog_products (brand) WHERE active;

CREATE TABLE IF NOT EXISTS catalog_availability (
    brand           varchar(50)  NOT NULL,
    store_id        integer      NOT NULL,
    external_id     varchar(100) NOT NULL,
    sizes_in_stock  jsonb        NOT NULL,            -- names of sizes, [] for none
    fetched_at      timestamptz  NOT NULL,
    PRIMARY KEY (brand, external_id, store_id)
);
CREATE INDEX IF NOT EXISTS idx_catalog_availability_store ON catalog_availability (brand, store_id);

CREATE TABLE IF NOT EXISTS catalog_stores (
    brand      varchar(50) NOT NULL,
    store_id   integer NOT NULL,
    name       text,
    address    text,
    mall_name  text,
    city       varchar(100),
    country    varchar(10),
    latitude   decimal(10, 7),
    longitude  decimal(10, 7),
    PRIMARY KEY (brand, store_id)
);

CREATE TABLE IF NOT EXISTS catalog_publications (
    id          bigserial PRIMARY KEY,
    brand       varchar(50) NOT NULL,
    state       text NOT NULL,              -- open, merged, settled (staging knows of it, too), abandoned
    started_at  timestamptz NOT NULL DEFAULT now(),
    merged_at   timestamptz,
    counts      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS idx_catalog_publications_brand ON catalog_publications (brand, started_at);
CREATE INDEX IF NOT EXISTS idx_catalog_publications_unsettled ON catalog_publications (brand)
    WHERE state IN ('open', 'merged');
"""

WORK = """
-- Who publishes a brand, and how far its availability is published.
CREATE TABLE IF NOT EXISTS catalog_brands (
    brand            varchar(50) PRIMARY KEY,
    lease_token      text,
    leased_until     timestamptz,
    asked_by         text,                  -- the root run that has it in hand, or had it last
    published_at     timestamptz,
    availability_to  timestamptz
);

-- What a publication will merge. Unlogged: a crash of the server empties them; a publication knows how much it wrote.
CREATE UNLOGGED TABLE IF NOT EXISTS catalog_incoming_products (
    publication_id  bigint NOT NULL,
    product_id      bigint NOT NULL,        -- staging's, and its lease there
    lease_token     text NOT NULL,
    verdict         text NOT NULL,          -- publish, left, skip, error
    reason          text,
    detail          text,
    loaded_at       timestamptz NOT NULL,
    source          varchar(50)  NOT NULL,
    external_id     varchar(100) NOT NULL,
    brand           varchar(50)  NOT NULL,
    name            text,
    description     text,
    price           decimal(10, 2),
    currency        varchar(10),
    category        text,
    colour          varchar(100),
    sizes           jsonb,
    composition     text,
    image_urls      jsonb,
    collage_url     text,
    PRIMARY KEY (publication_id, product_id)
);
CREATE UNLOGGED TABLE IF NOT EXISTS catalog_incoming_availability (
    publication_id  bigint NOT NULL,
    store_id        integer NOT NULL,
    external_id     varchar(100) NOT NULL,
    sizes_in_stock  jsonb NOT NULL,
    fetched_at      timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_catalog_incoming_availability
    ON catalog_incoming_availability (publication_id, external_id, store_id, fetched_at DESC);
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
    op.execute(WORK)
