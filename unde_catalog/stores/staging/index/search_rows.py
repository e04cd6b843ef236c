"""What a search reads besides vectors: example photos, the stock of results, and the values of filters.

The search itself is in `vectors.py`; products are read in `stores/staging/products/api_products.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.embeddings import SEARCHED, Vector

MAX_CATEGORIES = 500
_MAX_CATEGORY_LENGTH = 99  # characters: the index has one more
_MAX_COUNT = 1_000_000
MAX_STORES = 1_000


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A store by brand and id; `name` is None if the store finder was not queried for it."""

    brand: str
    store_id: int
    name: str | None


@dataclass(frozen=True, slots=True)
class StoreStock:
    """The sizes of a product that a store had at the last check."""

    store: KnownStore
    sizes: list[str]


@dataclass(frozen=True, slots=True)
class Example:
    """A product to search by: its brand, and the embedding of its photo `n`, None if that has no embedding.

    `model` is the model in use, None if there is none.
    """

    product_id: int
    brand: str
    model: str | None
    n: int | None
    embedding: Vector | None


@dataclass(frozen=True, slots=True)
class PhotoObject:
    """A stored photo: its object key, and the SHA-256 of its bytes in hex."""

    key: str
    sha256: str


def embedded_brand(cursor: Cursor, model: str) -> str | None:
    """The brand of any searchable product with an embedded photo; None if there is no such product."""
    cursor.execute(
        f"""
        SELECT p.brand FROM raw_products p
        WHERE {SEARCHED} AND EXISTS (SELECT 1 FROM product_embeddings e WHERE e.product_id = p.id AND e.model = %s)
        LIMIT 1
        """,
        (model,),
    )
    row = cursor.fetchone()
    return None if row is None else row["brand"]


def photo(cursor: Cursor, row_id: int | None, names: Sequence[tuple[str, str]], n: int) -> PhotoObject | None:
    """Photo `n` of a product, None if it is not stored.

    The product is the row `row_id`, or the first that there is of some (brand, external id).
    """
    cursor.execute(
        """
        SELECT f.key, f.sha256
        FROM raw_products p JOIN product_photos f ON f.product_id = p.id
        WHERE (p.id = %(row_id)s OR p.external_id = ANY(%(ids)s)
               AND (p.brand, p.external_id) IN (SELECT * FROM unnest(%(brands)s::text[], %(ids)s::text[])))
          AND f.n = %(n)s AND f.state = 'stored'
        ORDER BY array_position(%(ids)s::text[], p.external_id::text), p.id LIMIT 1
        """,
        {"row_id": row_id, "brands": [name[0] for name in names], "ids": [name[1] for name in names], "n": n},
    )
    row = cursor.fetchone()
    return PhotoObject(**row) if row else None


def examples(cursor: Cursor, external_id: str, brand: str | None, n: int | None) -> list[Example]:
    """The products with an external id, of one brand or of all, with the embedding of photo `n` or of the first."""
    cursor.execute(
        """
        SELECT p.id AS product_id, p.brand, m.model, e.n, e.embedding::text AS embedding
        FROM raw_products p
        LEFT JOIN embedding_models m ON m.state = 'serving'
        LEFT JOIN LATERAL (
            SELECT e.n, e.embedding FROM product_embeddings e
            WHERE e.product_id = p.id AND e.model = m.model AND (%(n)s::int IS NULL OR e.n = %(n)s)
            ORDER BY e.n LIMIT 1) AS e ON true
        WHERE p.external_id = %(external_id)s AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)
        ORDER BY p.id
        """,
        {"external_id": external_id, "brand": brand, "n": n},
    )
    return [Example(**{**row, "embedding": _numbers(row["embedding"])}) for row in cursor.fetchall()]


