"""Take over a database that other services wrote, and still write: their index names, their rights, their rows.

Rows that say `uploaded` or `collage_ready` although nothing is recorded of their objects are due for adoption (stage
`adoption`), and for nothing that would fetch or send their photos again. Products that failed are due again. Where
there are such rows, the stages that deployed services do are paused in the same transaction.

Revision: 0021
"""

from alembic import op

revision = "0021"
down_revision = "0020"

# Earlier revisions named these indexes otherwise.
INDEXES = """
DO $$
DECLARE
    ours text;
    deployed text;
BEGIN
    FOR ours, deployed IN VALUES
        ('idx_raw_availability_store', 'idx_raw_availability_brand_store'),
        ('idx_raw_availability_product_id', 'idx_raw_availability_product'),
        ('idx_raw_availability_fetched_at', 'idx_raw_availability_fetched'),
        ('idx_scraper_logs_scraper_name', 'idx_scraper_logs_name'),
        ('idx_scraper_logs_started_at', 'idx_scraper_logs_started')
    LOOP
        IF to_regclass(ours) IS NULL THEN
            CONTINUE;
        ELSIF to_regclass(deployed) IS NULL THEN
            EXECUTE format('ALTER INDEX %I RENAME TO %I', ours, deployed);
        ELSE
            EXECUTE format('DROP INDEX %I', ours);
        END IF;
    END LOOP;
END $$;
"""

TABLES = """
-- Minutes in which a program other than this project did a stage's work on a brand: who still writes what.
CREATE TABLE IF NOT EXISTS outside_writes (
    brand   varchar(50) NOT NULL,
    stage   text NOT NULL,
    minute  timestamptz NOT NULL,
    PRIMARY KEY (brand, stage, minute)
);
GRANT SELECT ON outside_writes TO apify, collage, downloader, ximilar, scraper;
GRANT INSERT, DELETE ON outside_writes TO scraper;

-- A listing of the Ximilar collection, by which records are found that another service inserted.
CREATE TABLE IF NOT EXISTS ximilar_listing (
    collection  text NOT NULL,
    record_id   text NOT NULL,
    sku_id      text,
    url         text NOT NULL,
    listed_at   timestamptz NOT NULL,
    PRIMARY KEY (collection, record_id)
);
CREATE INDEX IF NOT EXISTS idx_ximilar_listing_url ON ximilar_listing (collection, md5(url));
GRANT SELECT, INSERT, UPDATE, DELETE ON ximilar_listing TO ximilar, scraper;

-- Rights of the stages' roles that an operator took back, so that they can be given back.
CREATE TABLE IF NOT EXISTS revoked_rights (
    role        text NOT NULL,
    table_name  text NOT NULL,
    privilege   text NOT NULL,
    revoked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (role, table_name, privilege)
);

-- Written by the deployed services as these roles.
GRANT INSERT (image_status) ON raw_products TO apify;
GRANT UPDATE (error_message) ON raw_products TO ximilar;
"""

