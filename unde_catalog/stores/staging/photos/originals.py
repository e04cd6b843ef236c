"""What the originals stage reads and writes: photo URLs; photo rows, intents, image URLs and image statuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work.work_queue import Lease, Settlement

PHOTOS_A_PRODUCT = 5  # only the first five photos of a product are stored

PhotoState = Literal["stored", "gone", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A row of product_photos: photo `n` (from 1) of a product, stored under `key` or failed for `reason`."""

    n: int
    source_url: str
    state: PhotoState
    reason: str | None = None
    key: str | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    fetched_at: datetime | None = None  # None: now


@dataclass(frozen=True, slots=True)
class PhotoUrls:
    """A product's photo URLs (at most five) and its photo rows.

    `intents`: photos that a killed worker was about to store, move or delete, each as it would have been stored.
    """

    product_id: int
    brand: str
    external_id: str
    urls: tuple[str, ...]
    known: tuple[Photo, ...]
    intents: tuple[Photo, ...] = ()


@dataclass(frozen=True, slots=True)
class PhotosOutcome:
    """What to write for one product.

    `photos`: the changed rows. `count`: the number of photos of the product; rows above it are deleted. `image_urls`:
    the public URLs of stored photos in order, None if unknown. `current`: no newer change is waiting.
    """

    product_id: int
    kind: Settlement
    photos: tuple[Photo, ...]
    count: int
    image_urls: tuple[str, ...] | None
    error_message: str | None
    current: bool


def load(cursor: Cursor, product_ids: Sequence[int]) -> dict[int, PhotoUrls]:
    """Load the photo URLs, photo rows and intents of some products."""
    cursor.execute(
        """
        SELECT p.id, p.brand, p.external_id,
               coalesce((SELECT jsonb_agg(coalesce(url, '') ORDER BY n) FROM jsonb_array_elements_text(
                             CASE jsonb_typeof(p.original_image_urls) WHEN 'array' THEN p.original_image_urls END)
                         WITH ORDINALITY AS u (url, n) WHERE n <= %(limit)s), '[]') AS urls
        FROM raw_products p WHERE p.id = ANY(%(ids)s)
        """,
        {"ids": list(product_ids), "limit": PHOTOS_A_PRODUCT},
    )
    products = cursor.fetchall()
    cursor.execute(
        """
        SELECT product_id, n, source_url, state, reason, key, sha256, width, height, bytes, fetched_at
        FROM product_photos WHERE product_id = ANY(%s) ORDER BY n
        """,
        (list(product_ids),),
    )
    known: dict[int, list[Photo]] = {}
    for row in cursor.fetchall():
        known.setdefault(row.pop("product_id"), []).append(Photo(**row))
    cursor.execute(
        """
        SELECT product_id, n, source_url, 'stored' AS state, key, sha256, width, height, bytes, fetched_at
        FROM photo_intents WHERE product_id = ANY(%s) ORDER BY n
        """,
        (list(product_ids),),
    )
    intents: dict[int, list[Photo]] = {}
    for row in cursor.fetchall():
        intents.setdefault(row.pop("product_id"), []).append(Photo(**row))
    return {
        row["id"]: PhotoUrls(
            row["id"],
            row["brand"],
            row["external_id"],
            tuple(row["urls"]),
            tuple(known.get(row["id"], ())),
            tuple(intents.get(row["id"], ())),
        )
        for row in products
    }


def any_stored(cursor: Cursor) -> bool:
    """Whether any photo of any product is stored."""
    cursor.execute("SELECT EXISTS (SELECT 1 FROM product_photos WHERE state = 'stored') AS any")
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return row["any"]


def stored_urls(cursor: Cursor, brand: str, beginning: str, limit: int) -> list[str]:
    """Source URLs of some stored photos of the brand's products on sale, those that begin so."""
    cursor.execute(
        """
        SELECT f.source_url FROM raw_products p JOIN product_photos f ON f.product_id = p.id
        WHERE p.brand = %s AND p.active AND f.state = 'stored' AND starts_with(f.source_url, %s)
        LIMIT %s
        """,
        (brand, beginning, limit),
    )
    return [row["source_url"] for row in cursor.fetchall()]


