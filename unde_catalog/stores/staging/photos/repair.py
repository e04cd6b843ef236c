"""What becomes of rows whose objects are not there or not right: they are forgotten, and made due again.

Each takes a group of findings of `object_checks.py` and looks at everything once more under the house's locks,
products by id before their due rows, so that it may run beside workers: what one of them has in hand is left alone.
"""

from collections.abc import Sequence

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.photos.object_checks import ORPHANED, ObjectFinding

_DUE = "SELECT make_due(p.id, p.brand, %s) FROM raw_products p WHERE p.id = ANY(%s) AND p.active ORDER BY p.id"


def photos(cursor: Cursor, found: Sequence[ObjectFinding]) -> set[int]:
    """Photos whose object is missing or wrong no longer count as stored, so that they are fetched again.

    The products that were free. Their status is `pending` meanwhile, so that no collage is made of a part.
    """
    free = _locked(cursor, "originals", found)
    ours = [one for one in found if one.product_id in free]
    values = {
        "ids": [one.product_id for one in ours],
        "numbers": [one.n for one in ours],
        "keys": [one.key for one in ours],
        "hashes": [one.sha256 for one in ours],
        "reasons": [f"object_{one.kind}" for one in ours],
    }
    given = """unnest(%(ids)s::bigint[], %(numbers)s::smallint[], %(keys)s::text[], %(hashes)s::text[],
                      %(reasons)s::text[]) AS g (product_id, n, key, sha256, reason)"""
    same = """f.product_id = g.product_id AND f.n = g.n AND f.key = g.key AND f.sha256 = g.sha256
              AND f.state = 'stored'"""
    cursor.execute(f"SELECT DISTINCT f.product_id FROM product_photos f JOIN {given} ON {same}", values)
    still = [row["product_id"] for row in cursor.fetchall()]
    _pending(cursor, still)
    cursor.execute(
        f"""
        UPDATE product_photos f SET state = 'failed', reason = g.reason, key = NULL, sha256 = NULL, width = NULL,
               height = NULL, bytes = NULL
        FROM {given} WHERE {same}
        """,
        values,
    )
    return free


def collages(cursor: Cursor, found: Sequence[ObjectFinding]) -> set[int]:
    """Collages whose object is missing or wrong are forgotten and made again; the products that were free."""
    free = _locked(cursor, "collages", found)
    ours = [one for one in found if one.product_id in free]
    cursor.execute(
        """
        DELETE FROM product_collages l USING unnest(%s::bigint[], %s::text[]) AS g (product_id, sha256)
        WHERE l.product_id = g.product_id AND l.sha256 = g.sha256 RETURNING l.product_id
        """,
        ([one.product_id for one in ours], [one.sha256 for one in ours]),
    )
    gone = [row["product_id"] for row in cursor.fetchall()]
    cursor.execute(
        """
        UPDATE raw_products SET collage_url = NULL, updated_at = now(),
               image_status = CASE image_status WHEN 'collage_ready' THEN 'uploaded' ELSE image_status END
        WHERE id = ANY(%s) RETURNING id, image_status
        """,
        (gone,),
    )
    # While photos are still to come, their outcome makes it due.
    cursor.execute(_DUE, ("collages", [row["id"] for row in cursor.fetchall() if row["image_status"] != "pending"]))
    return free


def unrecorded(cursor: Cursor, found: Sequence[ObjectFinding]) -> set[int]:
    """Make products due whose photos or collage (all of one stage) nobody wrote down; those that were free."""
    stage = found[0].stage
    free = _locked(cursor, stage, found)
    if stage == "originals":
        _pending(cursor, list(free))
    else:
        cursor.execute(_DUE, (stage, list(free)))
    return free


def still_orphaned(cursor: Cursor, keys: Sequence[str]) -> list[str]:
    """Those of the keys that still nothing stands behind."""
    cursor.execute(f"SELECT o.key FROM unnest(%s::text[]) AS o (key) WHERE {ORPHANED}", (list(keys),))
    return [row["key"] for row in cursor.fetchall()]


def _locked(cursor: Cursor, stage: str, found: Sequence[ObjectFinding]) -> set[int]:
    """Lock the products and their due rows of a stage; those that no worker has in hand."""
    ids = sorted({one.product_id for one in found if one.product_id is not None})
    cursor.execute("SELECT id FROM raw_products WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (ids,))
    there = {row["id"] for row in cursor.fetchall()}
    cursor.execute(
        "SELECT product_id, coalesce(leased_until > unde_now(), false) AS in_hand FROM due_work"
        " WHERE product_id = ANY(%s) AND stage = %s ORDER BY product_id FOR UPDATE",
        (ids, stage),
    )
    return there - {row["product_id"] for row in cursor.fetchall() if row["in_hand"]}


def _pending(cursor: Cursor, product_ids: list[int]) -> None:
    cursor.execute(
        "UPDATE raw_products SET image_status = 'pending', error_message = NULL, updated_at = now() WHERE id = ANY(%s)",
        (product_ids,),
    )
    cursor.execute(_DUE, ("originals", product_ids))  # also those that were pending already, and wait for a later try
