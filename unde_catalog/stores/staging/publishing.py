"""What publishing reads of a brand's products, and the statuses that it writes.

The rules are in `stages/production_catalog/`, the production database in `stores/production/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, LiteralString

from unde_catalog.stores.db.database import Cursor

SyncStatus = Literal["synced", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class ProductToPublish:
    """A product as it is published, and other values that the rules need.

    `sizes` and `image_urls` are JSON texts. `former_price` is the last published price, or the median of the former
    prices in its currency. `loaded_at` is the time of the snapshot.
    """

    id: int
    source: str
    external_id: str
    brand: str
    name: str | None
    description: str | None
    price: Decimal | None
    currency: str | None
    category: str | None
    colour: str | None
    sizes: str | None
    composition: str | None
    image_urls: str | None
    collage_url: str | None
    active: bool
    photos: int
    former_price: Decimal | None
    unseen_for: timedelta
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class Published:
    """What to write for a product: its status, None to keep it; `price` and `loaded_at` if it is on sale now."""

    product_id: int
    sync_status: SyncStatus | None
    on_sale: bool
    price: Decimal | None
    currency: str | None
    loaded_at: datetime | None


_PHOTOS: LiteralString = "CASE jsonb_typeof(p.image_urls) WHEN 'array' THEN jsonb_array_length(p.image_urls) ELSE 0 END"
# percentile_disc gives one of the prices, so a decimal stays one.
# A price that an operator confirmed since the product was last published.
_RELEASED: LiteralString = """(
    SELECT r.price FROM price_releases r
    WHERE r.product_id = p.id AND r.currency = p.currency AND (p.synced_at IS NULL OR r.released_at > p.synced_at)
    ORDER BY r.released_at DESC LIMIT 1)
"""
_FORMER_PRICE: LiteralString = f"""
    coalesce({_RELEASED}, CASE WHEN p.published_price IS NOT NULL
        THEN CASE WHEN p.published_currency = p.currency THEN p.published_price END
        ELSE (
            SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY h.price)
            FROM (SELECT price, currency FROM price_history WHERE product_id = p.id
                  ORDER BY seen_at DESC OFFSET 1 LIMIT 50) AS h
            WHERE h.price > 0 AND h.currency = p.currency)
    END)
