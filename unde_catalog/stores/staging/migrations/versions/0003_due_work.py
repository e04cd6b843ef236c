"""Due work: a row per product and stage, and the one rule that says what makes it due.

The rule is a set of triggers, so that it holds for every writer: also for an operator's plain SQL.

Revision: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLE = """
CREATE TABLE IF NOT EXISTS due_work (
    product_id     bigint NOT NULL REFERENCES raw_products (id) ON DELETE CASCADE,
    stage          text NOT NULL,
    brand          varchar(50) NOT NULL,
    due_at         timestamptz,                    -- NULL: nothing to do
    leased_until   timestamptz,
    lease_token    text,
    wanted         bigint NOT NULL DEFAULT 1,      -- the latest change it is wanted for ...
    taken          bigint NOT NULL DEFAULT 0,      -- ... and the one that the present lease took
    attempts       integer NOT NULL DEFAULT 0,     -- tries since the last success
    item_faults    integer NOT NULL DEFAULT 0,     -- those of them that were the item's own fault
    given_up       boolean NOT NULL DEFAULT false,
    reason         text,
    detail         text,
    failing_since  timestamptz,
    done_at        timestamptz,                    -- spec 5's last_check_time
    forced_at      timestamptz,                    -- results older than this are to be made again
    asked_by       text,                           -- the root run that last forced or retried this row
    PRIMARY KEY (product_id, stage)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX IF NOT EXISTS idx_due_work_due ON due_work (stage, brand, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_due_work_given_up ON due_work (stage, brand, reason) WHERE given_up;
"""

TIMES = """
-- When a try that failed comes again: at a coming half hour, 1, 2, 4 ... 24 hours later (spec 1).
CREATE OR REPLACE FUNCTION next_try(attempt integer) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT (date_trunc('hour', earliest + interval '29 minutes 59.999999 seconds') + interval '30 minutes')
           AT TIME ZONE 'UTC'
    FROM (SELECT (unde_now() + least(power(2, least(attempt, 6) - 1), 24) * interval '1 hour')
                 AT TIME ZONE 'UTC') AS t (earliest)
$$;

-- When recurring work comes again: a whole number of intervals after it was due, so that the load stays spread.
CREATE OR REPLACE FUNCTION next_in_phase(due timestamptz, every interval) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT due + every * (floor(extract(epoch FROM unde_now() - due) / extract(epoch FROM every)) + 1)
$$;
"""

RULE = """
-- A product in hand keeps its lease: the newer `wanted` leaves it due when that worker is through.
CREATE OR REPLACE FUNCTION make_due(p_product_id bigint, p_brand text, p_stage text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO due_work (product_id, stage, brand, due_at) VALUES (p_product_id, p_stage, p_brand, unde_now())
    ON CONFLICT (product_id, stage) DO UPDATE SET
        due_at = least(due_work.due_at, unde_now()), wanted = due_work.wanted + 1,
        attempts = 0, item_faults = 0, given_up = false, reason = NULL, detail = NULL, failing_since = NULL
$$;

CREATE OR REPLACE FUNCTION products_reset_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.image_status := 'pending';
    NEW.error_message := NULL;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION products_make_due() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF NOT NEW.active THEN
        UPDATE due_work SET due_at = NULL WHERE product_id = NEW.id AND due_at IS NOT NULL;
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

DROP TRIGGER IF EXISTS raw_products_reset_status ON raw_products;
CREATE TRIGGER raw_products_reset_status BEFORE UPDATE ON raw_products FOR EACH ROW
    WHEN (OLD.original_image_urls IS DISTINCT FROM NEW.original_image_urls
          OR (NEW.active AND NOT OLD.active AND NEW.image_status = 'error'))
    EXECUTE FUNCTION products_reset_status();

DROP TRIGGER IF EXISTS raw_products_due_after_insert ON raw_products;
CREATE TRIGGER raw_products_due_after_insert AFTER INSERT ON raw_products FOR EACH ROW
    EXECUTE FUNCTION products_make_due();

DROP TRIGGER IF EXISTS raw_products_due_after_update ON raw_products;
CREATE TRIGGER raw_products_due_after_update AFTER UPDATE ON raw_products FOR EACH ROW
    WHEN (OLD.active IS DISTINCT FROM NEW.active OR OLD.image_status IS DISTINCT FROM NEW.image_status
          OR OLD.original_image_urls IS DISTINCT FROM NEW.original_image_urls
          OR OLD.price IS DISTINCT FROM NEW.price OR OLD.currency IS DISTINCT FROM NEW.currency
          OR OLD.brand <> NEW.brand)
    EXECUTE FUNCTION products_make_due();

-- The stored photos of a product changed: what is made from them is due. Also of one that is not on sale, as whoever
-- writes a photo holds no lock on its product, so that it may be back without this transaction seeing it. While photos
-- are still to come (pending) it is only noted: becoming `uploaded` makes it due, and nothing is glued from a part.
CREATE OR REPLACE FUNCTION photos_make_due() RETURNS trigger LANGUAGE plpgsql AS $$
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
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS product_photos_due_after_insert ON product_photos;
CREATE TRIGGER product_photos_due_after_insert AFTER INSERT ON product_photos FOR EACH ROW
    WHEN (NEW.state = 'stored') EXECUTE FUNCTION photos_make_due();
DROP TRIGGER IF EXISTS product_photos_due_after_update ON product_photos;
CREATE TRIGGER product_photos_due_after_update AFTER UPDATE ON product_photos FOR EACH ROW
    WHEN ((OLD.state = 'stored' OR NEW.state = 'stored')
          AND (OLD.n, OLD.state, OLD.key, OLD.sha256) IS DISTINCT FROM (NEW.n, NEW.state, NEW.key, NEW.sha256))
    EXECUTE FUNCTION photos_make_due();
DROP TRIGGER IF EXISTS product_photos_due_after_delete ON product_photos;
CREATE TRIGGER product_photos_due_after_delete AFTER DELETE ON product_photos FOR EACH ROW
    WHEN (OLD.state = 'stored') EXECUTE FUNCTION photos_make_due();
"""


# The triggers above hold off every other writer until this is committed, so that no product slips through between.
# `uploaded` without photo rows: nobody knows what is stored, so the photos are fetched once more.
EXISTING = """
INSERT INTO due_work (product_id, stage, brand, due_at, given_up, reason, wanted, taken)
SELECT p.id, 'originals', p.brand,
       CASE WHEN p.active AND p.image_status IN ('pending', 'uploaded') THEN unde_now() END,
       coalesce(p.image_status = 'error', false), CASE p.image_status WHEN 'error' THEN 'failed_before' END,
       1, CASE WHEN p.image_status IN ('pending', 'uploaded') THEN 0 ELSE 1 END
FROM raw_products p
WHERE NOT EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id)
ORDER BY p.id;

INSERT INTO price_history (product_id, price, currency, seen_at)
SELECT p.id, p.price, p.currency, p.scraped_at FROM raw_products p
WHERE p.price IS NOT NULL AND NOT EXISTS (SELECT 1 FROM price_history h WHERE h.product_id = p.id);
"""


def upgrade() -> None:
    """Make what is missing; functions and triggers are replaced."""
    op.execute(TABLE)
    op.execute(TIMES)
    op.execute(RULE)
    op.execute(EXISTING)