def in_stock(
    cursor: Cursor, product_ids: Collection[int], stores: Sequence[KnownStore]
) -> Mapping[int, list[StoreStock]]:
    """The stores that have some products in stock, by product, in the order of `stores`."""
    if not product_ids or not stores:
        return {}
    # One index lookup for each product and store: a product has many more rows in a month.
    cursor.execute(
        """
        SELECT p.id, jsonb_agg(jsonb_build_array(s.position - 1, a.sizes_in_stock) ORDER BY s.position) AS found
        FROM raw_products p
        JOIN unnest(%(brands)s::text[], %(stores)s::int[]) WITH ORDINALITY AS s (brand, store_id, position)
            ON s.brand = p.brand
        CROSS JOIN LATERAL (
            SELECT a.sizes_in_stock FROM raw_availability a
            WHERE a.brand = s.brand AND a.store_id = s.store_id AND a.product_id = p.external_id
            ORDER BY a.fetched_at DESC LIMIT 1) AS a
        WHERE p.id = ANY(%(ids)s) AND a.sizes_in_stock <> '[]'
        GROUP BY p.id
        """,
        {
            "ids": list(product_ids),
            "brands": [store.brand for store in stores],
            "stores": [store.store_id for store in stores],
        },
    )
    return {
        row["id"]: [StoreStock(stores[position], _sizes(sizes)) for position, sizes in row["found"]]
        for row in cursor.fetchall()
    }


def known_stores(cursor: Cursor) -> list[KnownStore]:
    """The stores in `raw_stores`, by brand and name."""
    cursor.execute(
        """
        SELECT brand, store_id,
               coalesce(nullif(trim(name), ''), nullif(trim(mall_name), ''), nullif(trim(address), '')) AS name
        FROM raw_stores ORDER BY brand, name, store_id LIMIT %s
        """,
        (MAX_STORES,),
    )
    return [KnownStore(**row) for row in cursor.fetchall()]


def categories(cursor: Cursor, brands: Sequence[str]) -> list[str]:
    """The categories of searchable products in alphabetical order, at most `MAX_CATEGORIES`, without very long ones.

    Skips along the index from one category to the next, so the number of products does not matter.
    """
    cursor.execute(
        f"""
        WITH RECURSIVE names AS (
            (SELECT left(category, 100) AS name FROM raw_products
             WHERE active AND left(category, 100) > '' ORDER BY left(category, 100) LIMIT 1)
            UNION ALL
            SELECT (SELECT left(category, 100) FROM raw_products
                    WHERE active AND left(category, 100) > n.name ORDER BY left(category, 100) LIMIT 1)
            FROM names n WHERE n.name IS NOT NULL
        )
        SELECT n.name FROM (SELECT name FROM names LIMIT %(scanned)s) AS n
        WHERE length(n.name) <= %(max_length)s AND EXISTS (
            SELECT 1 FROM raw_products p
            WHERE {SEARCHED} AND p.brand = ANY(%(brands)s) AND left(p.category, 100) = n.name)
        ORDER BY n.name LIMIT %(limit)s
        """,
        {
            "scanned": 4 * MAX_CATEGORIES,
            "max_length": _MAX_CATEGORY_LENGTH,
            "limit": MAX_CATEGORIES,
            "brands": list(brands),
        },
    )
    return [row["name"] for row in cursor.fetchall()]


def photos(cursor: Cursor, model: str) -> int | None:
    """The number of a model's photos; None for more than a million, because counting them takes too long."""
    cursor.execute(
        "SELECT count(*) AS n FROM (SELECT 1 FROM product_embeddings WHERE model = %s LIMIT %s) AS counted",
        (model, _MAX_COUNT + 1),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"] if row["n"] <= _MAX_COUNT else None


def _sizes(value: object) -> list[str]:
    """The names of sizes; the column may contain any JSON."""
    return [str(size) for size in value] if isinstance(value, list) else []


def _numbers(text: str | None) -> Vector | None:
    """The numbers in the text of a vector or an array."""
    return None if text is None else [float(number) for number in text.strip("[]{}").split(",")]
