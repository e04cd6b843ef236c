-- The rules that make products due for a stage, as they are in force after all migrations.
--
-- This file is for reading; the migrations create what it describes, and a test compares the two. To change a rule,
-- write a migration that replaces the function or trigger, and make the same change here.
--
-- The rules are triggers on raw_products and product_photos, so that they hold for every writer: a scrape, the API, a
-- stage, an operator's SQL. The stages run in this order:
--
--     originals -> collages -> ximilar_index, visual_index, production_catalog
--
-- A row of due_work is the work of one stage on one product:
--
--     due_at         since or from when there is work to do; NULL: none
--     wanted         number of the latest change that the stage has to take in
--     taken          number of the change that the current lease took; negative: that lease was released
--     lease_token    of the worker that has the product, until leased_until
--     attempts       tries since the last success; item_faults: how many of them were the item's own fault
--     given_up       not due until the data changes or somebody asks


-- Time. A test sets unde.now, and days pass without waiting; indexes are still used, because the function is STABLE.

CREATE OR REPLACE FUNCTION unde_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('unde.now', true), '')::timestamptz, now())
$$;

-- Whether the statement comes from another program: this project signs its transactions (stores/db/database.py).
CREATE OR REPLACE FUNCTION is_outside_write() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('unde.writer', true), '') <> 'unde_catalog'
$$;

-- When a failed product is due again: at half past a coming hour, 1, 2, 4, 8, 16 and then 24 hours later.
CREATE OR REPLACE FUNCTION next_try(attempt integer) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT (date_trunc('hour', earliest + interval '29 minutes 59.999999 seconds') + interval '30 minutes')
           AT TIME ZONE 'UTC'
    FROM (SELECT (unde_now() + least(power(2, least(attempt, 6) - 1), 24) * interval '1 hour')
                 AT TIME ZONE 'UTC') AS t (earliest)
$$;

-- When recurring work is due again: a whole number of intervals after it was due, so that the load stays spread.
CREATE OR REPLACE FUNCTION next_in_phase(due timestamptz, every interval) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT due + every * (floor(extract(epoch FROM unde_now() - due) / extract(epoch FROM every)) + 1)
$$;


