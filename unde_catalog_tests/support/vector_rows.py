"""Products whose photos have the vectors that a test chooses."""

import math
from decimal import Decimal
from typing import Any

from unde_catalog.stages.visual_index.vector_store import PhotoVector
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import models
from unde_catalog.stores.staging.index.embeddings import SIZE
from unde_catalog_tests.support.due import add_products, execute

MODEL = "toy@1"


def serve(db: Database, model: str = MODEL) -> None:
    db.run(models.begin, model)


def direction(degrees: float) -> list[float]:
    """A unit vector in one plane, so that distances of vectors follow from their angles."""
    angle = math.radians(degrees)
    return [math.cos(angle), math.sin(angle)] + [0.0] * (SIZE - 2)


def product(db: Database, number: int, *, brand: str = "zara", **columns: Any) -> int:
    """Add a product in the scope of the index with this external id. Returns its id."""
    values = {"image_status": "uploaded", "index_scope": "pilot", "category": "dress", "price": 100, **columns}
    return add_products(db, 1, brand, first=number, **values)[0]


def photo(db: Database, product_id: int, degrees: float, n: int = 1, sha256: str | None = None) -> PhotoVector:
    """An embedded photo of a product."""
    (row,) = execute(
        db, "SELECT source, external_id, brand, category, price FROM raw_products WHERE id = %s", product_id
    )
    price = row.pop("price")
    return PhotoVector(
        product_id, **row, price=None if price is None else Decimal(price), n=n,
        sha256=sha256 or f"{product_id}-{n}", vector=direction(degrees),
    )  # fmt: skip


def in_stock(db: Database, product_id: int, store_id: int, sizes: list[str], day: str) -> None:
    """Add the stock of a product at a store on a day."""
    execute(
        db,
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " SELECT brand, %s, external_id, to_jsonb(%s::text[]), %s::timestamptz FROM raw_products WHERE id = %s",
        store_id, sizes, day, product_id,
    )  # fmt: skip