"""


def load(cursor: Cursor, product_ids: Sequence[int]) -> list[ProductToPublish]:
    """Load products, in the order of their ids."""
    cursor.execute(
        f"""
        SELECT p.id, p.source, p.external_id, p.brand, p.name, p.description, p.price, p.currency, p.category,
               p.colour, p.sizes::text, p.composition, p.image_urls::text, p.collage_url, p.active,
               {_PHOTOS} AS photos, {_FORMER_PRICE} AS former_price,
               unde_now() - p.scraped_at AS unseen_for, unde_now() AS loaded_at
        FROM raw_products p WHERE p.id = ANY(%s) ORDER BY p.id
        """,
        (list(product_ids),),
    )
    return [ProductToPublish(**row) for row in cursor.fetchall()]


def brand_figures(
    cursor: Cursor,
    brand: str,
    currencies: Sequence[str],
    max_age: timedelta,
    max_price_change: float,
    price_bands: Mapping[str, tuple[Decimal, Decimal]],
) -> Mapping[str, Any]:
    """The figures of a brand, as `BrandFigures` of `stages/production_catalog/brand_rules.py` names them.

    Reasons are the conditions of `stages/production_catalog/product_rules.py`.
    """
    cursor.execute(
        f"""
        WITH facts AS (
            SELECT p.price, f.former_price,
                   CASE WHEN p.published_price IS NOT NULL THEN f.former_price ELSE {_RELEASED} END AS reference,
                   coalesce(p.price, 0) <= 0 AS price_missing,
                   coalesce(p.price > 0 AND (p.price * %(factor)s::numeric <= f.former_price
                                             OR p.price >= f.former_price * %(factor)s::numeric), false)
                       AS price_implausible,
                   f.former_price IS NULL AND coalesce((
                       SELECT p.price > 0 AND p.price NOT BETWEEN b.low AND b.high
                       FROM unnest(%(band_currencies)s::text[], %(lows)s::numeric[], %(highs)s::numeric[])
                           AS b (currency, low, high)
                       WHERE b.currency = p.currency), false) AS price_unusual,
                   coalesce(CASE WHEN cardinality(%(currencies)s::text[]) > 0
                                 THEN p.currency <> ALL(%(currencies)s::text[])
                                 ELSE p.currency IN ('', 'XXX') END, true) AS currency_unknown,
                   coalesce(btrim(p.name, E' \\t\\r\\n'), '') = '' AS name_missing,
                   coalesce(btrim(p.category, E' \\t\\r\\n'), '') = '' AS category_missing,
                   {_PHOTOS} < 1 AS photo_missing,
                   p.scraped_at < unde_now() - %(max_age)s AS not_seen
            FROM raw_products p CROSS JOIN LATERAL (SELECT {_FORMER_PRICE} AS former_price) AS f
            WHERE p.brand = %(brand)s AND p.active
              AND (coalesce(p.image_status, 'pending') <> 'pending' OR p.synced_at IS NOT NULL)
        ), last_scrape AS (
            SELECT state, reason, seen FROM scrapes WHERE brand = %(brand)s AND state IN ('complete', 'partial')
            ORDER BY id DESC LIMIT 1
        ), others AS (
            SELECT published_price FROM raw_products
            WHERE brand <> %(brand)s AND active AND published_price > 0
              AND published_currency = ANY(%(currencies)s::text[]) LIMIT 5000
        )
        SELECT count(*) AS candidates,
               count(*) FILTER (WHERE price_missing OR price_implausible OR price_unusual OR currency_unknown
                                      OR name_missing
                                      OR category_missing OR photo_missing OR not_seen) AS failing,
               jsonb_build_object(
                   'price_missing', count(*) FILTER (WHERE price_missing),
                   'price_implausible', count(*) FILTER (WHERE price_implausible),
                   'price_unusual', count(*) FILTER (WHERE price_unusual),
                   'currency_unknown', count(*) FILTER (WHERE currency_unknown),
                   'name_missing', count(*) FILTER (WHERE name_missing),
                   'category_missing', count(*) FILTER (WHERE category_missing),
                   'photo_missing', count(*) FILTER (WHERE photo_missing),
                   'not_seen', count(*) FILTER (WHERE not_seen)) AS reasons,
               count(*) FILTER (WHERE price > 0 AND reference > 0) AS compared,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY price / nullif(reference, 0))
                   FILTER (WHERE price > 0 AND reference > 0) AS price_shift,
               count(*) FILTER (WHERE price > 0 AND price / nullif(reference, 0) BETWEEN 0.67 AND 1.5) AS unmoved,
               count(*) FILTER (WHERE price > 0 AND former_price IS NULL) AS first_prices,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY price) FILTER (WHERE price > 0 AND former_price IS NULL)
                   AS first_median,
               (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY published_price) FROM others) AS other_median,
               (SELECT count(*) FROM raw_products p WHERE p.brand = %(brand)s AND p.active) AS active,
               (SELECT state FROM last_scrape) AS last_scrape,
               (SELECT reason FROM last_scrape) AS last_scrape_reason,
               coalesce((SELECT seen FROM last_scrape), 0) AS last_scrape_seen
        FROM facts
        """,
        {
            "brand": brand,
            "currencies": list(currencies),
            "max_age": max_age,
            "factor": str(max_price_change),
            "band_currencies": list(price_bands),
            "lows": [low for low, _ in price_bands.values()],
            "highs": [high for _, high in price_bands.values()],
        },
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row


def record(cursor: Cursor, products: Sequence[Published]) -> None:
    """Write the statuses of products, in the transaction that settles their due rows."""
    ordered = sorted(products, key=lambda one: one.product_id)
    cursor.execute(
        """
        UPDATE raw_products AS p SET
            sync_status = coalesce(o.sync_status, p.sync_status),
            synced_at = CASE WHEN o.on_sale THEN o.loaded_at ELSE p.synced_at END,
            published_price = CASE WHEN o.on_sale THEN o.price ELSE p.published_price END,
            published_currency = CASE WHEN o.on_sale THEN o.currency ELSE p.published_currency END,
            updated_at = now()
        FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(on_sale)s::boolean[], %(prices)s::numeric[],
                    %(currencies)s::text[], %(loaded)s::timestamptz[])
            AS o (id, sync_status, on_sale, price, currency, loaded_at)
        WHERE p.id = ANY(%(ids)s) AND p.id = o.id
        """,
        {
            "ids": [one.product_id for one in ordered],
            "statuses": [one.sync_status for one in ordered],
            "on_sale": [one.on_sale for one in ordered],
            "prices": [one.price for one in ordered],
            "currencies": [one.currency for one in ordered],
            "loaded": [one.loaded_at for one in ordered],
        },
    )


def sync_counts(cursor: Cursor, brand: str) -> tuple[int, int]:
    """The numbers of a brand's active synced products, and of products whose latest change is not published yet."""
    cursor.execute(
        "SELECT count(*) FILTER (WHERE active AND sync_status = 'synced') AS synced,"
        " count(*) FILTER (WHERE sync_status = 'pending' AND synced_at IS NOT NULL OR sync_status = 'error') AS waiting"
        " FROM raw_products WHERE brand = %s",
        (brand,),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["synced"], row["waiting"]
