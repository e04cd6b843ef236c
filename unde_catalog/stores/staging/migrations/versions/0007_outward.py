"""What leaves the catalogue: records in the Ximilar collection, and what makes the two outward stages due.

Revision: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = """
-- A record is written down before it is sent, as each is billed; `intended`: nobody knows yet what came of it.
CREATE TABLE IF NOT EXISTS ximilar_records (
    collection   text NOT NULL,
    record_id    text NOT NULL,
    product_id   bigint NOT NULL REFERENCES raw_products (id),
    n            smallint NOT NULL,
    sha256       text NOT NULL,
    url          text NOT NULL,
    metadata     jsonb NOT NULL,
    state        text NOT NULL,       -- intended, there
    intended_at  timestamptz NOT NULL,
    inserted_at  timestamptz,
    PRIMARY KEY (collection, record_id)
);
CREATE INDEX IF NOT EXISTS idx_ximilar_records_product ON ximilar_records (product_id);
CREATE INDEX IF NOT EXISTS idx_ximilar_records_intended ON ximilar_records (intended_at) WHERE state = 'intended';

CREATE TABLE IF NOT EXISTS ximilar_credits (
    day      date PRIMARY KEY,        -- UTC
    records  integer NOT NULL
);

-- When the next request may be sent: the rate is one for all processes and hosts.
CREATE UNLOGGED TABLE IF NOT EXISTS ximilar_pace (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    next_at   timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ximilar_records, ximilar_credits, ximilar_pace TO ximilar, scraper;
"""

RULE = """
-- What other systems hold of a product is old: its status says so, and it is due. In a BEFORE trigger, as the status is
-- the row's own.
CREATE OR REPLACE FUNCTION products_reset_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.original_image_urls IS DISTINCT FROM NEW.original_image_urls
            OR NEW.active AND NOT OLD.active AND NEW.image_status = 'error' THEN
        NEW.image_status := 'pending';
        NEW.error_message := NULL;
    END IF;
    IF NEW.ximilar_status IS NOT DISTINCT FROM OLD.ximilar_status AND ximilar_is_old(OLD, NEW) THEN
        NEW.ximilar_status := CASE WHEN NEW.ximilar_synced_urls <> '[]' THEN 'partial' ELSE 'pending' END;
    END IF;
    IF NEW.sync_status IS NOT DISTINCT FROM OLD.sync_status AND production_is_old(OLD, NEW) THEN
        NEW.sync_status := 'pending';
    END IF;
    RETURN NEW;
END $$;

-- Photos that are still to come hold it up: becoming `uploaded` makes it due.
CREATE OR REPLACE FUNCTION ximilar_is_old(before raw_products, after raw_products) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN before.index_scope = 'pilot' AND (after.index_scope <> 'pilot' OR before.active AND NOT after.active)
            THEN true
        WHEN after.index_scope <> 'pilot' OR NOT after.active OR after.image_status = 'pending' THEN false
        ELSE (before.index_scope, before.active, before.ximilar_target_count, before.name, before.category,
              before.price, before.brand)
             IS DISTINCT FROM (after.index_scope, after.active, after.ximilar_target_count, after.name, after.category,
                               after.price, after.brand)
             OR before.image_status IS DISTINCT FROM after.image_status
                AND NOT (before.image_status = 'uploaded' AND after.image_status = 'collage_ready')
             OR before.ximilar_status IN ('synced', 'error') AND after.ximilar_status = 'pending'
    END
$$;

-- New products are first published when their photos are there, or are known not to come.
CREATE OR REPLACE FUNCTION production_is_old(before raw_products, after raw_products) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT (before.active OR after.active) AND (after.image_status <> 'pending' OR before.synced_at IS NOT NULL)
       AND ((before.active, before.brand, before.name, before.description, before.price, before.currency,
             before.category, before.colour, before.sizes, before.composition, before.image_urls, before.collage_url)
            IS DISTINCT FROM
            (after.active, after.brand, after.name, after.description, after.price, after.currency, after.category,
             after.colour, after.sizes, after.composition, after.image_urls, after.collage_url)
            OR before.image_status = 'pending' AND after.image_status <> 'pending'
            OR before.sync_status <> 'pending' AND after.sync_status = 'pending')
$$;

DROP TRIGGER IF EXISTS raw_products_reset_status ON raw_products;
CREATE TRIGGER raw_products_reset_status BEFORE UPDATE ON raw_products FOR EACH ROW
    WHEN ((OLD.active, OLD.brand, OLD.name, OLD.description, OLD.price, OLD.currency, OLD.category, OLD.colour,
           OLD.sizes, OLD.composition, OLD.original_image_urls, OLD.image_urls, OLD.collage_url, OLD.image_status,
           OLD.index_scope, OLD.ximilar_target_count, OLD.ximilar_status, OLD.sync_status)
          IS DISTINCT FROM
          (NEW.active, NEW.brand, NEW.name, NEW.description, NEW.price, NEW.currency, NEW.category, NEW.colour,
           NEW.sizes, NEW.composition, NEW.original_image_urls, NEW.image_urls, NEW.collage_url, NEW.image_status,
           NEW.index_scope, NEW.ximilar_target_count, NEW.ximilar_status, NEW.sync_status))
    EXECUTE FUNCTION products_reset_status();
DROP TRIGGER IF EXISTS raw_products_due_after_update ON raw_products;
CREATE TRIGGER raw_products_due_after_update AFTER UPDATE ON raw_products FOR EACH ROW
    WHEN ((OLD.active, OLD.brand, OLD.name, OLD.description, OLD.price, OLD.currency, OLD.category, OLD.colour,
           OLD.sizes, OLD.composition, OLD.original_image_urls, OLD.image_urls, OLD.collage_url, OLD.image_status,
           OLD.index_scope, OLD.ximilar_target_count, OLD.ximilar_status, OLD.sync_status)
          IS DISTINCT FROM
          (NEW.active, NEW.brand, NEW.name, NEW.description, NEW.price, NEW.currency, NEW.category, NEW.colour,
           NEW.sizes, NEW.composition, NEW.original_image_urls, NEW.image_urls, NEW.collage_url, NEW.image_status,
           NEW.index_scope, NEW.ximilar_target_count, NEW.ximilar_status, NEW.sync_status))
    EXECUTE FUNCTION products_make_due();

-- Replacing a function gives it the properties named here: it writes what no worker may, so it runs as its owner.
CREATE OR REPLACE FUNCTION products_make_due() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    is_new boolean := TG_OP = 'INSERT';
BEGIN
    IF is_new AND NEW.price IS NOT NULL OR NOT is_new AND NEW.price IS DISTINCT FROM OLD.price
            OR NOT is_new AND NEW.price IS NOT NULL AND NEW.currency IS DISTINCT FROM OLD.currency THEN
        INSERT INTO price_history (product_id, price, currency, seen_at)
        VALUES (NEW.id, NEW.price, NEW.currency, unde_now())
        ON CONFLICT (product_id, seen_at) DO UPDATE SET price = excluded.price, currency = excluded.currency;
    END IF;
    IF NOT is_new AND NEW.brand <> OLD.brand THEN
        UPDATE due_work SET brand = NEW.brand WHERE product_id = NEW.id;
    END IF;
    IF is_new AND NEW.active AND NEW.index_scope = 'pilot' AND NEW.image_status <> 'pending'
            OR NOT is_new AND ximilar_is_old(OLD, NEW) THEN
        PERFORM make_due(NEW.id, NEW.brand, 'ximilar_index');
    END IF;
    IF is_new AND NEW.active AND NEW.image_status <> 'pending' OR NOT is_new AND production_is_old(OLD, NEW) THEN
        PERFORM make_due(NEW.id, NEW.brand, 'production_catalog');
    END IF;
    IF NOT NEW.active THEN  -- only what tells others that it left still has to be done
        UPDATE due_work SET due_at = NULL WHERE product_id = NEW.id AND due_at IS NOT NULL
            AND stage NOT IN ('ximilar_index', 'production_catalog');
        RETURN NULL;
    END IF;
    IF NOT is_new AND NOT OLD.active THEN  -- back again: what was not through when it left goes on
        PERFORM make_due(w.product_id, w.brand, w.stage) FROM due_work w
        WHERE w.product_id = NEW.id AND (w.wanted <> w.taken OR w.lease_token IS NOT NULL OR w.attempts > 0);
    END IF;
    IF NEW.image_status = 'pending' AND (is_new OR NOT OLD.active OR OLD.image_status IS DISTINCT FROM 'pending'
            OR NEW.original_image_urls IS DISTINCT FROM OLD.original_image_urls) THEN
        PERFORM make_due(NEW.id, NEW.brand, 'originals');
    ELSIF NEW.image_status = 'uploaded'
            AND (is_new OR NOT OLD.active OR OLD.image_status IS DISTINCT FROM 'uploaded') THEN
        PERFORM make_due(NEW.id, NEW.brand, 'collages');
    ELSIF NEW.image_status = 'error' AND NEW.collage_url IS NOT NULL
            AND NOT is_new AND OLD.image_status IS DISTINCT FROM 'error' THEN  -- no photo is left: nor is its collage
        PERFORM make_due(NEW.id, NEW.brand, 'collages');
    END IF;
    RETURN NULL;
END $$;

-- As before, and what is indexed of a product whose photos are all there is old when one of them changes.
CREATE OR REPLACE FUNCTION photos_make_due() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    product raw_products;
BEGIN
    SELECT * INTO product FROM raw_products p
    WHERE p.id = CASE TG_OP WHEN 'DELETE' THEN OLD.product_id ELSE NEW.product_id END;
    IF product.image_status = 'pending' THEN
        INSERT INTO due_work (product_id, stage, brand) VALUES (product.id, 'collages', product.brand)
        ON CONFLICT (product_id, stage) DO UPDATE SET wanted = due_work.wanted + 1;
    ELSIF product.id IS NOT NULL THEN  -- it is NULL while a deleted product takes its photos along
        PERFORM make_due(product.id, product.brand, 'collages');
        IF product.index_scope = 'pilot' AND product.active THEN
            UPDATE raw_products SET ximilar_status = 'partial' WHERE id = product.id AND ximilar_status = 'synced';
            PERFORM make_due(product.id, product.brand, 'ximilar_index');
        END IF;
    END IF;
    RETURN NULL;
END $$;
"""

# What was there before these stages: all of it is theirs to do.
EXISTING = """
INSERT INTO due_work (product_id, stage, brand, due_at)
SELECT p.id, 'ximilar_index', p.brand, unde_now() FROM raw_products p
WHERE p.active AND p.index_scope = 'pilot' AND p.image_status <> 'pending' ORDER BY p.id
ON CONFLICT DO NOTHING;
INSERT INTO due_work (product_id, stage, brand, due_at)
SELECT p.id, 'production_catalog', p.brand, unde_now() FROM raw_products p
WHERE p.active AND p.image_status <> 'pending' ORDER BY p.id
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Make what is missing; functions and triggers are replaced."""
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(TABLES)
    op.execute(RULE.replace("{schema}", schema))
    op.execute(EXISTING)
