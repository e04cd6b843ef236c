"""Comparing stored objects with their rows: a listing goes in page by page, what differs comes out of one query.

What is done about it is in `repair.py`. The tables are shared by all checks and hold nothing between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from unde_catalog.stores.db.database import Cursor, DatabaseUnavailable

Kind = Literal["missing", "wrong_size", "wrong_hash", "orphan", "unrecorded", "busy"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LEASE = timedelta(minutes=15)  # longer than a page of objects takes to be read
ORPHAN_AGE = timedelta(hours=1)  # an object comes before its row, and no lease is that long


class CheckLost(DatabaseUnavailable):
    """What was listed is gone: the database was restarted, or this check stood still for longer than its lease."""

    def __init__(self) -> None:
        super().__init__(
            "what this check had listed is gone: the database was restarted, or the check stood still for long; "
            "run it again"
        )


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as the store has it; `sha256` in hex, None where it was not read."""

    key: str
    size: int
    modified: datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectFinding:
    """What differs. `sha256` is the row's; an orphan has no product, and an unrecorded product may have no key."""

    id: int
    kind: Kind
    stage: str
    key: str | None
    product_id: int | None
    n: int | None
    sha256: str | None
    product: str | None


def begin(cursor: Cursor) -> int:
    """Begin a check and clear away what killed ones left; its id."""
    cursor.execute("DELETE FROM object_checks WHERE leased_until <= now()")
    # Also rows of checks whose own row a restored or restarted database has lost.
    for table in ("stored_objects", "object_findings"):
        cursor.execute(
            f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM object_checks c WHERE c.id = t.check_id)"
        )
    cursor.execute("INSERT INTO object_checks (leased_until) VALUES (now() + %s) RETURNING id", (LEASE,))
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one inserted row
    return row["id"]


def add(cursor: Cursor, check: int, page: Sequence[ListedObject]) -> None:
    """Add a page of the store's listing; `CheckLost` where the pages before it are gone."""
    renew(cursor, check, len(page))
    with cursor.copy("COPY stored_objects (check_id, key, size, modified, sha256) FROM STDIN") as copy:
        for one in page:
            copy.write_row((check, one.key, one.size, one.modified, one.sha256))


def renew(cursor: Cursor, check: int, added: int = 0) -> None:
    """Say that the check lives on."""
    cursor.execute(
        "UPDATE object_checks SET leased_until = now() + %s, objects = objects + %s WHERE id = %s",
        (LEASE, added, check),
    )
    if not cursor.rowcount:
        raise CheckLost


# A product that a worker has in hand, or worked on since the listing began, can't be judged by that listing. Nor
# can one whose worker died with intents open: it is due, and whoever takes it looks at the objects themselves.
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
# A collage that is due is made anew, whatever stands there now.
_COLLAGES = f"""
INSERT INTO object_findings (check_id, kind, stage, key, product_id, sha256)
SELECT c.id, {_WRONG}, 'collages', r.key, p.id, r.sha256
FROM object_checks c CROSS JOIN product_collages r JOIN raw_products p ON p.id = r.product_id
     LEFT JOIN stored_objects o ON o.check_id = c.id AND o.key = r.key
WHERE c.id = %(check)s AND {_DIFFERS} AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)
  AND NOT EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.stage = 'collages' AND w.due_at IS NOT NULL)
ORDER BY p.id
"""
# Products that say they have photos or a collage, as another system wrote them, and nothing is known of the objects.
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
# Objects named as ours are that no row stands behind. Not those of products that are due for that stage (whoever
# works on one looks at what is there), nor those that an unrecorded product's URLs may mean.
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
    """Write down what differs, all of it as the tables are at one moment; `CheckLost` where the listing is gone."""
    cursor.execute(
        "SELECT (SELECT count(*) FROM stored_objects o WHERE o.check_id = c.id) = c.objects AS whole"
        " FROM object_checks c WHERE c.id = %s",
        (check,),
    )
    row = cursor.fetchone()
    if row is None or not row["whole"]:
        raise CheckLost
    # One statement, so that a photo is not judged before a worker's outcome and its object after it.
    cursor.execute(
        f"WITH a AS ({_PHOTOS}), b AS ({_COLLAGES}), c AS ({_UNRECORDED}), d AS ({_ORPHANS}) SELECT",
        {"check": check, "brand": brand, "age": ORPHAN_AGE},
    )


def counts(cursor: Cursor, check: int) -> dict[tuple[Kind, str], int]:
    """How many findings there are, by (kind, stage)."""
    cursor.execute(
        "SELECT kind, stage, count(*) AS n FROM object_findings WHERE check_id = %s GROUP BY kind, stage", (check,)
    )
    return {(row["kind"], row["stage"]): row["n"] for row in cursor.fetchall()}


def objects(cursor: Cursor, check: int) -> int:
    """How many objects were listed."""
    cursor.execute("SELECT objects FROM object_checks WHERE id = %s", (check,))
    row = cursor.fetchone()
    return row["objects"] if row else 0


def findings(
    cursor: Cursor, check: int, kind: Kind, after: int, most: int, stage: str | None = None
) -> list[ObjectFinding]:
    """The findings of a kind in the order they were written, from behind the one with that id (0: from the first)."""
    cursor.execute(
        """
        SELECT f.id, f.kind, f.stage, f.key, f.product_id, f.n, f.sha256, p.brand || '/' || p.external_id AS product
        FROM object_findings f LEFT JOIN raw_products p ON p.id = f.product_id
        WHERE f.check_id = %(check)s AND f.kind = %(kind)s AND f.id > %(after)s
          AND (%(stage)s::text IS NULL OR f.stage = %(stage)s)
        ORDER BY f.id LIMIT %(most)s
        """,
        {"check": check, "kind": kind, "after": after, "most": most, "stage": stage},
    )
    return [ObjectFinding(**row) for row in cursor.fetchall()]


def now(cursor: Cursor) -> datetime:
    """The database's time, by which objects and rows are compared."""
    cursor.execute("SELECT now() AS now")
    row = cursor.fetchone()
    assert row is not None  # it always answers
    return row["now"]


def end(cursor: Cursor, check: int) -> None:
    """Forget the check and all it saw."""
    for table in ("stored_objects", "object_findings"):
        cursor.execute(f"DELETE FROM {table} WHERE check_id = %s", (check,))
    cursor.execute("DELETE FROM object_checks WHERE id = %s", (check,))
