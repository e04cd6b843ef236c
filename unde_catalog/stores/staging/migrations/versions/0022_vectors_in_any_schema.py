"""pgvector in any schema, such as `extensions`, where managed servers install it.

`prepare_vectors()` names the extension's schema, and lets the role that searches use it. Embeddings that are kept as
real[] are converted here only if there are none; else by the daily upkeep or `unde-catalog vectors rebuild`.

Revision: 0022
"""

from alembic import op

revision = "0022"
down_revision = "0021"

# As in 0019, but for the schema. Safe to call again; true where embeddings can be searched now.
PREPARE = """
CREATE OR REPLACE FUNCTION prepare_vectors() RETURNS boolean LANGUAGE plpgsql AS $prepare$
DECLARE
    home regnamespace;  -- as text it is quoted
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
    home := (SELECT extnamespace FROM pg_extension WHERE extname = 'vector');
    IF NOT has_schema_privilege(home, 'USAGE') OR to_regtype(home || '.halfvec') IS NULL THEN  -- older than 0.7
        RETURN false;
    END IF;
    BEGIN
        EXECUTE 'GRANT USAGE ON SCHEMA ' || home || ' TO scraper';
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;  -- the schema belongs to somebody else, who usually lets everybody use it
    END;
    IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 'product_embeddings'::regclass AND attname = 'embedding'
               AND atttypid = 'real[]'::regtype) THEN
        EXECUTE format('ALTER TABLE product_embeddings ALTER embedding TYPE %1$s.halfvec(512)'
                       ' USING embedding::%1$s.halfvec(512)', home);
    END IF;
    FOR slot IN 0..1 LOOP
        EXECUTE format('CREATE INDEX IF NOT EXISTS idx_product_embeddings_%1$s ON product_embeddings'
                       ' USING hnsw (embedding %2$s.halfvec_cosine_ops) WITH (m = 24, ef_construction = 128)'
                       ' WHERE slot = %1$s', slot, home);
    END LOOP;
    RETURN true;
END $prepare$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM product_embeddings) THEN
        PERFORM prepare_vectors();
    END IF;
END $$;
"""


def upgrade() -> None:
    """Replace the function."""
    op.execute(PREPARE)
