"""Compares stored objects with their rows: a listing is added page by page, and one query finds the differences.

Repairs are in `repair.py`. All checks share the tables; a check deletes its rows when it ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from unde_catalog.stores.db.database import Cursor, DatabaseUnavailable

Kind = Literal["missing", "wrong_size", "wrong_hash", "orphan", "unrecorded", "busy"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LEASE = timedelta(minutes=15)  # longer than reading a page of objects takes
ORPHAN_AGE = timedelta(hours=1)  # an object is stored before its row, and no lease is that long


class CheckLost(DatabaseUnavailable):
    """The listing is lost: the database was restarted, or the check was suspended for longer than its lease."""

    def __init__(self) -> None:
        super().__init__(
            "the listing of this check is lost: the database was restarted, or the check was suspended; run it again"
        )


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object in the store's listing; `sha256` in hex, None if the object was not read."""

    key: str
    size: int
    modified: datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectFinding:
    """A difference. `sha256` is the row's. An orphan has no product; an unrecorded product may have no key."""

    id: int
    kind: Kind
    stage: str
    key: str | None
    product_id: int | None
    n: int | None
    sha256: str | None
    product: str | None


def begin(cursor: Cursor) -> int:
    """Begin a check, and delete the rows of killed checks; returns the check's id."""
    cursor.execute("DELETE FROM object_checks WHERE leased_until <= now()")
    # Also rows of checks whose own row is lost, e.g. by a restore.
    for table in ("stored_objects", "object_findings"):
        cursor.execute(
            f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM object_checks c WHERE c.id = t.check_id)"
        )
    cursor.execute("INSERT INTO object_checks (leased_until) VALUES (now() + %s) RETURNING id", (LEASE,))
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one inserted row
    return row["id"]


def add(cursor: Cursor, check: int, page: Sequence[ListedObject]) -> None:
    """Add a page of the store's listing; raises `CheckLost` if earlier pages are lost."""
    renew(cursor, check, len(page))
    with cursor.copy("COPY stored_objects (check_id, key, size, modified, sha256) FROM STDIN") as copy:
        for one in page:
            copy.write_row((check, one.key, one.size, one.modified, one.sha256))


def renew(cursor: Cursor, check: int, added: int = 0) -> None:
    """Renew the check's lease; raises `CheckLost`."""
    cursor.execute(
        "UPDATE object_checks SET leased_until = now() + %s, objects = objects + %s WHERE id = %s",
        (LEASE, added, check),
    )
    if not cursor.rowcount:
        raise CheckLost


# A listing does not apply to a product that is leased, or changed since the listing began. Nor does it apply to a
# product with open intents of a killed worker: it is due, and its next worker reads the objects themselves.
_BUSY = """(
    p.updated_at >= c.started_at
    OR EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.leased_until > unde_now()
               AND w.stage IN ('originals', 'collages'))
    OR EXISTS (SELECT 1 FROM photo_intents i JOIN due_work w ON w.product_id = i.product_id
               WHERE i.product_id = p.id AND w.stage = 'originals' AND w.due_at IS NOT NULL)
)"""
_WRONG = f"""
    CASE WHEN {_BUSY} THEN 'busy' WHEN o.key IS NULL THEN 'missing'
         WHEN o.size IS DISTINCT FROM r.bytes THEN 'wrong_size' ELSE 'wrong_hash' END
"""
_DIFFERS = "(o.key IS NULL OR o.size IS DISTINCT FROM r.bytes OR o.sha256 <> r.sha256)"