-- Makes one product due for one stage, with no failures. A leased product keeps its lease: because `wanted` is now
-- greater than `taken`, it stays due after that lease.
CREATE OR REPLACE FUNCTION make_due(p_product_id bigint, p_brand text, p_stage text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO due_work (product_id, stage, brand, due_at) VALUES (p_product_id, p_stage, p_brand, unde_now())
    ON CONFLICT (product_id, stage) DO UPDATE SET
        due_at = least(due_work.due_at, unde_now()), wanted = due_work.wanted + 1,
        attempts = 0, item_faults = 0, given_up = false, reason = NULL, detail = NULL, failing_since = NULL
$$;


-- What of a changed product is outdated elsewhere. While its photos are still to come (image_status is pending),
-- nothing is made from a part of them; the change of image_status to uploaded makes the later stages due.

-- Its records in Ximilar: products of the scope pilot. A product that leaves the scope or the sale is removed there.
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
             -- other photos; a new collage changes nothing in the index
             OR before.image_status IS DISTINCT FROM after.image_status
                AND NOT (before.image_status = 'uploaded' AND after.image_status = 'collage_ready')
             -- somebody set the status back, to have the product indexed again
             OR before.ximilar_status IN ('synced', 'error') AND after.ximilar_status = 'pending'
    END
$$;

-- Its embeddings: products of the scopes pilot and pgvector. The price is there because Qdrant filters by it.
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
             -- other photos; a new collage changes nothing in the index
             OR before.image_status IS DISTINCT FROM after.image_status
                AND NOT (before.image_status = 'uploaded' AND after.image_status = 'collage_ready')
    END
$$;

-- Its row in production. A new product is first published when its photos are stored, or are known not to come.
CREATE OR REPLACE FUNCTION production_is_old(before raw_products, after raw_products) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT (before.active OR after.active) AND (after.image_status <> 'pending' OR before.synced_at IS NOT NULL)
       AND ((before.active, before.brand, before.name, before.description, before.price, before.currency,
             before.category, before.colour, before.sizes, before.composition, before.image_urls, before.collage_url)
            IS DISTINCT FROM
            (after.active, after.brand, after.name, after.description, after.price, after.currency, after.category,
             after.colour, after.sizes, after.composition, after.image_urls, after.collage_url)
            OR before.image_status = 'pending' AND after.image_status <> 'pending'
            -- somebody set the status back, to have the product published again
            OR before.sync_status <> 'pending' AND after.sync_status = 'pending')
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


-- Due work of a new or changed product. Runs as its owner: it writes rows that the writer's own role may not write.
-- `public` stands for the schema of the tables.
CREATE OR REPLACE FUNCTION products_make_due() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    is_new boolean := TG_OP = 'INSERT';
BEGIN
    -- Every price is kept, with the time since when it has been valid.
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
    -- No longer on sale: only the stages that remove it elsewhere stay due.
    IF NOT NEW.active THEN
        UPDATE due_work SET due_at = NULL WHERE product_id = NEW.id AND due_at IS NOT NULL
            AND stage NOT IN ('ximilar_index', 'visual_index', 'production_catalog');
        RETURN NULL;
    END IF;
    -- On sale again: whatever was not finished when it left is due.
    IF NOT is_new AND NOT OLD.active THEN
        PERFORM make_due(w.product_id, w.brand, w.stage) FROM due_work w
        WHERE w.product_id = NEW.id AND (w.wanted <> w.taken OR w.lease_token IS NOT NULL OR w.attempts > 0);
    END IF;
    IF NEW.image_status = 'pending' AND (is_new OR NOT OLD.active OR OLD.image_status IS DISTINCT FROM 'pending'
            OR NEW.original_image_urls IS DISTINCT FROM OLD.original_image_urls) THEN
        PERFORM make_due(NEW.id, NEW.brand, 'originals');
    ELSIF NEW.image_status = 'uploaded'
            AND (is_new OR NOT OLD.active OR OLD.image_status IS DISTINCT FROM 'uploaded') THEN
        PERFORM make_due(NEW.id, NEW.brand, 'collages');
    -- No photo is left: collages removes the collage.
    ELSIF NEW.image_status = 'error' AND NEW.collage_url IS NOT NULL
            AND NOT is_new AND OLD.image_status IS DISTINCT FROM 'error' THEN
        PERFORM make_due(NEW.id, NEW.brand, 'collages');
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION products_make_due() FROM PUBLIC;

CREATE TRIGGER raw_products_due_after_insert AFTER INSERT ON raw_products FOR EACH ROW
    EXECUTE FUNCTION products_make_due();

CREATE TRIGGER raw_products_due_after_update AFTER UPDATE ON raw_products FOR EACH ROW
    WHEN ((OLD.active, OLD.brand, OLD.name, OLD.description, OLD.price, OLD.currency, OLD.category, OLD.colour,
           OLD.sizes, OLD.composition, OLD.original_image_urls, OLD.image_urls, OLD.collage_url, OLD.image_status,
           OLD.index_scope, OLD.ximilar_target_count, OLD.ximilar_status, OLD.sync_status)
          IS DISTINCT FROM
          (NEW.active, NEW.brand, NEW.name, NEW.description, NEW.price, NEW.currency, NEW.category, NEW.colour,
           NEW.sizes, NEW.composition, NEW.original_image_urls, NEW.image_urls, NEW.collage_url, NEW.image_status,
           NEW.index_scope, NEW.ximilar_target_count, NEW.ximilar_status, NEW.sync_status))
    EXECUTE FUNCTION products_make_due();


-- What another program did to a product counts as done where it did the work of a stage, and makes the rest due.
-- Named so that it runs after raw_products_due_after_insert and raw_products_due_after_update.
CREATE OR REPLACE FUNCTION products_written_outside() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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

CREATE TRIGGER raw_products_written_outside AFTER INSERT OR UPDATE ON raw_products FOR EACH ROW
    WHEN (is_outside_write()) EXECUTE FUNCTION products_written_outside();


-- Due work of a product whose stored photos changed. Runs as its owner, as products_make_due().
CREATE OR REPLACE FUNCTION photos_make_due() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
REVOKE EXECUTE ON FUNCTION photos_make_due() FROM PUBLIC;

CREATE TRIGGER product_photos_due_after_insert AFTER INSERT ON product_photos FOR EACH ROW
    WHEN (NEW.state = 'stored') EXECUTE FUNCTION photos_make_due();

CREATE TRIGGER product_photos_due_after_update AFTER UPDATE ON product_photos FOR EACH ROW
    WHEN ((OLD.state = 'stored' OR NEW.state = 'stored')
          AND (OLD.n, OLD.state, OLD.key, OLD.sha256) IS DISTINCT FROM (NEW.n, NEW.state, NEW.key, NEW.sha256))
    EXECUTE FUNCTION photos_make_due();

CREATE TRIGGER product_photos_due_after_delete AFTER DELETE ON product_photos FOR EACH ROW
    WHEN (OLD.state = 'stored') EXECUTE FUNCTION photos_make_due();
