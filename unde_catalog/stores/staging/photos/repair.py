"""Repairs rows whose objects are missing or wrong: the rows are deleted or reset, and the products made due again.

Each function takes findings of `object_checks.py` and compares them again under locks (products by id, then their due
rows), so it can run beside workers. Leased products are skipped.
"""

from collections.abc import Sequence

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.photos.object_checks import ORPHANED, ObjectFinding

_DUE = "SELECT make_due(p.id, p.brand, %s) FROM raw_products p WHERE p.id = ANY(%s) AND p.active ORDER BY p.id"


def photos(cursor: Cursor, found: Sequence[ObjectFinding]) -> set[int]:
    """Reset the rows of photos whose object is missing or wrong, so that the photos are downloaded again.

    Returns the products that were not leased. Their status becomes `pending`, so that no collage is made of a part.
    """
    free = _locked(cursor, "originals", found)
    repairable = [one for one in found if one.product_id in free]
    values = {
        "ids": [one.product_id for one in repairable],
        "numbers": [one.n for one in repairable],
        "keys": [one.key for one in repairable],
        "hashes": [one.sha256 for one in repairable],
        "reasons": [f"object_{one.kind}" for one in repairable],
    }
    findings = """unnest(%(ids)s::bigint[], %(numbers)s::smallint[], %(keys)s::text[], %(hashes)s::text[],
                         %(reasons)s::text[]) AS g (product_id, n, key, sha256, reason)"""
    unchanged = """f.product_id = g.product_id AND f.n = g.n AND f.key = g.key AND f.sha256 = g.sha256
              AND f.state = 'stored'"""
    cursor.execute(f"SELECT DISTINCT f.product_id FROM product_photos f JOIN {findings} ON {unchanged}", values)
    _set_pending(cursor, [row["product_id"] for row in cursor.fetchall()])
    cursor.execute(
        f"""
        UPDATE product_photos f SET state = 'failed', reason = g.reason, key = NULL, sha256 = NULL, width = NULL,
               height = NULL, bytes = NULL
        FROM {findings} WHERE {unchanged}
        """,
        values,
    )
    return free


def collages(cursor: Cursor, found: Sequence[ObjectFinding]) -> set[int]:
    """Delete the rows of collages whose object is missing or wrong, and make the products due.

    Returns the products that were not leased.
    """
    free = _locked(cursor, "collages", found)
    repairable = [one for one in found if one.product_id in free]
    cursor.execute(
        """
        DELETE FROM product_collages l USING unnest(%s::bigint[], %s::text[]) AS g (product_id, sha256)
        WHERE l.product_id = g.product_id AND l.sha256 = g.sha256 RETURNING l.product_id
        """,
        ([one.product_id for one in repairable], [one.sha256 for one in repairable]),
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
    # While photos are missing, their outcome makes the collage due.
    cursor.execute(_DUE, ("collages", [row["id"] for row in cursor.fetchall() if row["image_status"] != "pending"]))
    return free


def unrecorded(cursor: Cursor, found: Sequence[ObjectFinding]) -> set[int]:
    """Make products due whose photos or collages (of one stage) have no rows; returns those that were not leased."""
    stage = found[0].stage
    free = _locked(cursor, stage, found)
    if stage == "originals":
        _set_pending(cursor, list(free))
    else:
        cursor.execute(_DUE, (stage, list(free)))
    return free


def still_orphaned(cursor: Cursor, keys: Sequence[str]) -> list[str]:
    """The keys that are still orphans."""
    cursor.execute(f"SELECT o.key FROM unnest(%s::text[]) AS o (key) WHERE {ORPHANED}", (list(keys),))
    return [row["key"] for row in cursor.fetchall()]


def _locked(cursor: Cursor, stage: str, found: Sequence[ObjectFinding]) -> set[int]:
    """Lock the products and their due rows of a stage; returns those that no worker has leased."""
    ids = sorted({one.product_id for one in found if one.product_id is not None})
    cursor.execute("SELECT id FROM raw_products WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (ids,))
    products = {row["id"] for row in cursor.fetchall()}
    cursor.execute(
        "SELECT product_id, coalesce(leased_until > unde_now(), false) AS leased FROM due_work"
        " WHERE product_id = ANY(%s) AND stage = %s ORDER BY product_id FOR UPDATE",
        (ids, stage),
    )
    return products - {row["product_id"] for row in cursor.fetchall() if row["leased"]}


def _set_pending(cursor: Cursor, product_ids: list[int]) -> None:
    cursor.execute(
        "UPDATE raw_products SET image_status = 'pending', error_message = NULL, updated_at = now() WHERE id = ANY(%s)",
        (product_ids,),
    )
    cursor.execute(_DUE, ("originals", product_ids))  # also products that were pending and wait for a retry