_PHOTOS = f"""
INSERT INTO object_findings (check_id, kind, stage, key, product_id, n, sha256)
SELECT c.id, {_WRONG}, 'originals', r.key, p.id, r.n, r.sha256
FROM object_checks c CROSS JOIN product_photos r JOIN raw_products p ON p.id = r.product_id
     LEFT JOIN stored_objects o ON o.check_id = c.id AND o.key = r.key
WHERE c.id = %(check)s AND r.state = 'stored' AND {_DIFFERS} AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)
ORDER BY p.id, r.n
"""
# A due collage is made again in any case.
_COLLAGES = f"""
INSERT INTO object_findings (check_id, kind, stage, key, product_id, sha256)
SELECT c.id, {_WRONG}, 'collages', r.key, p.id, r.sha256
FROM object_checks c CROSS JOIN product_collages r JOIN raw_products p ON p.id = r.product_id
     LEFT JOIN stored_objects o ON o.check_id = c.id AND o.key = r.key
WHERE c.id = %(check)s AND {_DIFFERS} AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)
  AND NOT EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.stage = 'collages' AND w.due_at IS NOT NULL)
ORDER BY p.id
"""
# Products whose columns name photos or a collage without rows for the objects, e.g. written by another system.
_UNRECORDED = f"""
INSERT INTO object_findings (check_id, kind, stage, product_id)
SELECT check_id, CASE WHEN busy THEN 'busy' ELSE 'unrecorded' END, stage, product_id FROM (
    SELECT c.id AS check_id, p.id AS product_id, {_BUSY} AS busy,
           CASE WHEN NOT EXISTS (SELECT 1 FROM product_photos f WHERE f.product_id = p.id AND f.state = 'stored')
                THEN 'originals'
                WHEN p.collage_url IS NOT NULL
                     AND NOT EXISTS (SELECT 1 FROM product_collages l WHERE l.product_id = p.id)
                THEN 'collages' END AS stage
    FROM object_checks c CROSS JOIN raw_products p
    WHERE c.id = %(check)s AND p.active AND p.image_status IN ('uploaded', 'collage_ready')
      AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)
) AS found
WHERE stage IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM due_work w WHERE w.product_id = found.product_id
    AND (w.due_at IS NOT NULL OR w.given_up) AND w.stage IN ('originals', found.stage))
ORDER BY product_id
"""
# Objects with keys like ours, but without a row. Excluded are objects of products that are due for that stage (the
# worker reads them), and objects that the URLs of an unrecorded product may name.
ORPHANED = """
    NOT EXISTS (SELECT 1 FROM product_photos f WHERE f.key = o.key)
    AND NOT EXISTS (SELECT 1 FROM product_collages l WHERE l.key = o.key)
    AND NOT EXISTS (SELECT 1 FROM photo_intents i WHERE i.key = o.key)
    AND NOT EXISTS (SELECT 1 FROM photo_intents i WHERE o.key LIKE '%%/aside-%%'
        AND o.key = regexp_replace(i.key, '[^/]*$', '') || 'aside-' || left(i.sha256, 32) || '.jpg')
    AND NOT EXISTS (
        SELECT 1 FROM raw_products p
        WHERE p.external_id = regexp_replace(split_part(o.key, '/', 3), '[.]jpg$', '')
          AND p.brand = split_part(o.key, '/', 2)
          AND (EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.stage = split_part(o.key, '/', 1)
                       AND (w.due_at IS NOT NULL OR w.leased_until > unde_now()))
               OR CASE split_part(o.key, '/', 1)
                  WHEN 'originals' THEN p.image_urls <> '[]'
                       AND NOT EXISTS (SELECT 1 FROM product_photos f WHERE f.product_id = p.id AND f.state = 'stored')
                  ELSE p.collage_url IS NOT NULL
                       AND NOT EXISTS (SELECT 1 FROM product_collages l WHERE l.product_id = p.id) END))
"""
_ORPHANS = f"""
INSERT INTO object_findings (check_id, kind, stage, key)
SELECT c.id, 'orphan', split_part(o.key, '/', 1), o.key
FROM object_checks c JOIN stored_objects o ON o.check_id = c.id
WHERE c.id = %(check)s AND o.modified < c.started_at - %(age)s AND {ORPHANED}
  AND o.key ~ '^(originals/[a-z0-9]+/[^/]+/([0-9]+|aside-[0-9a-f]{{32}})|collages/[a-z0-9]+/[^/]+)[.]jpg$'
"""


def compare(cursor: Cursor, check: int, brand: str | None) -> None:
    """Write the findings, from one snapshot of the tables; raises `CheckLost` if the listing is lost."""
    cursor.execute(
        "SELECT (SELECT count(*) FROM stored_objects o WHERE o.check_id = c.id) = c.objects AS whole"
        " FROM object_checks c WHERE c.id = %s",
        (check,),
    )
    row = cursor.fetchone()
    if row is None or not row["whole"]:
        raise CheckLost
    # One statement, so that a photo and its object are not compared before and after a worker's outcome.
    cursor.execute(
        f"WITH a AS ({_PHOTOS}), b AS ({_COLLAGES}), c AS ({_UNRECORDED}), d AS ({_ORPHANS}) SELECT",
        {"check": check, "brand": brand, "age": ORPHAN_AGE},
    )


def counts(cursor: Cursor, check: int) -> dict[tuple[Kind, str], int]:
    """The number of findings by (kind, stage)."""
    cursor.execute(
        "SELECT kind, stage, count(*) AS n FROM object_findings WHERE check_id = %s GROUP BY kind, stage", (check,)
    )
    return {(row["kind"], row["stage"]): row["n"] for row in cursor.fetchall()}


def objects(cursor: Cursor, check: int) -> int:
    """The number of listed objects."""
    cursor.execute("SELECT objects FROM object_checks WHERE id = %s", (check,))
    row = cursor.fetchone()
    return row["objects"] if row else 0


def findings(
    cursor: Cursor, check: int, kind: Kind, after: int, limit: int, stage: str | None = None
) -> list[ObjectFinding]:
    """At most `limit` findings of a kind after an id (0: from the first), in the order they were written."""
    cursor.execute(
        """
        SELECT f.id, f.kind, f.stage, f.key, f.product_id, f.n, f.sha256, p.brand || '/' || p.external_id AS product
        FROM object_findings f LEFT JOIN raw_products p ON p.id = f.product_id
        WHERE f.check_id = %(check)s AND f.kind = %(kind)s AND f.id > %(after)s
          AND (%(stage)s::text IS NULL OR f.stage = %(stage)s)
        ORDER BY f.id LIMIT %(limit)s
        """,
        {"check": check, "kind": kind, "after": after, "limit": limit, "stage": stage},
    )
    return [ObjectFinding(**row) for row in cursor.fetchall()]


def now(cursor: Cursor) -> datetime:
    """The current time of the database."""
    cursor.execute("SELECT now() AS now")
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return row["now"]


def end(cursor: Cursor, check: int) -> None:
    """Delete the check and its rows."""
    for table in ("stored_objects", "object_findings"):
        cursor.execute(f"DELETE FROM {table} WHERE check_id = %s", (check,))
    cursor.execute("DELETE FROM object_checks WHERE id = %s", (check,))
