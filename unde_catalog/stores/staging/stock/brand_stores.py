"""`raw_stores`: the stores of each brand, as the store finder describes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class Store:
    """A store. Degrees have seven decimals; unknown values are None."""

    store_id: int
    name: str | None
    address: str | None
    mall_name: str | None
    city: str | None
    country: str | None
    latitude: Decimal | None
    longitude: Decimal | None


def merge(cursor: Cursor, brand: str, stores: Sequence[Store]) -> tuple[int, int]:
    """Write a brand's stores; returns how many were new and how many changed. Stores are never deleted."""
    cursor.execute(
        """
        WITH incoming AS (
            SELECT * FROM unnest(%(ids)s::integer[], %(names)s::text[], %(addresses)s::text[], %(malls)s::text[],
                                 %(cities)s::text[], %(countries)s::text[], %(latitudes)s::numeric[],
                                 %(longitudes)s::numeric[])
                AS t (store_id, name, address, mall_name, city, country, latitude, longitude)
        ), before AS (
            SELECT s.* FROM raw_stores s JOIN incoming i USING (store_id) WHERE s.brand = %(brand)s
        ), written AS (
            INSERT INTO raw_stores AS s
                (brand, store_id, name, address, mall_name, city, country, latitude, longitude, seen_at)
            SELECT %(brand)s, i.*, unde_now() FROM incoming i ORDER BY store_id
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
            "ids": [store.store_id for store in stores],
            "names": [store.name for store in stores],
            "addresses": [store.address for store in stores],
            "malls": [store.mall_name for store in stores],
            "cities": [store.city for store in stores],
            "countries": [store.country for store in stores],
            "latitudes": [store.latitude for store in stores],
            "longitudes": [store.longitude for store in stores],
        },
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["new"], row["changed"]


def of_brand(cursor: Cursor, brand: str) -> list[Store]:
    """A brand's stores, by id."""
    cursor.execute(
        """
        SELECT store_id, name, address, mall_name, city, country, latitude, longitude FROM raw_stores
        WHERE brand = %s ORDER BY store_id
        """,
        (brand,),
    )
    return [Store(**row) for row in cursor.fetchall()]


def count(cursor: Cursor, brand: str) -> int:
    """The number of a brand's stores."""
    cursor.execute("SELECT count(*) AS n FROM raw_stores WHERE brand = %s", (brand,))
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]
