"""The published catalog: what is on sale, and how a publication is merged into it.

The content of a publication before the merge is in `incoming.py`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.db.typed_rows import TypedRows, typed_rows
from unde_catalog.stores.production import publications
from unde_catalog.stores.production.publications import Claim
from unde_catalog.stores.staging.stock.brand_stores import Store

_COLUMNS: LiteralString = (
    "brand, name, description, price, currency, category, colour, sizes, composition, image_urls, collage_url"
)


class IncomingLost(RuntimeError):
    """The production server crashed and lost the rows to be merged; nothing was merged."""

    def __init__(self) -> None:
        super().__init__(
            "the production server crashed while the brand was prepared: nothing was published, run it again"
        )


def on_sale(cursor: Cursor, brand: str) -> int:
    """How many products of a brand are on sale."""
    cursor.execute("SELECT count(*) AS n FROM catalog_products WHERE brand = %s AND active", (brand,))
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def published_rows(cursor: Cursor, brands: Sequence[str]) -> TypedRows:
    """All published products of these brands, on sale or not."""
    cursor.execute(
        "SELECT * FROM catalog_products WHERE brand = ANY(%(brands)s)"
        " ORDER BY array_position(%(brands)s, brand::text), external_id",
        {"brands": list(brands)},
    )
    return typed_rows(cursor)


def merge(
    cursor: Cursor,
    claim: Claim,
    publication: int,
    expected: int,
    stores: Sequence[Store],
    availability_to: datetime | None,
) -> Counter[str]:
    """Merge a publication in one transaction: its changes appear all at once or not at all.

    Returns the numbers of new, changed, unchanged, hidden (fails a rule now) and left (no longer on sale) products, of
    availability rows and of stores, without zeros. Raises `IncomingLost` unless `expected` products are there, and
    `PublicationTakenOver`.
    """
    # Staging records the outcome afterwards, so a crash here must not lose it.
    cursor.execute("SET LOCAL synchronous_commit = on")
    publications.renew(cursor, claim)
    values = {"publication": publication, "brand": claim.brand}
    publish, others = _incoming_counts(cursor, publication)
    if publish + others != expected:
        raise IncomingLost
    counts: Counter[str] = Counter()
    if publish:
        cursor.execute(
            f"""
            WITH merged AS (
                INSERT INTO catalog_products AS c (source, external_id, {_COLUMNS}, publication_id)
                SELECT source, external_id, {_COLUMNS}, publication_id FROM catalog_incoming_products
                WHERE publication_id = %(publication)s AND verdict = 'publish'
                ON CONFLICT (source, external_id) DO UPDATE SET
                    ({_COLUMNS}) = ({_listed("excluded")}), active = true, inactive_reason = NULL,
                    publication_id = excluded.publication_id, updated_at = now()
                    WHERE ({_listed("c")}) IS DISTINCT FROM ({_listed("excluded")}) OR NOT c.active
                RETURNING xmax = 0 AS is_new
            )
            SELECT count(*) FILTER (WHERE is_new) AS new, count(*) FILTER (WHERE NOT is_new) AS changed FROM merged
            """,
            values,
        )
        row = cursor.fetchone()
        assert row is not None  # an aggregate always has a row
        counts.update(row)
        counts["unchanged"] = publish - row["new"] - row["changed"]
    if others:
        counts["left"] = _hide(cursor, publication, "verdict = 'left'", "'left_the_shop'")
        counts["hidden"] = _hide(cursor, publication, "verdict = 'skip'", "i.reason")
    cursor.execute(
        """
        INSERT INTO catalog_availability AS a (brand, external_id, store_id, sizes_in_stock, fetched_at)
        SELECT DISTINCT ON (i.external_id, i.store_id)
               %(brand)s::varchar, i.external_id, i.store_id, i.sizes_in_stock, i.fetched_at
        FROM catalog_incoming_availability i
        WHERE i.publication_id = %(publication)s AND EXISTS (
            SELECT 1 FROM catalog_products c
            WHERE c.brand = %(brand)s::varchar AND c.external_id = i.external_id AND c.active)
        ORDER BY i.external_id, i.store_id, i.fetched_at DESC
        ON CONFLICT (brand, external_id, store_id) DO UPDATE SET
            sizes_in_stock = excluded.sizes_in_stock, fetched_at = excluded.fetched_at
            WHERE excluded.fetched_at > a.fetched_at
        """,
        values,
    )
    counts["availability"] = cursor.rowcount
    counts["stores"] = _merge_stores(cursor, claim.brand, stores)
    counts = +counts
    publications.merged(cursor, publication, counts, availability_to)
    return counts


def _incoming_counts(cursor: Cursor, publication: int) -> tuple[int, int]:
    cursor.execute(
        "SELECT count(*) FILTER (WHERE verdict = 'publish') AS publish,"
        " count(*) FILTER (WHERE verdict <> 'publish') AS others"
        " FROM catalog_incoming_products WHERE publication_id = %s",
        (publication,),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["publish"], row["others"]


def _hide(cursor: Cursor, publication: int, which: LiteralString, reason: LiteralString) -> int:
    cursor.execute(
        f"""
        UPDATE catalog_products AS c SET
            active = false, inactive_reason = {reason}, publication_id = i.publication_id, updated_at = now()
        FROM catalog_incoming_products i
        WHERE i.publication_id = %s AND i.{which} AND c.source = i.source AND c.external_id = i.external_id
          AND (c.active OR c.inactive_reason IS DISTINCT FROM {reason})
        """,
        (publication,),
    )
    return cursor.rowcount


def _merge_stores(cursor: Cursor, brand: str, stores: Sequence[Store]) -> int:
    columns = ("store_id", "name", "address", "mall_name", "city", "country", "latitude", "longitude")
    cursor.execute(
        """
        INSERT INTO catalog_stores AS s (brand, store_id, name, address, mall_name, city, country, latitude, longitude)
        SELECT %s, * FROM unnest(%s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                                 %s::numeric[], %s::numeric[])
        ON CONFLICT (brand, store_id) DO UPDATE SET
            name = excluded.name, address = excluded.address, mall_name = excluded.mall_name, city = excluded.city,
            country = excluded.country, latitude = excluded.latitude, longitude = excluded.longitude
            WHERE (s.name, s.address, s.mall_name, s.city, s.country, s.latitude, s.longitude)
                  IS DISTINCT FROM (excluded.name, excluded.address, excluded.mall_name, excluded.city,
                                    excluded.country, excluded.latitude, excluded.longitude)
        """,
        (brand, *([getattr(store, column) for store in stores] for column in columns)),
    )
    return cursor.rowcount


def _listed(alias: LiteralString) -> LiteralString:
    return ", ".join(f"{alias}.{column}" for column in _COLUMNS.split(", "))
