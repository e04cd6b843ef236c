"""The words of each product on sale, for searches by text.

A table beside raw_products, not a generated column, which would be written again with every change of a price.

Revision: 0026
"""

from alembic import op

revision = "0026"
down_revision = "0025"

SQL = r"""
CREATE TABLE IF NOT EXISTS product_words (
    product_id bigint   PRIMARY KEY REFERENCES raw_products (id) ON DELETE CASCADE,
    words      tsvector NOT NULL
);

-- A text as searches compare it; the same rules as words_of() of the search service. A letter and a word are one word:
-- otherwise a search for shirts would find T-shirts. `cottonDETAILS`, as compositions have it, are two.
CREATE OR REPLACE FUNCTION search_text(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT regexp_replace(regexp_replace(
        replace(lower(regexp_replace(coalesce($1, ''), '([[:lower:]])([[:upper:]])', '\1 \2', 'g')), 'ё', 'е'),
        '\m([[:alpha:]])-(?=[[:alpha:]]{2})|\m(t) (?=shirt)|\m(v) (?=neck)', '\1\2\3', 'g'),
        '[-/_.]+', ' ', 'g')
$$;

CREATE OR REPLACE FUNCTION words_of_product(product raw_products) RETURNS tsvector LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT setweight(to_tsvector('pg_catalog.russian', search_text(left(product.name, 1000))), 'A')
        || setweight(to_tsvector('pg_catalog.russian', search_text(concat_ws(' ', product.colour, product.brand,
            left(product.category, 500), product.external_id, left(product.raw_data ->> 'reference', 100)))), 'B')
        -- Of `"material": "SHELL63% viscose26% lyocell"` the words remain.
        || setweight(to_tsvector('pg_catalog.russian', search_text(regexp_replace(left(product.composition, 2000),
            '[a-z]+["'']: |[^[:alpha:]]+', ' ', 'g'))), 'C')
        || setweight(to_tsvector('pg_catalog.russian', search_text(left(product.description, 1000))), 'D')
$$;

-- Keeps product_words. Runs as its owner, because the roles of single stages cannot write that table.
CREATE OR REPLACE FUNCTION keep_product_words() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.active THEN
        INSERT INTO product_words AS w (product_id, words) VALUES (NEW.id, words_of_product(NEW))
        ON CONFLICT (product_id) DO UPDATE SET words = excluded.words WHERE w.words <> excluded.words;
    ELSE
        DELETE FROM product_words WHERE product_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION keep_product_words() FROM PUBLIC;

DROP TRIGGER IF EXISTS raw_products_words_after_insert ON raw_products;
CREATE TRIGGER raw_products_words_after_insert AFTER INSERT ON raw_products FOR EACH ROW
    WHEN (NEW.active) EXECUTE FUNCTION keep_product_words();

DROP TRIGGER IF EXISTS raw_products_words_after_update ON raw_products;
CREATE TRIGGER raw_products_words_after_update AFTER UPDATE ON raw_products FOR EACH ROW
    WHEN ((OLD.active, OLD.brand, OLD.name, OLD.description, OLD.category, OLD.colour, OLD.composition,
           OLD.external_id)
          IS DISTINCT FROM
          (NEW.active, NEW.brand, NEW.name, NEW.description, NEW.category, NEW.colour, NEW.composition,
           NEW.external_id))
    EXECUTE FUNCTION keep_product_words();

INSERT INTO product_words (product_id, words) SELECT p.id, words_of_product(p) FROM raw_products p WHERE p.active
ON CONFLICT DO NOTHING;
CREATE INDEX IF NOT EXISTS idx_product_words ON product_words USING gin (words);

GRANT SELECT ON product_words TO scraper;
"""


def upgrade() -> None:
    """Create the table and what keeps it."""
    op.execute(SQL)
