"""Prices that an operator confirmed: until the product is published with it, such a price counts as its former one.

Rows are never changed, so they say who confirmed which price, when and why.
"""

from collections.abc import Sequence

from unde_catalog.stores.db.database import Cursor

STAGE = "production_catalog"  # what becomes due


def release(cursor: Cursor, brand: str, external_ids: Sequence[str] | None, why: str, released_by: str) -> list[str]:
    """Confirm the present prices of a brand's products on sale, None for all; the external ids of those that have one.

    They are due for publishing.
    """
    only = "AND external_id = ANY(%(ids)s)" if external_ids is not None else ""
    values = {"brand": brand, "ids": list(external_ids or ()), "why": why, "by": released_by, "stage": STAGE}
    cursor.execute(
        f"""
        SELECT id, external_id FROM raw_products WHERE brand = %(brand)s AND active AND price > 0 {only}
        ORDER BY id FOR NO KEY UPDATE
        """,
        values,
    )
    rows = cursor.fetchall()
    values["products"] = [row["id"] for row in rows]
    cursor.execute(
        """
        INSERT INTO price_releases (product_id, price, currency, why, released_by)
        SELECT id, price, currency, %(why)s, %(by)s FROM raw_products WHERE id = ANY(%(products)s)
        ON CONFLICT DO NOTHING
        """,
        values,
    )
    cursor.execute(
        "SELECT make_due(id, brand, %(stage)s) FROM raw_products WHERE id = ANY(%(products)s) ORDER BY id", values
    )
    return [row["external_id"] for row in rows]
