"""`raw_stores` as the shop finder fills it. What reads it for publishing is `stock_rows.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class Store:
    """A shop; degrees with seven digits, what is not known is None."""

    store_id: int
    name: str | None
    address: str | None
    mall_name: str | None
    city: str | None
    country: str | None
    latitude: Decimal | None
    longitude: Decimal | None


def merge(cursor: Cursor, brand: str, shops: Sequence[Store]) -> tuple[int, int]:
    """Write a brand's shops; how many were new and how many changed. None is ever deleted."""
    cursor.execute(
        """
        WITH given AS (
            SELECT * FROM unnest(%(ids)s::integer[], %(names)s::text[], %(addresses)s::text[], %(malls)s::text[],
                                 %(cities)s::text[], %(countries)s::text[], %(latitudes)s::numeric[],
                                 %(longitudes)s::numeric[])
                AS t (store_id, name, address, mall_name, city, country, latitude, longitude)
        ), before AS (
            SELECT s.* FROM raw_stores s JOIN given g USING (store_id) WHERE s.brand = %(brand)s
        ), written AS (
            INSERT INTO raw_stores AS s
                (brand, store_id, name, address, mall_name, city, country, latitude, longitude, seen_at)
            SELECT %(brand)s, g.*, unde_now() FROM given g ORDER BY store_id
            ON CONFLICT (brand, store_id) DO UPDATE SET
                name = excluded.name, address = excluded.address, mall_name = excluded.mall_name,
                city = excluded.city, country = excluded.country, latitude = excluded.latitude,
                longitude = excluded.longitude, seen_at = excluded.seen_at
            RETURNING s.*
        )
        SELECT count(*) FILTER (WHERE b.id IS NULL) AS new,
               count(*) FILTER (WHERE (b.name, b.address, b.mall_name, b.city, b.country, b.latitude, b.longitude)
                                      IS DISTINCT FROM
                                      (w.name, w.address, w.mall_name, w.city, w.country, w.latitude, w.longitude)
                                      AND b.id IS NOT NULL) AS changed
        FROM written w LEFT JOIN before b USING (store_id)
        """,
        {
            "brand": brand,
            "ids": [shop.store_id for shop in shops],
            "names": [shop.name for shop in shops],
            "addresses": [shop.address for shop in shops],
            "malls": [shop.mall_name for shop in shops],
            "cities": [shop.city for shop in shops],
            "countries": [shop.country for shop in shops],
            "latitudes": [shop.latitude for shop in shops],
            "longitudes": [shop.longitude for shop in shops],
        },
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["new"], row["changed"]


def of_brand(cursor: Cursor, brand: str) -> list[Store]:
    """A brand's stores: some tens, by id."""
    cursor.execute(
        """
        SELECT store_id, name, address, mall_name, city, country, latitude, longitude FROM raw_stores
        WHERE brand = %s ORDER BY store_id
        """,
        (brand,),
    )
    return [Store(**row) for row in cursor.fetchall()]


def count(cursor: Cursor, brand: str) -> int:
    """How many shops of a brand are known."""
    cursor.execute("SELECT count(*) AS n FROM raw_stores WHERE brand = %s", (brand,))
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]
