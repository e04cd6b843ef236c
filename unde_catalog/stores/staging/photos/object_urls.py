"""Updates the public URLs in raw_products after the object store has moved."""

from unde_catalog.stores.db.database import Cursor

CHUNK = 1_000  # products of one short transaction


def relink(cursor: Cursor, base: str, after: int) -> tuple[int, int] | None:
    """Set the URLs of the next products, by id, to their stored objects below `base`, which ends in a slash.

    Returns the number of changed products and the last id, None after the last product. Triggers make the stages due
    that pass the URLs on.
    """
    # Locked in the order of ids, like every other writer of many products.
    cursor.execute("SELECT id FROM raw_products WHERE id > %s ORDER BY id LIMIT %s FOR NO KEY UPDATE", (after, CHUNK))
    ids = [row["id"] for row in cursor.fetchall()]
    if not ids:
        return None
    cursor.execute(
        """
        WITH now AS (
            SELECT p.id,
                   CASE WHEN p.image_urls IS NOT NULL THEN
                       (SELECT jsonb_agg(%(base)s || f.key ORDER BY f.n) FROM product_photos f
                        WHERE f.product_id = p.id AND f.state = 'stored') END AS image_urls,
                   CASE WHEN p.collage_url IS NOT NULL THEN
                       (SELECT %(base)s || c.key FROM product_collages c WHERE c.product_id = p.id) END AS collage_url
            FROM raw_products p WHERE p.id = ANY(%(ids)s)
        )
        UPDATE raw_products AS p
        SET image_urls = coalesce(now.image_urls, p.image_urls), collage_url = coalesce(now.collage_url, p.collage_url),
            updated_at = now()
        FROM now
        WHERE p.id = now.id AND (now.image_urls <> p.image_urls OR now.collage_url <> p.collage_url)
        """,
        {"base": base, "ids": ids},
    )
    return cursor.rowcount, ids[-1]
