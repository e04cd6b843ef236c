"""The visual index: an embedding of each photo, which model made it, and what makes a product due for it.

Where the server has the extension pgvector, and this role may create it or somebody has, embeddings are halfvec(512)
with an HNSW index, and can be searched. Elsewhere they are kept as real[] until `prepare_vectors()` is called again.

On a big live table the index on raw_products is built by hand before (see stores/db/migrate.py):
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_raw_products_searched ON raw_products (brand, left(category, 100), price)
INCLUDE (id) WHERE active AND index_scope IN ('pilot', 'pgvector');

Revision: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"

TABLES = """
CREATE TABLE IF NOT EXISTS embedding_models (
    model          text PRIMARY KEY,       -- name@version
    slot           smallint NOT NULL CHECK (slot IN (0, 1)),  -- each has an index of its own
    state          text NOT NULL,          -- building, serving, old (its rows go)
    asked_to       bigint,                 -- building: products up to this id were made due for it; NULL: all were
    began_at       timestamptz NOT NULL,
    serving_since  timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_embedding_models_slot ON embedding_models (slot);
CREATE UNIQUE INDEX IF NOT EXISTS idx_embedding_models_state ON embedding_models (state);

CREATE TABLE IF NOT EXISTS product_embeddings (
    product_id   bigint NOT NULL REFERENCES raw_products (id) ON DELETE CASCADE,
    n            smallint NOT NULL,
    model        text NOT NULL REFERENCES embedding_models (model),
    slot         smallint NOT NULL,
    sha256       text NOT NULL,
    embedded_at  timestamptz NOT NULL,
    embedding    real[] NOT NULL,
    PRIMARY KEY (product_id, n, model)
);
CREATE INDEX IF NOT EXISTS idx_product_embeddings_content ON product_embeddings (sha256, model);

-- Which products a search is about, without reading them. Some shops' categories are longer than an index entry may be.
CREATE INDEX IF NOT EXISTS idx_raw_products_searched ON raw_products (brand, left(category, 100), price)
    INCLUDE (id) WHERE active AND index_scope IN ('pilot', 'pgvector');

GRANT SELECT, INSERT, UPDATE, DELETE ON embedding_models, product_embeddings TO scraper;
"""

# Safe to call again; true where embeddings can be searched now.
PREPARE = """
CREATE OR REPLACE FUNCTION prepare_vectors() RETURNS boolean LANGUAGE plpgsql AS $prepare$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'vector') THEN
        IF NOT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') THEN
            RETURN false;
        END IF;
        BEGIN
            CREATE EXTENSION vector;
        EXCEPTION WHEN insufficient_privilege THEN
            RETURN false;
        END;
    END IF;
    IF to_regtype('halfvec') IS NULL THEN  -- older than 0.7
        RETURN false;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 'product_embeddings'::regclass AND attname = 'embedding'
               AND atttypid = 'real[]'::regtype) THEN
        ALTER TABLE product_embeddings ALTER embedding TYPE halfvec(512) USING embedding::halfvec(512);
    END IF;
    CREATE INDEX IF NOT EXISTS idx_product_embeddings_0 ON product_embeddings
        USING hnsw (embedding halfvec_cosine_ops) WHERE slot = 0;
    CREATE INDEX IF NOT EXISTS idx_product_embeddings_1 ON product_embeddings
        USING hnsw (embedding halfvec_cosine_ops) WHERE slot = 1;
    RETURN true;
END $prepare$;
REVOKE EXECUTE ON FUNCTION prepare_vectors() FROM PUBLIC;
SELECT prepare_vectors();
"""

RULE = """
-- What the visual index holds of a product is old. Photos that are still to come hold it up: becoming `uploaded` makes
-- it due. A price is no picture, but Qdrant filters by it.
CREATE OR REPLACE FUNCTION visual_is_old(before raw_products, after raw_products) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN before.index_scope IN ('pilot', 'pgvector') AND (
                coalesce(after.index_scope, 'off') NOT IN ('pilot', 'pgvector') OR before.active AND NOT after.active)
            THEN true
        WHEN coalesce(after.index_scope, 'off') NOT IN ('pilot', 'pgvector') OR NOT after.active
                OR after.image_status = 'pending'
            THEN false
        ELSE (before.index_scope, before.active, before.brand, before.category, before.price)
             IS DISTINCT FROM (after.index_scope, after.active, after.brand, after.category, after.price)
             OR before.image_status IS DISTINCT FROM after.image_status
                AND NOT (before.image_status = 'uploaded' AND after.image_status = 'collage_ready')
    END
$$;

-- As before, with the visual index among what tells others that a product left.
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
    IF is_new AND NEW.active AND NEW.index_scope IN ('pilot', 'pgvector') AND NEW.image_status <> 'pending'
            OR NOT is_new AND visual_is_old(OLD, NEW) THEN
        PERFORM make_due(NEW.id, NEW.brand, 'visual_index');
    END IF;
    IF is_new AND NEW.active AND NEW.image_status <> 'pending' OR NOT is_new AND production_is_old(OLD, NEW) THEN
        PERFORM make_due(NEW.id, NEW.brand, 'production_catalog');
    END IF;
    IF NOT NEW.active THEN  -- only what tells others that it left still has to be done
        UPDATE due_work SET due_at = NULL WHERE product_id = NEW.id AND due_at IS NOT NULL
            AND stage NOT IN ('ximilar_index', 'visual_index', 'production_catalog');
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

-- As before, and what is embedded of a product whose photos are all there is old when one of them changes.
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
        IF product.index_scope IN ('pilot', 'pgvector') AND product.active THEN
            PERFORM make_due(product.id, product.brand, 'visual_index');
        END IF;
    END IF;
    RETURN NULL;
END $$;
"""

# What was there before: all of it is to be embedded.
EXISTING = """
INSERT INTO due_work (product_id, stage, brand, due_at)
SELECT p.id, 'visual_index', p.brand, unde_now() FROM raw_products p
WHERE p.active AND p.index_scope IN ('pilot', 'pgvector') AND p.image_status <> 'pending' ORDER BY p.id
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Make what is missing; functions are replaced."""
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(TABLES)
    op.execute(PREPARE)
    op.execute(RULE.replace("{schema}", schema))
    op.execute(EXISTING)
