"""What the ximilar_index stage reads and writes: stored photos; records of the collection, credits and statuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.objects.keys import key_in_url
from unde_catalog.stores.staging.due_work.work_queue import Lease

_BUDGET_LOCK = 0x78696D69  # an advisory lock that only the check of the budget uses


@dataclass(frozen=True, slots=True)
class IndexedPhoto:
    """A stored photo: its number from 1, source URL, object key, SHA-256 of its bytes in hex, public URL."""

    n: int
    source_url: str
    key: str
    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """A record that is in the collection, or may be: `intended` records may have been sent, and the result is unknown.

    `age` is the time since the intent in seconds.
    """

    id: str
    n: int
    sha256: str
    url: str
    metadata: Mapping[str, str]
    intended: bool
    age: float


@dataclass(frozen=True, slots=True)
class IndexedProduct:
    """The data of a product for the index, its stored photos in order, and its records.

    `synced_urls`: the photos that its row says are in the collection, whoever inserted them, since `synced_at`.
    """

    product_id: int
    source: str
    external_id: str
    brand: str
    name: str | None
    category: str | None
    price: Decimal | None
    active: bool
    index_scope: str
    target: int
    photos: tuple[IndexedPhoto, ...]
    records: tuple[IndexRecord, ...]
    synced_urls: tuple[str, ...] = ()
    synced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IndexOutcome:
    """What to write for one product.

    `present`: all its records in the collection. `absent`: ids that are not in it, or no longer. `billed`: the number
    of billed records. `status`: the new ximilar_status. `current`: no newer change is waiting. `error_message`: why
    the status is `error`.
    """

    product_id: int
    present: Sequence[IndexRecord]
    absent: Sequence[str]
    billed: int
    status: Literal["pending", "partial", "synced", "error"]
    current: bool
    error_message: str | None = None


def load(cursor: Cursor, collection: str, product_ids: Sequence[int]) -> dict[int, IndexedProduct]:
    """Load some products with their stored photos and their records in a collection."""
    ids = list(product_ids)
    cursor.execute(
        "SELECT id, source, external_id, brand, name, category, price, active, index_scope,"
        " coalesce(ximilar_target_count, 2) AS target, image_urls, ximilar_synced_urls AS synced_urls,"
        " ximilar_synced_at AS synced_at"
        " FROM raw_products WHERE id = ANY(%s)",
        (ids,),
    )
    products = cursor.fetchall()
    cursor.execute(
        "SELECT product_id, n, source_url, key, sha256 FROM product_photos"
        " WHERE product_id = ANY(%s) AND state = 'stored' ORDER BY n",
        (ids,),
    )
    photos: dict[int, list[dict[str, object]]] = {}
    for row in cursor.fetchall():
        photos.setdefault(row.pop("product_id"), []).append(row)
    cursor.execute(
        """
        SELECT product_id, record_id AS id, n, sha256, url, metadata, state = 'intended' AS intended,
               extract(epoch FROM unde_now() - intended_at)::float8 AS age
        FROM ximilar_records WHERE collection = %s AND product_id = ANY(%s) ORDER BY n
        """,
        (collection, ids),
    )
    records: dict[int, list[IndexRecord]] = {}
    for row in cursor.fetchall():
        records.setdefault(row.pop("product_id"), []).append(IndexRecord(**row))
    found = {}
    for row in products:
        id, urls = row.pop("id"), _texts(row.pop("image_urls"))
        # By their keys: another writer may have written other URLs, or fewer.
        stored = [
            IndexedPhoto(**photo, url=next((url for url in urls if key_in_url(url) == photo["key"]), ""))  # type: ignore[arg-type]
            for photo in photos.get(id, ())
        ]
        synced = _texts(row.pop("synced_urls"))
        found[id] = IndexedProduct(
            id, **row, photos=tuple(stored), records=tuple(records.get(id, ())), synced_urls=tuple(synced)
        )
    return found


def _texts(urls: object) -> list[str]:
    """The texts in a JSON array; another writer may have written anything."""
    return [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else []


def write_intents(
    cursor: Cursor, collection: str, intents: Sequence[tuple[Lease, Sequence[IndexRecord]]], budget: int
) -> set[int] | int:
    """Write, to disk, which records are about to be inserted; returns the products that these leases still hold.

    If the records would exceed the month's budget (with the records that were billed or may have been), nothing is
    written, and the number of records that the budget still allows is returned.
    """
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_BUDGET_LOCK,))
    new = sum(len(records) for _, records in intents)
    ids = [record.id for _, records in intents for record in records]
    cursor.execute(
        """
        SELECT (SELECT coalesce(sum(records), 0) FROM ximilar_credits
                WHERE day >= date_trunc('month', unde_now() AT TIME ZONE 'UTC')::date)
             + (SELECT count(*) FROM ximilar_records WHERE state = 'intended'
                AND NOT (collection = %s AND record_id = ANY(%s))) AS used
        """,
        (collection, ids),
    )
    row = cursor.fetchone()
    assert row is not None  # a sum always has a row
    if row["used"] + new > budget:
        return max(budget - row["used"], 0)
    cursor.executemany(
        """
        INSERT INTO ximilar_records (collection, record_id, product_id, n, sha256, url, metadata, state, intended_at)
        SELECT %s, %s, w.product_id, %s, %s, %s, %s, 'intended', unde_now()
        FROM due_work w WHERE w.product_id = %s AND w.stage = 'ximilar_index' AND w.lease_token = %s
        ON CONFLICT (collection, record_id) DO UPDATE SET
            url = excluded.url, metadata = excluded.metadata, state = 'intended', intended_at = excluded.intended_at
        """,
        [
            (collection, one.id, one.n, one.sha256, one.url, Jsonb(dict(one.metadata)), lease.product_id, lease.token)
            for lease, records in intents
            for one in records
        ],
    )
    cursor.execute(
        "SELECT product_id FROM due_work WHERE stage = 'ximilar_index' AND lease_token = ANY(%s)"
        " AND product_id = ANY(%s)",
        ([lease.token for lease, _ in intents], [lease.product_id for lease, _ in intents]),
    )
    return {row["product_id"] for row in cursor.fetchall()}


def record(cursor: Cursor, collection: str, outcomes: Sequence[IndexOutcome]) -> None:
    """Write records, credits and Ximilar columns of some products, in the transaction that settles their due rows."""
    absent = [id for one in outcomes for id in one.absent]
    if absent:
        cursor.execute(
            "DELETE FROM ximilar_records WHERE collection = %s AND record_id = ANY(%s)", (collection, absent)
        )
    present = [(one.product_id, record) for one in outcomes for record in one.present]
    if present:
        cursor.executemany(
            """
            INSERT INTO ximilar_records (collection, record_id, product_id, n, sha256, url, metadata, state,
                                         intended_at, inserted_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, 'there', unde_now(), unde_now())
            ON CONFLICT (collection, record_id) DO UPDATE SET
                metadata = excluded.metadata, state = 'there',
                inserted_at = coalesce(ximilar_records.inserted_at, excluded.inserted_at)
            """,
            [
                (collection, record.id, product_id, record.n, record.sha256, record.url, Jsonb(dict(record.metadata)))
                for product_id, record in present
            ],
        )
    billed = sum(one.billed for one in outcomes)
    if billed:
        cursor.execute(
            """
            INSERT INTO ximilar_credits (day, records) VALUES ((unde_now() AT TIME ZONE 'UTC')::date, %s)
            ON CONFLICT (day) DO UPDATE SET records = ximilar_credits.records + excluded.records
            """,
            (billed,),
        )
    ordered = sorted(outcomes, key=lambda one: one.product_id)
    cursor.execute(
        """
        UPDATE raw_products AS p SET
            ximilar_synced_urls = o.urls,
            ximilar_status = CASE WHEN o.current THEN o.status ELSE p.ximilar_status END,
            ximilar_synced_at = CASE WHEN o.urls = '[]' THEN NULL
                                     WHEN o.urls IS DISTINCT FROM p.ximilar_synced_urls OR o.status = 'synced'
                                     THEN unde_now() ELSE p.ximilar_synced_at END,
            -- The message may be about photos: only one of Ximilar is taken back.
            error_message = CASE WHEN NOT o.current THEN p.error_message WHEN o.status = 'error' THEN o.error_message
                                 WHEN p.ximilar_status = 'error' THEN NULL ELSE p.error_message END,
            updated_at = now()
        FROM unnest(%s::bigint[], %s::jsonb[], %s::text[], %s::boolean[], %s::text[])
            AS o (product_id, urls, status, current, error_message)
        WHERE p.id = o.product_id
        """,
        (
            [one.product_id for one in ordered],
            [Jsonb([record.url for record in one.present]) for one in ordered],
            [one.status for one in ordered],
            [one.current for one in ordered],
            [one.error_message for one in ordered],
        ),
    )


def credits_used(cursor: Cursor) -> tuple[int, int]:
    """The numbers of records billed today and this month (UTC)."""
    cursor.execute(
        """
        SELECT coalesce(sum(records) FILTER (WHERE day = (unde_now() AT TIME ZONE 'UTC')::date), 0)::int AS today,
               coalesce(sum(records), 0)::int AS month
        FROM ximilar_credits WHERE day >= date_trunc('month', unde_now() AT TIME ZONE 'UTC')::date
        """
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["today"], row["month"]
