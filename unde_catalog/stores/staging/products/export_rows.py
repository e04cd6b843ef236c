"""What an export reads: external ids, categories and photo URLs of a brand's active products, in pages.

The export is in `services/export/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor

PAGE = 1_000  # products in a query, each in a short transaction without session state
MAX_PHOTOS = 100  # of one product

# The URLs of the source, or those of the stored photos if the source lists none any more. A blank category is NULL.
_PHOTOS = """
    FROM raw_products p
    CROSS JOIN LATERAL (SELECT jsonb_path_query_array(
        CASE WHEN p.original_image_urls <> '[]' AND jsonb_typeof(p.original_image_urls) <> 'null'
             THEN p.original_image_urls ELSE p.image_urls END, %(photos)s::jsonpath) AS urls) AS u
    WHERE p.brand = %(brand)s AND p.active
      AND (%(category)s::text IS NULL OR coalesce(nullif(btrim(p.category), ''), %(without)s) = %(category)s)
"""
PAGE_QUERY = f"""
    SELECT p.id, p.external_id, p.category, u.urls {_PHOTOS} AND p.id > %(after)s ORDER BY p.id LIMIT %(page)s
"""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A product: row id, external id, category (None: it has none) and photo URLs in order."""

    id: int
    external_id: str
    category: str | None
    urls: Sequence[str]


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """The products of a brand and category (None: all), with at most `photos` each.

    `without` is the category of products that have none.
    """

    brand: str
    category: str | None
    without: str
    photos: int

    def values(self) -> dict[str, object]:
        """The parameters of the queries."""
        path = f'$[0 to {min(self.photos, MAX_PHOTOS) - 1}] ? (@.type() == "string" && @ != "")'
        return {"brand": self.brand, "category": self.category, "without": self.without, "photos": path}


def page(cursor: Cursor, selection: ExportSelection, after: int) -> list[ExportRow]:
    """The next products after a row id, by id; empty at the end."""
    # Before its first ANALYZE, the planner takes a table for small and would sort it for every page: minutes in all.
    cursor.execute("SET LOCAL enable_bitmapscan = off")
    cursor.execute(PAGE_QUERY, {**selection.values(), "after": after, "page": PAGE})
    return [ExportRow(row["id"], row["external_id"], row["category"], row["urls"] or ()) for row in cursor.fetchall()]


def count(cursor: Cursor, selection: ExportSelection) -> int:
    """The number of photos of the selected products."""
    cursor.execute(f"SELECT coalesce(sum(jsonb_array_length(u.urls)), 0)::bigint AS n {_PHOTOS}", selection.values())
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def largest_categories(cursor: Cursor, brand: str, limit: int) -> list[str]:
    """A brand's categories with the most active products."""
    cursor.execute(
        """
        SELECT btrim(category) AS name FROM raw_products
        WHERE brand = %s AND active AND btrim(category) <> '' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s
        """,
        (brand, limit),
    )
    return [row["name"] for row in cursor.fetchall()]


def categories(cursor: Cursor, brand: str, external_ids: Sequence[str]) -> Mapping[str, str]:
    """The categories of these products by external id; products without one are missing."""
    cursor.execute(
        """
        SELECT external_id, category FROM raw_products
        WHERE external_id = ANY(%s) AND brand = %s AND btrim(category) <> ''
        """,
        (list(external_ids), brand),
    )
    return {row["external_id"]: row["category"] for row in cursor.fetchall()}


def external_ids(cursor: Cursor, keys: Sequence[str]) -> Mapping[str, str]:
    """The external ids of the products with photos under these keys; other keys are missing."""
    cursor.execute(
        """
        SELECT f.key, p.external_id FROM product_photos f JOIN raw_products p ON p.id = f.product_id
        WHERE f.key = ANY(%s)
        """,
        (list(keys),),
    )
    return {row["key"]: row["external_id"] for row in cursor.fetchall()}