def intend(cursor: Cursor, intents: Sequence[tuple[Lease, Sequence[Photo]]]) -> set[int]:
    """Write which objects are about to change; returns the products that these leases still hold.

    The intents are committed to disk, because the objects survive a crash of the server.
    """
    cursor.execute("SET LOCAL synchronous_commit = on")
    rows = sorted(
        (lease.product_id, lease.token, p.n, p.source_url, p.key, p.sha256, p.width, p.height, p.bytes, p.fetched_at)
        for lease, photos in intents
        for p in photos
    )
    columns = [list(column) for column in zip(*rows, strict=True)]
    cursor.execute(
        """
        INSERT INTO photo_intents (product_id, n, source_url, key, sha256, width, height, bytes, fetched_at)
        SELECT i.product_id, i.n, i.source_url, i.key, i.sha256, i.width, i.height, i.bytes,
               coalesce(i.fetched_at, greatest(unde_now(), w.forced_at))
        FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
                    %s::int[], %s::timestamptz[])
                 AS i (product_id, token, n, source_url, key, sha256, width, height, bytes, fetched_at)
             JOIN due_work w ON w.product_id = i.product_id AND w.stage = 'originals' AND w.lease_token = i.token
        ON CONFLICT (product_id, n) DO UPDATE SET
            source_url = excluded.source_url, key = excluded.key, sha256 = excluded.sha256, width = excluded.width,
            height = excluded.height, bytes = excluded.bytes, fetched_at = excluded.fetched_at
        RETURNING product_id
        """,
        columns,
    )
    return {row["product_id"] for row in cursor.fetchall()}


def record(cursor: Cursor, outcomes: Sequence[PhotosOutcome]) -> None:
    """Write photo rows and the image columns of some products, in the transaction that settles their due rows."""
    rows = [
        (
            one.product_id,
            p.n,
            p.source_url,
            p.state,
            p.reason,
            p.key,
            p.sha256,
            p.width,
            p.height,
            p.bytes,
            p.fetched_at,
            one.product_id,
        )
        for one in outcomes
        for p in one.photos
    ]
    if rows:
        # Not before the product was forced, even if the clock was set back in between.
        cursor.executemany(
            """
            INSERT INTO product_photos (product_id, n, source_url, state, reason, key, sha256, width, height, bytes,
                                        fetched_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s, greatest(unde_now(), (
                SELECT w.forced_at FROM due_work w WHERE w.product_id = %s AND w.stage = 'originals'))))
            ON CONFLICT (product_id, n) DO UPDATE SET
                source_url = excluded.source_url, state = excluded.state, reason = excluded.reason,
                key = excluded.key, sha256 = excluded.sha256, width = excluded.width, height = excluded.height,
                bytes = excluded.bytes, fetched_at = excluded.fetched_at
            """,
            rows,
        )
        cursor.executemany(
            "DELETE FROM photo_intents WHERE product_id = %s AND n = %s AND sha256 = %s",
            [(one.product_id, p.n, p.sha256) for one in outcomes for p in one.photos],
        )
    known = [one.product_id for one in outcomes if one.image_urls is not None]
    cursor.execute("DELETE FROM photo_intents WHERE product_id = ANY(%s)", (known,))
    ordered = sorted(outcomes, key=lambda one: one.product_id)
    values = {
        "ids": [one.product_id for one in ordered],
        "counts": [one.count for one in ordered],
        "image_urls": [None if one.image_urls is None else Jsonb(one.image_urls) for one in ordered],
        "errors": [one.error_message for one in ordered],
        "kinds": [one.kind for one in ordered],
        "current": [one.current for one in ordered],
    }
    cursor.execute(
        """
        DELETE FROM product_photos f USING unnest(%(ids)s::bigint[], %(counts)s::int[]) AS o (product_id, count)
        WHERE f.product_id = o.product_id AND f.n > o.count
        """,
        values,
    )
    # A product gets URLs when it is done for the first time; after that, always those of its stored photos.
    # A collage that is not due was made of these photos, so the product is ready at once.
    # Given up without image_urls after having been done: unexpected errors, three times; the stored photos remain.
    cursor.execute(
        """
        UPDATE raw_products AS p SET
            image_urls = CASE
                WHEN o.image_urls IS NULL THEN p.image_urls
                WHEN o.image_urls = '[]' THEN NULL
                WHEN o.kind = 'done' OR p.image_urls IS NOT NULL THEN o.image_urls
            END,
            image_status = CASE
                WHEN NOT o.current THEN p.image_status
                WHEN o.kind = 'given_up' AND o.image_urls IS NULL AND p.image_urls IS NOT NULL THEN 'uploaded'
                WHEN o.kind = 'given_up' THEN 'error'
                WHEN o.kind <> 'done' THEN p.image_status
                WHEN p.collage_url IS NOT NULL AND EXISTS (
                    SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.stage = 'collages'
                        AND w.due_at IS NULL AND w.wanted = w.taken AND w.done_at IS NOT NULL
                        AND NOT w.given_up) THEN 'collage_ready'
                ELSE 'uploaded'
            END,
            error_message = CASE WHEN o.current AND o.kind <> 'released' THEN o.error_message
                                 ELSE p.error_message END,
            updated_at = now()
        FROM unnest(%(ids)s::bigint[], %(kinds)s::text[], %(image_urls)s::jsonb[], %(errors)s::text[],
                    %(current)s::boolean[]) AS o (product_id, kind, image_urls, error_message, current)
        WHERE p.id = o.product_id
        """,
        values,
    )
