"""Finds stored photos that are as small for their pixels as pictures of one colour. Their pixels are not read here."""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.photos.duplicates import NEWEST, NEWEST_PRODUCTS

CANDIDATES = 500  # photos, the newest first


@dataclass(frozen=True, slots=True)
class SmallPhoto:
    """The key of a photo and the external id of its product."""

    key: str
    external_id: str


@dataclass(frozen=True, slots=True)
class SmallPhotos:
    """The number of photos, and those that may be blank, at most `CANDIDATES`."""

    photos: int
    small: Sequence[SmallPhoto]


def small_photos(cursor: Cursor, brand: str, newest: int = NEWEST) -> SmallPhotos:
    """The photos of the newest active products whose bytes fit a JPEG of one colour."""
    cursor.execute(
        f"""
        WITH {NEWEST_PRODUCTS}, stored AS MATERIALIZED (
            SELECT n.id, n.external_id, f.n, f.key, f.bytes,
                   ((f.width + 7) / 8)::bigint * ((f.height + 7) / 8) AS blocks  -- of 8 x 8 pixels
            FROM newest n
            CROSS JOIN LATERAL (  -- by index: a join would read the photos of all brands
                SELECT n, key, bytes, width, height FROM product_photos
                WHERE product_id = n.id AND state = 'stored' OFFSET 0
            ) AS f
        ), small AS (
            SELECT id, n, key, external_id FROM stored
            WHERE bytes <= 1.1 * blocks + 1000  -- with colours at half the size
               -- as photos are converted: 14 bits a block
               OR bytes BETWEEN 1.75 * blocks + 550 AND 1.75 * blocks + 1000
            ORDER BY id DESC, n LIMIT %(limit)s
        )
        SELECT (SELECT count(*) FROM stored) AS photos,
               coalesce((SELECT jsonb_agg(jsonb_build_object('key', key, 'external_id', external_id)) FROM small),
                        '[]') AS small
        """,
        {"brand": brand, "newest": newest, "limit": CANDIDATES},
    )
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return SmallPhotos(row["photos"], [SmallPhoto(**one) for one in row["small"]])