RULES = """
-- Whether the statement comes from another program: this project signs its transactions (stores/db/database.py).
CREATE OR REPLACE FUNCTION is_outside_write() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('unde.writer', true), '') <> 'unde_catalog'
$$;

-- Status columns of a changed product. In a BEFORE trigger, because they are columns of the row itself.
CREATE OR REPLACE FUNCTION products_reset_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Seen again by a collector that does not know the column `active`.
    IF NOT OLD.active AND NOT NEW.active AND NEW.scraped_at > OLD.scraped_at AND is_outside_write() THEN
        NEW.active := true;
    END IF;
    -- New photo URLs, or on sale again after its photos had failed: fetch the photos.
    IF OLD.original_image_urls IS DISTINCT FROM NEW.original_image_urls
            OR NEW.active AND NOT OLD.active AND NEW.image_status = 'error' THEN
        NEW.image_status := 'pending';
        NEW.error_message := NULL;
    END IF;
    IF NEW.ximilar_status IS NOT DISTINCT FROM OLD.ximilar_status AND ximilar_is_old(OLD, NEW) THEN
        IF OLD.ximilar_status = 'error' AND NEW.error_message IS NOT DISTINCT FROM OLD.error_message THEN
            NEW.error_message := NULL;  -- it was Ximilar's
        END IF;
        NEW.ximilar_status := CASE WHEN NEW.ximilar_synced_urls <> '[]' THEN 'partial' ELSE 'pending' END;
    END IF;
    IF NEW.sync_status IS NOT DISTINCT FROM OLD.sync_status AND production_is_old(OLD, NEW) THEN
        NEW.sync_status := 'pending';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS raw_products_reset_status ON raw_products;
CREATE TRIGGER raw_products_reset_status BEFORE UPDATE ON raw_products FOR EACH ROW
    WHEN ((OLD.active, OLD.brand, OLD.name, OLD.description, OLD.price, OLD.currency, OLD.category, OLD.colour,
           OLD.sizes, OLD.composition, OLD.original_image_urls, OLD.image_urls, OLD.collage_url, OLD.image_status,
           OLD.index_scope, OLD.ximilar_target_count, OLD.ximilar_status, OLD.sync_status)
          IS DISTINCT FROM
          (NEW.active, NEW.brand, NEW.name, NEW.description, NEW.price, NEW.currency, NEW.category, NEW.colour,
           NEW.sizes, NEW.composition, NEW.original_image_urls, NEW.image_urls, NEW.collage_url, NEW.image_status,
           NEW.index_scope, NEW.ximilar_target_count, NEW.ximilar_status, NEW.sync_status)
          OR NOT OLD.active AND OLD.scraped_at IS DISTINCT FROM NEW.scraped_at)
    EXECUTE FUNCTION products_reset_status();

-- What another program did to a product counts as done where it did the work of a stage, and makes the rest due.
-- Named so that it runs after raw_products_due_after_insert and raw_products_due_after_update.
CREATE OR REPLACE FUNCTION products_written_outside() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    is_new boolean := TG_OP = 'INSERT';
    photos boolean := is_new AND NEW.image_urls IS NOT NULL
        OR NOT is_new AND (NEW.image_urls IS DISTINCT FROM OLD.image_urls
            OR NEW.image_status IS DISTINCT FROM OLD.image_status AND NEW.image_status IN ('uploaded', 'error'));
    collage boolean := is_new AND NEW.collage_url IS NOT NULL
        OR NOT is_new AND (NEW.collage_url IS DISTINCT FROM OLD.collage_url
            OR NEW.image_status IS DISTINCT FROM OLD.image_status AND NEW.image_status = 'collage_ready');
    ximilar boolean := NOT is_new AND (NEW.ximilar_status IS DISTINCT FROM OLD.ximilar_status
        OR NEW.ximilar_synced_urls IS DISTINCT FROM OLD.ximilar_synced_urls
        OR NEW.ximilar_synced_at IS DISTINCT FROM OLD.ximilar_synced_at);
BEGIN
    INSERT INTO outside_writes (brand, stage, minute)
    SELECT NEW.brand, w.stage, date_trunc('minute', unde_now())
    FROM (VALUES ('raw_products', is_new OR NEW.scraped_at IS DISTINCT FROM OLD.scraped_at),
                 ('originals', photos), ('collages', collage), ('ximilar_index', ximilar)) AS w (stage, wrote)
    WHERE w.wrote AND NOT EXISTS (SELECT 1 FROM outside_writes o WHERE o.brand = NEW.brand AND o.stage = w.stage
                                  AND o.minute = date_trunc('minute', unde_now()))
    ON CONFLICT DO NOTHING;
    IF (photos OR collage) AND NEW.image_status IN ('uploaded', 'collage_ready') THEN
        PERFORM make_due(NEW.id, NEW.brand, 'adoption');
        UPDATE due_work SET due_at = NULL, attempts = 0, item_faults = 0, given_up = false, reason = NULL,
            detail = NULL, failing_since = NULL, done_at = unde_now()
        WHERE product_id = NEW.id
            AND stage IN ('originals', CASE NEW.image_status WHEN 'collage_ready' THEN 'collages' END);
    ELSIF photos AND NEW.image_status = 'error' AND NEW.active THEN
        PERFORM make_due(NEW.id, NEW.brand, 'originals');
    END IF;
    IF ximilar AND NEW.active AND NEW.index_scope = 'pilot' AND NEW.image_status <> 'pending' THEN
        PERFORM make_due(NEW.id, NEW.brand, 'ximilar_index');
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION products_written_outside() FROM PUBLIC;

DROP TRIGGER IF EXISTS raw_products_written_outside ON raw_products;
CREATE TRIGGER raw_products_written_outside AFTER INSERT OR UPDATE ON raw_products FOR EACH ROW
    WHEN (is_outside_write()) EXECUTE FUNCTION products_written_outside();

-- Due work of a product whose stored photos changed. Runs as its owner, as products_make_due().
CREATE OR REPLACE FUNCTION photos_make_due() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    product raw_products;
BEGIN
    -- Adoption records what is stored already, and decides by itself what follows.
    IF current_setting('unde.adopting', true) = 'on' THEN
        RETURN NULL;
    END IF;
    SELECT * INTO product FROM raw_products p
    WHERE p.id = CASE TG_OP WHEN 'DELETE' THEN OLD.product_id ELSE NEW.product_id END;
    -- More photos are to come: note the change; image_status makes collages due when all are stored.
    IF product.image_status = 'pending' THEN
        INSERT INTO due_work (product_id, stage, brand) VALUES (product.id, 'collages', product.brand)
        ON CONFLICT (product_id, stage) DO UPDATE SET wanted = due_work.wanted + 1;
    -- The product is NULL while it is deleted together with its photos.
    ELSIF product.id IS NOT NULL THEN
        PERFORM make_due(product.id, product.brand, 'collages');
        IF product.index_scope = 'pilot' AND product.active THEN
            UPDATE raw_products SET ximilar_status = 'partial' WHERE id = product.id AND ximilar_status = 'synced';
            PERFORM make_due(product.id, product.brand, 'ximilar_index');
        END IF;
        IF product.index_scope IN ('pilot', 'pgvector') AND product.active THEN
            PERFORM make_due(product.id, product.brand, 'visual_index');
        END IF;
    END IF;
    RETURN NULL;
END $$;
"""

