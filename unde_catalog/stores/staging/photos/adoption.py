"""What adoption reads and writes: products whose objects another program stored, and the rows that record them.

A product is due for adoption (stage `adoption` in `due_work`) when another program wrote its image columns; the rule is
the trigger `raw_products_written_outside` of `schema/due_rules.sql`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.ximilar_rows import IndexRecord
from unde_catalog.stores.staging.photos.collages import MadeCollage
from unde_catalog.stores.staging.photos.originals import PHOTOS_A_PRODUCT, Photo

STAGE = "adoption"


@dataclass(frozen=True, slots=True)
class UnrecordedProduct:
    """A product to adopt: the photo URLs of its source, and the objects that its row names.

    `image_status`: without one, a product that names photos counts as `uploaded`. `photos`: the rows that are recorded
    so far; `synced_urls`: photos that its row says are in Ximilar, since `synced_at`; `has_records`: records of it
    there are known already.
    """

    product_id: int
    brand: str
    external_id: str
    image_status: str
    source_urls: tuple[str, ...]
    image_urls: tuple[str, ...]
    collage_url: str | None
    photos: tuple[Photo, ...]
    synced_urls: tuple[str, ...]
    has_records: bool
    synced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was found of a product.

    `photos`: rows to write, for objects that are there and whole; `lost`: numbers of photos that the row names and that
    are missing or damaged; `collage`: the stored collage of a product that is `collage_ready`, None where it is missing
    or damaged; `records`: what is in the Ximilar collection `collection` of its photos. `is_listed_only`: nothing
    was read, so photos have no hash yet, and the product is due again at a coming half hour. `image_urls`: new URLs of
    the photos, None where they stay.
    """

    product: UnrecordedProduct
    photos: tuple[Photo, ...]
    lost: tuple[int, ...]
    collage: MadeCollage | None
    collection: str = ""
    records: tuple[IndexRecord, ...] = ()
    is_listed_only: bool = False
    image_urls: tuple[str, ...] | None = None


def load(cursor: Cursor, product_ids: Sequence[int]) -> dict[int, UnrecordedProduct]:
    """Some products as their rows describe them."""
    ids = list(product_ids)
    cursor.execute(
        """
        SELECT product_id, n, source_url, state, reason, key, sha256, width, height, bytes, fetched_at
        FROM product_photos WHERE product_id = ANY(%s) ORDER BY n
        """,
        (ids,),
    )
    photos: dict[int, list[Photo]] = {}
    for row in cursor.fetchall():
        photos.setdefault(row.pop("product_id"), []).append(Photo(**row))
    cursor.execute(
        """
        SELECT p.id, p.brand, p.external_id, p.collage_url, p.ximilar_synced_at,
               coalesce(p.image_status, CASE WHEN jsonb_path_exists(p.image_urls, '$[0]') THEN 'uploaded'
                                             ELSE 'pending' END) AS image_status,
               EXISTS (SELECT 1 FROM ximilar_records r WHERE r.product_id = p.id) AS has_records,
               ARRAY(SELECT url FROM jsonb_array_elements_text(
                         CASE jsonb_typeof(p.ximilar_synced_urls) WHEN 'array' THEN p.ximilar_synced_urls ELSE '[]' END)
                     AS u (url) WHERE url IS NOT NULL) AS synced_urls,
               ARRAY(SELECT coalesce(url, '') FROM jsonb_array_elements_text(
                         CASE jsonb_typeof(p.original_image_urls) WHEN 'array' THEN p.original_image_urls ELSE '[]' END)
                     WITH ORDINALITY AS u (url, n) WHERE n <= %(most)s ORDER BY n) AS source_urls,
               ARRAY(SELECT coalesce(url, '') FROM jsonb_array_elements_text(
                         CASE jsonb_typeof(p.image_urls) WHEN 'array' THEN p.image_urls ELSE '[]' END)
                     WITH ORDINALITY AS u (url, n) WHERE n <= 100 ORDER BY n) AS image_urls
        FROM raw_products p WHERE p.id = ANY(%(ids)s)
        """,
        {"ids": ids, "most": PHOTOS_A_PRODUCT},
    )
    return {
        row["id"]: UnrecordedProduct(
            row["id"], row["brand"], row["external_id"], row["image_status"], tuple(row["source_urls"]),
            tuple(row["image_urls"]), row["collage_url"], tuple(photos.get(row["id"], ())), tuple(row["synced_urls"]),
            row["has_records"], row["ximilar_synced_at"],
        )
        for row in cursor.fetchall()
    }  # fmt: skip


