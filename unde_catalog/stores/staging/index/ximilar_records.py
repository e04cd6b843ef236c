"""What we believe to be in a Ximilar collection: how many records, and some of a brand's."""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class OurRecords:
    """Records of a collection, of all brands: those that are `there`, and those `open`, which may be.

    `of_brand` are there of one brand, `sample` ids of some of these, the newest first.
    """

    there: int
    open: int
    of_brand: int
    sample: Sequence[str]


def our_records(cursor: Cursor, collection: str, brand: str, sample: int) -> OurRecords:
    """Count; reads all records of the collection, and the brand's products of the pilot."""
    cursor.execute(
        "SELECT count(*) FILTER (WHERE state = 'there') AS there, count(*) FILTER (WHERE state <> 'there') AS open"
        " FROM ximilar_records WHERE collection = %s",
        (collection,),
    )
    all_of_it = cursor.fetchone()
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
    assert all_of_it is not None and of_brand is not None  # aggregates always have a row
    return OurRecords(**all_of_it, **of_brand)