# Earlier revisions made these due as if nothing of them were stored or sent. Where none is `uploaded`, no other service
# has stored anything, and products that are still to be fetched need not wait for an adoption.
EXISTING = """
CREATE TEMP TABLE unrecorded ON COMMIT DROP AS
SELECT p.id, p.brand, p.image_status FROM raw_products p
WHERE NOT EXISTS (SELECT 1 FROM product_photos f WHERE f.product_id = p.id)
  AND EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.stage = 'originals'
              AND w.done_at IS NULL AND w.attempts = 0 AND w.lease_token IS NULL);
INSERT INTO due_work (product_id, stage, brand, due_at)
SELECT id, 'adoption', brand, unde_now() FROM unrecorded
WHERE EXISTS (SELECT 1 FROM unrecorded WHERE image_status IN ('uploaded', 'collage_ready'))
ORDER BY id ON CONFLICT DO NOTHING;
UPDATE due_work w SET due_at = NULL, taken = w.wanted FROM unrecorded u
WHERE w.product_id = u.id AND w.stage = 'originals' AND u.image_status IN ('uploaded', 'collage_ready');
UPDATE due_work w SET due_at = unde_now(), given_up = false, reason = NULL, taken = 0 FROM unrecorded u
WHERE w.product_id = u.id AND w.stage = 'originals' AND w.given_up AND w.reason = 'failed_before';
INSERT INTO pauses (brand, stage, why, paused_at)
SELECT '*', s.stage, 'a deployed service does this; unde-catalog handover switches', unde_now()
FROM (VALUES ('raw_products'), ('originals'), ('collages'), ('ximilar_index')) AS s (stage)
WHERE EXISTS (SELECT 1 FROM unrecorded WHERE image_status IN ('uploaded', 'collage_ready'))
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Make what is missing; functions and triggers are replaced."""
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(INDEXES)
    op.execute(TABLES)
    op.execute(RULES.replace("{schema}", schema))
    op.execute(EXISTING)
