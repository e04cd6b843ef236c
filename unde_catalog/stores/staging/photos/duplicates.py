"""Finds stored photos with the same bytes on different products of a brand.

Of a large brand only the newest products are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from unde_catalog.stores.db.database import Cursor

NEWEST = 50_000  # products
NEWEST_PRODUCTS: LiteralString = """
    newest AS MATERIALIZED (
        SELECT id, external_id FROM raw_products WHERE brand = %(brand)s AND active ORDER BY id DESC LIMIT %(newest)s
    )"""
_EXAMPLES = 3
_MOST_SHARED_LIMIT = 10


@dataclass(frozen=True, slots=True)
class SharedPhoto:
    """A photo: the key of one of its objects, the number of products with it, and external ids of some of them."""

    key: str
    products: int
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class SamePhotos:
    """The numbers of compared products, of products that share a photo with another, and of shared photos."""

    products: int
    sharing: int
    photos: int
    most_shared: Sequence[SharedPhoto]


def same_photos(cursor: Cursor, brand: str, newest: int = NEWEST) -> SamePhotos:
    """Compare the newest active products by the SHA-256 of their photos."""
    cursor.execute(
        f"""
        WITH {NEWEST_PRODUCTS}, shared AS MATERIALIZED (
            SELECT min(f.key) AS key, array_agg(DISTINCT n.external_id) AS products
            FROM newest n
            CROSS JOIN LATERAL (  -- by index: a join would read the photos of all brands
                SELECT product_id, sha256, key FROM product_photos
                WHERE product_id = n.id AND state = 'stored' OFFSET 0
            ) AS f
            GROUP BY f.sha256
            HAVING min(f.product_id) <> max(f.product_id)
        )
        SELECT (SELECT count(*) FROM newest) AS products,
               (SELECT count(DISTINCT one) FROM shared, unnest(products) AS one) AS sharing,
               (SELECT count(*) FROM shared) AS photos,
               coalesce((SELECT jsonb_agg(t) FROM (
                   SELECT key, cardinality(products) AS products, products[1:%(examples)s] AS examples
                   FROM shared ORDER BY cardinality(products) DESC, key LIMIT %(limit)s) AS t), '[]') AS most_shared
        """,
        {"brand": brand, "newest": newest, "examples": _EXAMPLES, "limit": _MOST_SHARED_LIMIT},
    )
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return SamePhotos(**{**row, "most_shared": [SharedPhoto(**one) for one in row["most_shared"]]})
