"""`raw_products` as the API reads and edits it.

Triggers make edited products due. The response format is in `services/search/schemas/product_view.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from unde_catalog.brands import IndexScope
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products.product import API_SOURCE, CollectedProduct


@dataclass(frozen=True, slots=True)
class ApiProduct:
    """A row of raw_products. `photos` are the numbers (from 1) of the stored photos, in order.

    `price` is in units of `currency`. `sizes` and `original_image_urls` may be any JSON. So may `reference`, the number
    of the article in the brand's item, and `product_url`, the address of its page.
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
    reference: Any
    product_url: Any
    active: bool
    created_at: datetime
    updated_at: datetime


_COLUMNS: LiteralString = """
    p.id, p.source, p.external_id, p.brand, p.name, p.description, p.category, p.price, p.currency, p.colour, p.sizes,
    p.composition, p.original_image_urls, p.collage_url, p.active,
    p.raw_data -> 'reference' AS reference, coalesce(p.raw_data -> 'productUrl', p.raw_data -> 'url') AS product_url,
    coalesce(p.created_at, p.scraped_at) AS created_at,
    coalesce(p.updated_at, p.created_at, p.scraped_at) AS updated_at,
    ARRAY(SELECT f.n::int FROM product_photos f WHERE f.product_id = p.id AND f.state = 'stored' ORDER BY f.n) AS photos
"""
# The columns that clients may edit. The casts give compared values a type.
_EDITED: LiteralString = "name, description, category, price, currency, colour, sizes, composition, original_image_urls"
_EDITED_VALUES: LiteralString = (
    "%(name)s::text, %(description)s::text, %(category)s::text, %(price)s::numeric, %(currency)s::text,"
    " %(colour)s::text, %(sizes)s::jsonb, %(composition)s::text, %(original_image_urls)s::jsonb"
)
_OF_ROW: LiteralString = ", ".join(f"p.{column}" for column in _EDITED.split(", "))


def by_ids(cursor: Cursor, product_ids: Collection[int]) -> Mapping[int, ApiProduct]:
    """Some products by their ids; products that do not exist are missing."""
    cursor.execute(f"SELECT {_COLUMNS} FROM raw_products p WHERE p.id = ANY(%s)", (list(product_ids),))
    return {row["id"]: ApiProduct(**row) for row in cursor.fetchall()}


def by_external_id(
    cursor: Cursor, external_id: str, brand: str | None = None, *, for_update: bool = False
) -> list[ApiProduct]:
    """The products with an external id, of one brand or of all, by id; several if brands share the external id.

    `for_update`: lock them until the end of the transaction.
    """
    cursor.execute(
        f"SELECT {_COLUMNS} FROM raw_products p"
        " WHERE p.external_id = %(external_id)s AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)"
        f" ORDER BY p.id {'FOR NO KEY UPDATE OF p' if for_update else ''}",
        {"external_id": external_id, "brand": brand},
    )
    return [ApiProduct(**row) for row in cursor.fetchall()]


def insert(cursor: Cursor, brand: str, index_scope: IndexScope, product: CollectedProduct) -> int | None:
    """Add a product of the source `api`; returns its id, None if it exists already."""
    cursor.execute(
        f"""
        INSERT INTO raw_products (source, external_id, brand, {_EDITED}, raw_data, scraped_at, index_scope)
        VALUES (%(source)s, %(external_id)s, %(brand)s, {_EDITED_VALUES}, %(raw_data)s, unde_now(), %(index_scope)s)
        ON CONFLICT (source, external_id) DO NOTHING
        RETURNING id
        """,
        {**_values(product), "source": API_SOURCE, "brand": brand, "index_scope": index_scope},
    )
    row = cursor.fetchone()
    return row["id"] if row else None


def replace(cursor: Cursor, product_id: int, product: CollectedProduct) -> None:
    """Set the fields of a product and put it on sale. Unchanged values make nothing due."""
    cursor.execute(
        f"""
        UPDATE raw_products AS p
        SET ({_EDITED}) = ROW ({_EDITED_VALUES}), active = true, scraped_at = unde_now(),
            updated_at = CASE
                WHEN p.active AND ({_OF_ROW}) IS NOT DISTINCT FROM ({_EDITED_VALUES}) THEN p.updated_at ELSE now()
            END
        WHERE p.id = %(id)s
        """,
        {**_values(product), "id": product_id},
    )


def withdraw(cursor: Cursor, product_id: int) -> None:
    """Take a product off sale."""
    cursor.execute("UPDATE raw_products SET active = false, updated_at = now() WHERE id = %s AND active", (product_id,))


def _values(product: CollectedProduct) -> dict[str, Any]:
    return {
        "external_id": product.external_id,
        "name": product.name,
        "description": product.description,
        "category": product.category,
        "price": product.price,
        "currency": product.currency,
        "colour": product.colour,
        "sizes": None if product.sizes is None else Jsonb(product.sizes),
        "composition": product.composition,
        "original_image_urls": Jsonb(product.original_image_urls),
        "raw_data": Jsonb(product.raw_data),
    }
