"""Roles with least privilege (spec 1): a worker connects as its stage's, `scraper` is for one that serves them all.

What a stage reads of raw_products changes often and is public, so all roles read it whole; what they write is named
column by column. A later table is given to its writers in its own migration; `scraper` gets it by itself. What roles
may do beyond that stays: deployed services use it. `unde-catalog roles --strict` takes it back.

Revision: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"

# Roles belong to the whole server, so another database's migration may make them at this very moment. Without a
# password nobody gets in where one is asked for: an operator sets it. Roles that are there already stay as they are.
ROLES = """
DO $$
DECLARE
    missing text[] := ARRAY(
        SELECT name FROM unnest(ARRAY['apify', 'collage', 'downloader', 'scraper', 'ximilar']) AS wanted (name)
        WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) ORDER BY name);
    name text;
BEGIN
    FOREACH name IN ARRAY missing LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE insufficient_privilege USING MESSAGE = format(
                    'the roles %s are missing and %s may not make roles; let an administrator run '
                    'CREATE ROLE ... LOGIN for each of them, then migrate again',
                    array_to_string(missing, ', '), current_user);
        END;
    END LOOP;
END $$;
"""

GRANTS = """
GRANT SELECT ON alembic_version, due_work, raw_products, scraper_logs TO apify, collage, downloader, ximilar, scraper;
GRANT INSERT, UPDATE ON scraper_logs TO apify, collage, downloader, ximilar;
GRANT USAGE ON SEQUENCE scraper_logs_id_seq TO apify, collage, downloader, ximilar;

-- Collecting. The status of new photo addresses is the trigger's, as are prices and due rows.
GRANT INSERT (source, external_id, brand, name, description, price, currency, category, colour, sizes, composition,
              original_image_urls, raw_data, scraped_at, index_scope, last_scrape_id) ON raw_products TO apify;
GRANT UPDATE (name, description, price, currency, category, colour, sizes, composition, original_image_urls, raw_data,
              scraped_at, active, last_scrape_id, updated_at) ON raw_products TO apify;
GRANT SELECT, INSERT, UPDATE ON scrapes TO apify;
GRANT SELECT, INSERT, UPDATE, DELETE ON scraped_items, rejected_items TO apify;
GRANT USAGE ON SEQUENCE raw_products_id_seq, scrapes_id_seq, rejected_items_id_seq TO apify;

-- Photos.
GRANT UPDATE (image_urls, image_status, error_message, updated_at) ON raw_products TO downloader;
GRANT SELECT, INSERT, UPDATE, DELETE ON product_photos, photo_intents TO downloader;

-- Collages.
GRANT UPDATE (collage_url, image_status, error_message, updated_at) ON raw_products TO collage;
GRANT SELECT ON product_photos TO collage, ximilar;
GRANT SELECT, INSERT, UPDATE, DELETE ON product_collages TO collage;
GRANT SELECT ON product_collages TO downloader, ximilar;

-- Ximilar. What to index (index_scope, ximilar_target_count) is an operator's to say.
GRANT UPDATE (ximilar_status, ximilar_synced_at, ximilar_synced_urls, updated_at) ON raw_products TO ximilar;

-- Each works off its own stage's due rows, see below. Which product, stage and brand a row is of never changes;
-- rows are the trigger's to make, but for a forced first stage.
GRANT UPDATE (due_at, leased_until, lease_token, wanted, taken, attempts, item_faults, given_up, reason, detail,
              failing_since, done_at, forced_at, asked_by) ON due_work TO collage, downloader, ximilar;
GRANT INSERT (product_id, stage, brand) ON due_work TO downloader;

-- Everything, now and later, but the schema itself.
GRANT SELECT, INSERT, UPDATE, DELETE ON raw_products, raw_availability, raw_stores, scraper_logs, scrapes,
    scraped_items, rejected_items, price_history, product_photos, photo_intents, product_collages, due_work TO scraper;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO scraper;
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO scraper;
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO scraper;
"""

# A role writes rows of its own stage only; as no such role may change a row's stage, a check of what is written is
# enough. A condition in USING would keep "due_at <= now" out of the index scan, as it has to come before all others and
# comparing times is not leakproof: every look for due work would read all that is due later.
# The owner, and so the triggers, are not bound by any of this.
POLICIES = """
DROP POLICY IF EXISTS all_read ON due_work;
CREATE POLICY all_read ON due_work FOR SELECT USING (true);
DROP POLICY IF EXISTS originals ON due_work;
CREATE POLICY originals ON due_work TO downloader USING (true) WITH CHECK (stage = 'originals');
DROP POLICY IF EXISTS collages ON due_work;
CREATE POLICY collages ON due_work TO collage USING (true) WITH CHECK (stage = 'collages');
DROP POLICY IF EXISTS ximilar_index ON due_work;
CREATE POLICY ximilar_index ON due_work TO ximilar USING (true) WITH CHECK (stage = 'ximilar_index');
DROP POLICY IF EXISTS all_stages ON due_work;
CREATE POLICY all_stages ON due_work TO scraper USING (true);
ALTER TABLE due_work ENABLE ROW LEVEL SECURITY;
"""

# The rule writes rows that no worker may, so it runs as its owner. Nobody else may put it on a table of his own (of his
# temporary schema, say) and have it write what he likes, nor place a function in its search path. What it calls
# (make_due, unde_now) has its caller's rights.
RULE = """
ALTER FUNCTION products_make_due() SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp;
ALTER FUNCTION photos_make_due() SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp;
REVOKE EXECUTE ON FUNCTION products_make_due(), photos_make_due() FROM PUBLIC;
REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC;
GRANT USAGE ON SCHEMA {schema} TO apify, collage, downloader, ximilar, scraper;
"""


def upgrade() -> None:
    """Make what is missing; rights and policies are set anew."""
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(ROLES)
    op.execute(GRANTS.format(schema=schema))
    op.execute(RULE.format(schema=schema))
    op.execute(POLICIES)  # last: from here on everybody waits for the commit
