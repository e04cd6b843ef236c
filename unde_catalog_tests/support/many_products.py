"""Large numbers of products and due rows for tests, inserted by set-based statements that take seconds."""

from collections.abc import Sequence

import psycopg

_PRODUCTS = """
INSERT INTO raw_products (source, external_id, brand, name, image_status, scraped_at, raw_data)
SELECT 'apify_' || brand, n, brand, 'product ' || n, 'collage_ready', now(), '{}'
FROM (SELECT n, (%(brands)s::text[])[1 + n %% cardinality(%(brands)s::text[])] AS brand
      FROM generate_series(1, %(products)s) AS n) AS t
"""
# Work of an hour, a tenth of it due, in random order.
_DUE = """
INSERT INTO due_work (product_id, stage, brand, due_at, wanted, taken, done_at)
SELECT p.id, s.stage, p.brand, now() + interval '1 hour' * ((p.id * 7919) %% 10000 / 10000.0 - 0.1), 1, 1, now()
FROM raw_products p, unnest(%(stages)s::text[]) AS s (stage)
"""


def many_due_rows(direct_url: str, *, products: int, stages: Sequence[str], brands: Sequence[str]) -> None:
    """Insert products of these brands in turn, each with a due row per stage. Needs the administrator's URL."""
    values = {"products": products, "stages": list(stages), "brands": list(brands)}
    with psycopg.connect(direct_url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            connection.execute(_PRODUCTS, values)
            connection.execute(_DUE, values)
        connection.execute("VACUUM ANALYZE raw_products, due_work")
