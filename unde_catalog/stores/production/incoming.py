"""The incoming rows of a publication before its merge: products with their verdicts, and availability."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.production import publications
from unde_catalog.stores.production.publications import Claim
from unde_catalog.stores.staging.publishing import ProductToPublish
from unde_catalog.stores.staging.stock.stock_rows import StockRow

Verdict = Literal["publish", "left", "skip", "error"]

_COLUMNS = (
    "source", "external_id", "brand", "name", "description", "price", "currency", "category", "colour", "sizes",
    "composition", "image_urls", "collage_url",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValidatedProduct:
    """A product leased in staging, and the verdict on it; `reason` and `detail` if it failed a rule."""

    product: ProductToPublish
    lease_token: str
    verdict: Verdict
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class UnsettledProduct:
    """A merged product whose outcome is not yet written to staging."""

    product_id: int
    external_id: str
    lease_token: str
    verdict: Verdict
    reason: str | None
    detail: str | None
    price: Decimal | None
    currency: str | None
    loaded_at: datetime


def add(
    cursor: Cursor,
    claim: Claim,
    publication: int,
    products: Sequence[ValidatedProduct],
    availability: Iterable[StockRow],
) -> None:
    """Add products and availability to a publication; raises `PublicationTakenOver`."""
    publications.renew(cursor, claim)
    head = "publication_id, product_id, lease_token, verdict, reason, detail, loaded_at"
    with cursor.copy(f"COPY catalog_incoming_products ({head}, {', '.join(_COLUMNS)}) FROM STDIN".encode()) as copy:
        for one in products:
            product = one.product
            values = (getattr(product, column) for column in _COLUMNS)
            copy.write_row(
                (publication, product.id, one.lease_token, one.verdict, one.reason, one.detail, product.loaded_at,
                 *values)
            )  # fmt: skip
    columns = "publication_id, store_id, external_id, sizes_in_stock, fetched_at"
    with cursor.copy(f"COPY catalog_incoming_availability ({columns}) FROM STDIN".encode()) as copy:
        for row in availability:
            copy.write_row((publication, row.store_id, row.external_id, row.sizes_in_stock, row.fetched_at))


def unsettled_products(cursor: Cursor, publication: int, after: int, limit: int) -> list[UnsettledProduct]:
    """The next products of a publication after a product id, by id; empty at the end."""
    # A table that was just filled has no statistics: the planner would sort all of it for every page.
    cursor.execute("SET LOCAL enable_sort = off")
    cursor.execute(
        """
        SELECT product_id, external_id, lease_token, verdict, reason, detail, price, currency, loaded_at
        FROM catalog_incoming_products
        WHERE publication_id = %s AND product_id > %s ORDER BY publication_id, product_id LIMIT %s
        """,
        (publication, after, limit),
    )
    return [UnsettledProduct(**row) for row in cursor.fetchall()]
