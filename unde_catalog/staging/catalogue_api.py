"""raw_products as the API shows and edits them: one product, some, a page of them. Nothing is kept twice.

What makes an edited product due is the tables' own rule; how a product looks to a client is `search/product_view.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from unde_catalog.staging.database import Cursor


@dataclass(frozen=True, slots=True)
class CatalogueProduct:
    """A product as its row has it; `photos` are the places (from 1) of those that are stored, in order.

    `price` in units of `currency`. `sizes` and `original_image_urls` are whatever JSON somebody wrote.
    """

    id: int
    source: str
    external_id: str
    brand: str
    name: str | None
    description: str | None
    category: str | None
    price: Decimal | None
    currency: str | None
    colour: str | None
    sizes: Any
    composition: str | None
    original_image_urls: Any
    photos: Sequence[int]
    collage_url: str | None
    active: bool
    created_at: datetime
    updated_at: datetime


_COLUMNS: LiteralString = """
    p.id, p.source, p.external_id, p.brand, p.name, p.description, p.category, p.price, p.currency, p.colour, p.sizes,
    p.composition, p.original_image_urls, p.collage_url, p.active,
    coalesce(p.created_at, p.scraped_at) AS created_at,
    coalesce(p.updated_at, p.created_at, p.scraped_at) AS updated_at,
    ARRAY(SELECT f.n::int FROM product_photos f WHERE f.product_id = p.id AND f.state = 'stored' ORDER BY f.n) AS photos
"""


def by_ids(cursor: Cursor, product_ids: Collection[int]) -> Mapping[int, CatalogueProduct]:
    """Some products by their ids; one that is not there is missing from the answer."""
    cursor.execute(f"SELECT {_COLUMNS} FROM raw_products p WHERE p.id = ANY(%s)", (list(product_ids),))
    return {row["id"]: CatalogueProduct(**row) for row in cursor.fetchall()}
