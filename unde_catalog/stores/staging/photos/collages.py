"""What the collages stage reads and writes: stored photos; collage rows, collage URLs and image statuses."""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class StoredPhotos:
    """A product's stored photos in order: their object keys and sizes (width, height).

    `unrecorded`: the source lists photos but none has a row, e.g. because another system wrote the product.
    """

    product_id: int
    brand: str
    external_id: str
    keys: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    unrecorded: bool


@dataclass(frozen=True, slots=True)
class MadeCollage:
    """A stored collage: public URL, object key, the SHA-256 of its bytes in hex, pixels and bytes."""

    url: str
    key: str
    sha256: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CollageOutcome:
    """What to write for one product. `settled`: `collage` is its collage now; None if it has no photos."""

    product_id: int
    settled: bool
    collage: MadeCollage | None
    error_message: str | None
    current: bool


def load(cursor: Cursor, product_ids: Sequence[int]) -> dict[int, StoredPhotos]:
    """Load the stored photos of some products."""
    cursor.execute(
        """
        SELECT p.id, p.brand, p.external_id, count(f.n) = 0 AND p.original_image_urls <> '[]' AS unrecorded,
               array_agg(f.key ORDER BY f.n) FILTER (WHERE f.state = 'stored') AS keys,
               array_agg(f.width ORDER BY f.n) FILTER (WHERE f.state = 'stored') AS widths,
               array_agg(f.height ORDER BY f.n) FILTER (WHERE f.state = 'stored') AS heights
        FROM raw_products p LEFT JOIN product_photos f ON f.product_id = p.id
        WHERE p.id = ANY(%s) GROUP BY p.id
        """,
        (list(product_ids),),
    )
    return {
        row["id"]: StoredPhotos(
            row["id"],
            row["brand"],
            row["external_id"],
            tuple(row["keys"] or ()),
            tuple(zip(row["widths"] or (), row["heights"] or (), strict=True)),
            bool(row["unrecorded"]),
        )
        for row in cursor.fetchall()
    }


def record(cursor: Cursor, outcomes: Sequence[CollageOutcome]) -> None:
    """Write the collage rows and columns of some products, in the transaction that settles their due rows."""
    ordered = sorted(outcomes, key=lambda one: one.product_id)
    made = [(one.product_id, one.collage) for one in ordered if one.settled and one.collage]
    if made:
        cursor.executemany(
            """
            INSERT INTO product_collages (product_id, key, sha256, width, height, bytes, made_at)
            VALUES (%s, %s, %s, %s, %s, %s, unde_now())
            ON CONFLICT (product_id) DO UPDATE SET
                key = excluded.key, sha256 = excluded.sha256, width = excluded.width, height = excluded.height,
                bytes = excluded.bytes, made_at = excluded.made_at
            """,
            [(product_id, c.key, c.sha256, c.width, c.height, c.bytes) for product_id, c in made],
        )
    if gone := [one.product_id for one in ordered if one.settled and one.collage is None]:
        cursor.execute("DELETE FROM product_collages WHERE product_id = ANY(%s)", (gone,))
    cursor.execute(
        """
        UPDATE raw_products AS p SET
            collage_url = CASE WHEN o.made THEN o.url ELSE p.collage_url END,
            image_status = CASE WHEN o.made AND o.url IS NOT NULL AND o.current AND p.image_status = 'uploaded'
                                THEN 'collage_ready' ELSE p.image_status END,
            error_message = CASE WHEN p.image_status IN ('uploaded', 'collage_ready') AND o.current
                                 THEN coalesce(o.error_message, (
                                     SELECT w.reason || ': ' || w.detail FROM due_work w
                                     WHERE w.product_id = p.id AND w.stage = 'originals' AND w.attempts > 0))
                                 ELSE p.error_message END,  -- a photo that waits for its next try stays named
            updated_at = now()
        FROM unnest(%(ids)s::bigint[], %(made)s::boolean[], %(urls)s::text[], %(errors)s::text[],
                    %(current)s::boolean[]) AS o (product_id, made, url, error_message, current)
        WHERE p.id = o.product_id
        """,
        {
            "ids": [one.product_id for one in ordered],
            "made": [one.settled for one in ordered],
            "urls": [one.collage and one.collage.url for one in ordered],
            "errors": [one.error_message for one in ordered],
            "current": [one.current for one in ordered],
        },
    )
