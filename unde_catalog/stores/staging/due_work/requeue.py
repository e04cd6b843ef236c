"""Makes products due on request: force, retry failed, requeue.

Triggers set the marks that follow from a change of the data (`schema/due_rules.sql`); `spreading.py` places recurring
work. Locks are taken in the order that `work_queue.py` names.
"""

from collections.abc import Sequence
from typing import LiteralString

from unde_catalog.stores.db.database import Cursor

_FAILED: LiteralString = "(w.given_up OR w.attempts > 0)"
# A product that was done without some of its photos.
_LACKS_PHOTO: LiteralString = """EXISTS (SELECT 1 FROM product_photos f WHERE f.product_id = w.product_id
    AND f.state <> 'stored' AND f.reason = %(reason)s)"""

# Due now, with no failures. A leased product keeps its lease and stays due after it.
_DUE_AGAIN = """
    due_at = least(w.due_at, unde_now()), wanted = w.wanted + 1, given_up = false,
    attempts = 0, item_faults = 0, reason = NULL, detail = NULL, failing_since = NULL
"""


def product_ids_of(cursor: Cursor, brand: str, external_ids: Sequence[str]) -> dict[str, int]:
    """Product ids by external id; unknown external ids are missing."""
    cursor.execute(
        "SELECT external_id, id FROM raw_products WHERE brand = %s AND external_id = ANY(%s)",
        (brand, list(external_ids)),
    )
    return {row["external_id"]: row["id"] for row in cursor.fetchall()}


def force(cursor: Cursor, stage: str, brand: str, root_run: str, product_ids: Sequence[int] | None = None) -> int:
    """Make everything due again and its results outdated; returns the number of products.

    Acts once per root run, so that a retry of the run does not start over.
    """
    if stage == "originals":  # the first stage: a product that was inserted with a status has no row yet
        only = "AND p.id = ANY(%(ids)s)" if product_ids is not None else ""
        cursor.execute(
            f"""
            SELECT p.id FROM raw_products p
            WHERE p.brand = %(brand)s AND p.active {only}
              AND NOT EXISTS (SELECT 1 FROM due_work w WHERE w.product_id = p.id AND w.stage = %(stage)s)
            ORDER BY p.id
            FOR NO KEY UPDATE
            """,
            {"brand": brand, "stage": stage, "ids": list(product_ids or ())},
        )
        cursor.execute(
            "INSERT INTO due_work (product_id, stage, brand) SELECT unnest(%s::bigint[]), %s, %s"
            " ON CONFLICT DO NOTHING",
            ([row["id"] for row in cursor.fetchall()], stage, brand),
        )
    return _make_due(
        cursor, stage, "true", ", forced_at = unde_now()", brand, root_run=root_run, product_ids=product_ids
    )


def retry_failed(
    cursor: Cursor, stage: str, brand: str, root_run: str, product_ids: Sequence[int] | None = None
) -> int:
    """Make due now what was given up or waits for a retry; returns the number of products. Acts once per root run."""
    return _make_due(cursor, stage, _FAILED, "", brand, root_run=root_run, product_ids=product_ids)


def given_up(cursor: Cursor, stage: str, brand: str | None = None, reason: str | None = None) -> int:
    """Make due now what was given up or waits for a retry; returns the number of products.

    None for `brand` and `reason` means all brands and any reason. A reason of `originals` also finds products that went
    on without a photo that failed for it.
    """
    if reason is None:
        return _make_due(cursor, stage, _FAILED, "", brand)
    failed: LiteralString = f"({_FAILED} AND w.reason = %(reason)s)"
    condition: LiteralString = f"({failed} OR {_LACKS_PHOTO})" if stage == "originals" else failed
    return _make_due(cursor, stage, condition, "", brand, reason=reason)


def _make_due(
    cursor: Cursor,
    stage: str,
    condition: LiteralString,
    extra: LiteralString,
    brand: str | None,
    *,
    root_run: str | None = None,
    product_ids: Sequence[int] | None = None,
    reason: str | None = None,
) -> int:
    condition_sql = f"""
        w.stage = %(stage)s AND {condition}
        {"AND w.brand = %(brand)s" if brand is not None else ""}
        {"AND w.asked_by IS DISTINCT FROM %(root_run)s" if root_run is not None else ""}
    """
    only = "AND w.product_id = ANY(%(product_ids)s)" if product_ids is not None else ""
    values = {
        "stage": stage,
        "brand": brand,
        "reason": reason,
        "root_run": root_run,
        "product_ids": list(product_ids or ()),
    }
    cursor.execute(
        f"""
        SELECT p.id FROM due_work w JOIN raw_products p ON p.id = w.product_id
        WHERE p.active AND {condition_sql} {only}
        ORDER BY p.id
        FOR NO KEY UPDATE OF p
        """,
        values,
    )
    values["ids"] = [row["id"] for row in cursor.fetchall()]
    cursor.execute(
        f"""
        WITH selected AS (
            SELECT w.product_id FROM due_work w
            WHERE w.product_id = ANY(%(ids)s) AND {condition_sql}
            ORDER BY w.product_id
            FOR UPDATE
        )
        UPDATE due_work AS w
        SET {_DUE_AGAIN} {extra} {", asked_by = %(root_run)s" if root_run is not None else ""}
        FROM selected WHERE w.product_id = selected.product_id AND w.stage = %(stage)s
        RETURNING w.product_id
        """,
        values,
    )
    return _reopen(cursor, stage)


def _reopen(cursor: Cursor, stage: str) -> int:
    """Set the status of the selected products back: one that was given up without a photo can be tried again."""
    product_ids = [row["product_id"] for row in cursor.fetchall()]
    if stage == "originals" and product_ids:
        cursor.execute(
            "UPDATE raw_products SET image_status = 'pending', error_message = NULL, updated_at = now()"
            " WHERE id = ANY(%s) AND image_status = 'error'",
            (product_ids,),
        )
    return len(product_ids)
