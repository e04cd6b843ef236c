"""Counts the records of a Ximilar collection in the staging database, with a sample of a brand's records."""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """Records of a collection over all brands: `confirmed` and `unconfirmed` ones (sent, but the result is unknown).

    `of_brand` counts the confirmed records of one brand; `sample` has ids of some of them, the newest first.
    """

    confirmed: int
    unconfirmed: int
    of_brand: int
    sample: Sequence[str]


def count_records(cursor: Cursor, collection: str, brand: str, sample: int) -> RecordCounts:
    """Count the records; reads all records of the collection, and the products that they belong to."""
    cursor.execute(
        "SELECT count(*) FILTER (WHERE state = 'there') AS confirmed,"
        " count(*) FILTER (WHERE state <> 'there') AS unconfirmed"
        " FROM ximilar_records WHERE collection = %s",
        (collection,),
    )
    all_brands = cursor.fetchone()
    cursor.execute(
        """
        SELECT count(*) AS of_brand,
               coalesce((array_agg(r.record_id ORDER BY r.inserted_at DESC NULLS LAST, r.record_id))[1:%(sample)s],
                        '{}') AS sample
        FROM ximilar_records r
        WHERE r.collection = %(collection)s AND r.state = 'there'
          AND (SELECT p.brand FROM raw_products p WHERE p.id = r.product_id) = %(brand)s
        """,
        {"collection": collection, "brand": brand, "sample": sample},
    )
    of_brand = cursor.fetchone()
    assert all_brands is not None and of_brand is not None  # aggregates always have a row
    return RecordCounts(**all_brands, **of_brand)
