"""Everything that is stored of an asset, for notebooks and for assets that take it as an input.

Products are in `products/product_rows.py`, what is published in `production/catalog.py`.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.db.typed_rows import TypedRows, typed_rows

_QUERIES: Mapping[str, LiteralString] = {
    "originals": """
        SELECT p.external_id, t.n, t.key, t.sha256, t.width, t.height, t.bytes, t.source_url
        FROM product_photos t JOIN raw_products p ON p.id = t.product_id
        WHERE p.brand = ANY(%(brands)s) AND t.state = 'stored'
        ORDER BY array_position(%(brands)s, p.brand::text), p.id, t.n""",
    "collages": """
        SELECT p.external_id, NULL::smallint AS n, t.key, t.sha256, t.width, t.height, t.bytes, NULL::text AS source_url
        FROM product_collages t JOIN raw_products p ON p.id = t.product_id
        WHERE p.brand = ANY(%(brands)s)
        ORDER BY array_position(%(brands)s, p.brand::text), p.id""",
    "ximilar_index": """
        SELECT p.brand, p.external_id, t.n, t.collection, t.record_id, t.url, t.sha256, t.state, t.inserted_at
        FROM ximilar_records t JOIN raw_products p ON p.id = t.product_id
        WHERE p.brand = ANY(%(brands)s)
        ORDER BY array_position(%(brands)s, p.brand::text), p.id, t.n""",
    "visual_index": """
        SELECT p.brand, p.external_id, t.n, t.model, t.sha256, t.embedded_at
        FROM product_embeddings t JOIN raw_products p ON p.id = t.product_id
        WHERE p.brand = ANY(%(brands)s)
        ORDER BY array_position(%(brands)s, p.brand::text), p.id, t.n""",
    "raw_stores": """
        SELECT * FROM raw_stores WHERE brand = ANY(%(brands)s)
        ORDER BY array_position(%(brands)s, brand::text), store_id""",
    "availability": """
        SELECT brand, store_id, product_id, sizes_in_stock, fetched_at FROM raw_availability
        WHERE brand = ANY(%(brands)s)
          AND (%(days)s::date[] IS NULL OR (fetched_at AT TIME ZONE 'UTC')::date = ANY(%(days)s::date[]))
        ORDER BY array_position(%(brands)s, brand::text), fetched_at, id""",
}


def asset_rows(cursor: Cursor, asset: str, brands: Sequence[str], days: Sequence[str] | None = None) -> TypedRows:
    """The rows of these brands, in their order; of `availability` only those of the UTC `days`, None for all.

    Photos and collages have the columns of a manifest. Embeddings come without their vectors.
    """
    named = {"brands": list(brands), "days": None if days is None else list(days)}
    cursor.execute(_QUERIES[asset], named)
    return typed_rows(cursor)