def record(cursor: Cursor, adopted: Sequence[Adopted]) -> None:
    """Record photos and collages, and make due what is left to do; called where the due rows are settled."""
    # What follows from new photo rows is decided here, not by their trigger: a collage may be there already.
    cursor.execute("SELECT set_config('unde.adopting', 'on', true)")
    for one in sorted(adopted, key=lambda one: one.product.product_id):
        _record(cursor, one)
    cursor.execute("SELECT set_config('unde.adopting', '', true)")


def bring_forward(cursor: Cursor) -> int:
    """Make due now what was only listed so far; returns the number of products."""
    cursor.execute("UPDATE due_work SET due_at = unde_now() WHERE stage = %s AND due_at > unde_now()", (STAGE,))
    return cursor.rowcount


def due(cursor: Cursor, brand: str) -> bool:
    """Whether any product of the brand is due for adoption."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM due_work WHERE stage = %s AND brand = %s AND due_at IS NOT NULL) AS due",
        (STAGE, brand),
    )
    row = cursor.fetchone()
    assert row is not None  # EXISTS always has a row
    return row["due"]


def _record(cursor: Cursor, one: Adopted) -> None:
    product, product_id = one.product, one.product.product_id
    cursor.execute(
        "UPDATE raw_products SET image_status = %s WHERE id = %s AND image_status IS NULL",
        (product.image_status, product_id),
    )
    if one.image_urls is not None:
        cursor.execute("UPDATE raw_products SET image_urls = %s WHERE id = %s", (Jsonb(one.image_urls), product_id))
    before = {photo.n: (photo.key, photo.sha256) for photo in product.photos}
    changed = any(before.get(photo.n) != (photo.key, photo.sha256) for photo in one.photos)
    cursor.executemany(
        """
        INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, width, height, bytes, fetched_at)
        VALUES (%s, %s, %s, 'stored', %s, %s, %s, %s, %s, unde_now())
        ON CONFLICT (product_id, n) DO UPDATE SET
            source_url = excluded.source_url, state = excluded.state, reason = NULL, key = excluded.key,
            sha256 = excluded.sha256, width = excluded.width, height = excluded.height, bytes = excluded.bytes,
            fetched_at = excluded.fetched_at
        """,
        [(product_id, p.n, p.source_url, p.key, p.sha256, p.width, p.height, p.bytes) for p in one.photos],
    )
    if product.image_status in ("uploaded", "collage_ready"):
        cursor.execute(
            "DELETE FROM product_photos WHERE product_id = %s AND n <> ALL(%s)",
            (product_id, [photo.n for photo in one.photos]),
        )
        if one.lost:
            _fetch_again(cursor, product_id, is_indexed=bool(product.synced_urls))
    if one.is_listed_only:
        cursor.execute(
            "UPDATE due_work SET due_at = next_try(1), attempts = 1 WHERE product_id = %s AND stage = %s",
            (product_id, STAGE),
        )
        return
    collage = one.collage
    if collage is not None:
        cursor.execute(
            """
            INSERT INTO product_collages (product_id, key, sha256, width, height, bytes, made_at)
            VALUES (%s, %s, %s, %s, %s, %s, unde_now())
            ON CONFLICT (product_id) DO UPDATE SET key = excluded.key, sha256 = excluded.sha256,
                width = excluded.width, height = excluded.height, bytes = excluded.bytes, made_at = excluded.made_at
            """,
            (product_id, collage.key, collage.sha256, collage.width, collage.height, collage.bytes),
        )
        cursor.execute(
            """
            INSERT INTO due_work AS w (product_id, stage, brand, taken, done_at)
            VALUES (%s, 'collages', %s, 1, unde_now())
            ON CONFLICT (product_id, stage) DO UPDATE SET due_at = NULL, taken = w.wanted, done_at = excluded.done_at
            WHERE w.lease_token IS NULL
            """,
            (product_id, product.brand),
        )
    elif product.image_status == "collage_ready":
        cursor.execute(
            """
            UPDATE raw_products SET collage_url = NULL, updated_at = now(),
                   image_status = CASE image_status WHEN 'collage_ready' THEN 'uploaded' ELSE image_status END
            WHERE id = %s
            """,
            (product_id,),
        )
    cursor.executemany(
        """
        INSERT INTO ximilar_records (collection, record_id, product_id, n, sha256, url, metadata, state, intended_at,
                                     inserted_at)
        VALUES (%s, %s, %s, %s, %s, %s, '{}', 'there', unde_now(), unde_now())
        ON CONFLICT (collection, record_id) DO NOTHING
        """,
        [(one.collection, r.id, product_id, r.n, r.sha256, r.url) for r in one.records],
    )
    waits = bool(one.lost and product.synced_urls)
    _make_due(cursor, product_id, ximilar=changed and not waits, visual=changed, collage=collage is None)


def _fetch_again(cursor: Cursor, product_id: int, *, is_indexed: bool) -> None:
    """Let the stage `originals` fetch the lost photos alone; the product is `pending` until then, as no collage is made
    of a part. While a deployed service does that stage, the status stays: it would fetch the other photos again, too.

    Where photos of the product are in Ximilar, they stay until it is complete: replacing one costs a credit.
    """
    cursor.execute(
        """
        UPDATE raw_products p SET image_status = 'pending', error_message = NULL, updated_at = now()
        WHERE id = %s AND NOT EXISTS (SELECT 1 FROM pauses s
                                      WHERE s.stage IN ('*', 'originals') AND s.brand IN ('*', p.brand))
        """,
        (product_id,),
    )
    is_pending = cursor.rowcount > 0
    cursor.execute("SELECT make_due(id, brand, 'originals') FROM raw_products WHERE id = %s AND active", (product_id,))
    cursor.execute(
        "UPDATE due_work SET due_at = NULL WHERE product_id = %s"
        " AND (stage = 'ximilar_index' AND (%s OR %s) OR stage = 'visual_index' AND %s)",
        (product_id, is_indexed, is_pending, is_pending),
    )


def _make_due(cursor: Cursor, product_id: int, *, ximilar: bool, visual: bool, collage: bool) -> None:
    """Make due what is made from the photos; a product that is still to be fetched makes it due by its status."""
    cursor.execute(
        """
        SELECT make_due(p.id, p.brand, s.stage)
        FROM raw_products p, (VALUES ('collages', %(collage)s::boolean, '{}'::text[]),
                                     ('ximilar_index', %(ximilar)s, '{pilot}'),
                                     ('visual_index', %(visual)s, '{pilot,pgvector}')) AS s (stage, wanted, scopes)
        WHERE p.id = %(id)s AND p.active AND p.image_status IN ('uploaded', 'collage_ready') AND s.wanted
          AND (s.scopes = '{}' OR p.index_scope = ANY(s.scopes))
        """,
        {"id": product_id, "ximilar": ximilar, "visual": visual, "collage": collage},
    )


def permitted(cursor: Cursor) -> bool:
    """Whether this role may record photos and collages."""
    cursor.execute(
        "SELECT has_table_privilege('product_photos', 'INSERT')"
        " AND has_table_privilege('product_collages', 'INSERT') AS permitted"
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM always has a row
    return row["permitted"]
