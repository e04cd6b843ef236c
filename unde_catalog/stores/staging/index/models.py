"""The embedding models of the visual index: one is in use (`serving`), and a newer one may be `building` beside it.

A model's name contains its version. Its rows are in one of two slots, each with its own index.
"""

from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.embeddings import SEARCHED

CHUNK = 5_000  # rows of one short transaction


@dataclass(frozen=True, slots=True)
class Models:
    """The model in use, the model being built, and a former model whose rows are not deleted yet."""

    serving: str | None = None
    building: str | None = None
    old: str | None = None


def current(cursor: Cursor) -> Models:
    """The current models."""
    cursor.execute("SELECT state, model FROM embedding_models")
    return Models(**{row["state"]: row["model"] for row in cursor.fetchall()})


def begin(cursor: Cursor, model: str) -> Models:
    """Start to use a model if none is in use, otherwise start to build it; returns the models after that.

    Changes nothing while another model is being built or the rows of an old one are not deleted.
    """
    cursor.execute("LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE")
    now = current(cursor)
    if model in (now.serving, now.building) or now.building is not None or now.old is not None:
        return now
    if now.serving is None:
        cursor.execute(
            "INSERT INTO embedding_models (model, slot, state, began_at, serving_since)"
            " VALUES (%s, 0, 'serving', unde_now(), unde_now())",
            (model,),
        )
    else:
        cursor.execute(
            "INSERT INTO embedding_models (model, slot, state, asked_to, began_at)"
            " SELECT %s, 1 - slot, 'building', 0, unde_now() FROM embedding_models WHERE state = 'serving'",
            (model,),
        )
    return current(cursor)


def enqueue_missing(cursor: Cursor) -> bool:
    """Make the next products due for the model being built; returns whether there are more."""
    cursor.execute("SELECT asked_to FROM embedding_models WHERE state = 'building' FOR UPDATE")
    row = cursor.fetchone()
    if row is None or row["asked_to"] is None:
        return False
    cursor.execute(
        f"SELECT p.id FROM raw_products p WHERE p.id > %s AND {SEARCHED} AND p.image_status <> 'pending'"
        " ORDER BY p.id LIMIT %s FOR NO KEY UPDATE",
        (row["asked_to"], CHUNK),
    )
    ids = [row["id"] for row in cursor.fetchall()]
    cursor.execute(
        "SELECT make_due(p.id, p.brand, 'visual_index') FROM raw_products p WHERE p.id = ANY(%s) ORDER BY p.id", (ids,)
    )
    cursor.execute(
        "UPDATE embedding_models SET asked_to = %s WHERE state = 'building'", (ids[-1] if len(ids) == CHUNK else None,)
    )
    return len(ids) == CHUNK


def switch(cursor: Cursor, model: str) -> int | None:
    """Start to use a built model if no searchable product would be lost; otherwise return the number of those products.

    Products that fail or were given up do not count. Reads all embeddings.
    """
    cursor.execute("LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE")
    now = current(cursor)
    if now.building != model:
        return None
    cursor.execute(
        f"""
        SELECT (SELECT count(*) FROM (
                    SELECT DISTINCT e.product_id FROM product_embeddings e WHERE e.model = %(serving)s
                    EXCEPT SELECT b.product_id FROM product_embeddings b WHERE b.model = %(model)s) AS lacking
                JOIN raw_products p ON p.id = lacking.product_id
                WHERE {SEARCHED} AND NOT coalesce((
                    SELECT w.given_up OR w.attempts > 0 FROM due_work w
                    WHERE w.product_id = p.id AND w.stage = 'visual_index'), false)) AS lacking,
               (SELECT asked_to IS NOT NULL FROM embedding_models WHERE model = %(model)s) AS asking
        """,
        {"serving": now.serving, "model": model},
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    if row["lacking"] or row["asking"]:
        return row["lacking"]
    cursor.execute("UPDATE embedding_models SET state = 'old' WHERE state = 'serving'")
    cursor.execute(
        "UPDATE embedding_models SET state = 'serving', serving_since = unde_now() WHERE model = %s", (model,)
    )
    return None


def stop_building(cursor: Cursor) -> str | None:
    """Stop building a model, so that its rows are deleted; returns its name, None if none was being built."""
    cursor.execute("LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE")
    now = current(cursor)
    if now.building is not None and now.old is None:
        cursor.execute("UPDATE embedding_models SET state = 'old', asked_to = NULL WHERE state = 'building'")
        return now.building
    return None


def clear_old(cursor: Cursor, after: int) -> int | None:
    """Delete the old model's rows of the next products by id; returns the last id, None after the last product.

    The model itself is deleted after its last row. Rows that a late run writes are deleted by the next call.
    """
    cursor.execute(
        "SELECT product_id FROM product_embeddings WHERE product_id > %s ORDER BY product_id LIMIT %s", (after, CHUNK)
    )
    ids = [row["product_id"] for row in cursor.fetchall()]
    if not ids:
        cursor.execute(
            "DELETE FROM embedding_models m WHERE m.state = 'old'"
            " AND NOT EXISTS (SELECT 1 FROM product_embeddings e WHERE e.model = m.model)"
        )
        return None
    cursor.execute(
        "DELETE FROM product_embeddings e WHERE e.product_id = ANY(%s)"
        " AND e.model = (SELECT model FROM embedding_models WHERE state = 'old')",
        (ids,),
    )
    return ids[-1]
