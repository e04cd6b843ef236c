"""Counts a brand's embeddings and stored photos, for the check in `operations/quality/`."""

from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.embeddings import SEARCHED
from unde_catalog.stores.staging.index.vectors import pgvector_installed, searchable


@dataclass(frozen=True, slots=True)
class EmbeddedCounts:
    """Photos of a brand and their embeddings by the model in use, except those of products that are due or failing.

    `photos` are stored photos in the index's scope; `embedded` of them have an embedding of the same bytes.
    `left_over` embeddings belong to no photo. `waiting` counts products that are due or failing. `mirrored` embeddings
    belong into Qdrant; they are counted over all products. `pgvector`: whether the database has it.
    """

    serving: str | None
    building: str | None
    searchable: bool
    pgvector: bool
    photos: int
    embedded: int
    left_over: int
    waiting: int
    mirrored: int


def counts(cursor: Cursor, brand: str) -> EmbeddedCounts:
    """Count them; reads the brand's products, photos and embeddings."""
    cursor.execute(
        f"""
        WITH models AS (
            SELECT max(model) FILTER (WHERE state = 'serving') AS serving,
                   max(model) FILTER (WHERE state = 'building') AS building FROM embedding_models
        ), products AS MATERIALIZED (
            SELECT p.id, {SEARCHED} AS in_scope, p.image_status <> 'pending' AND NOT coalesce((
                       SELECT w.due_at IS NOT NULL OR w.given_up FROM due_work w
                       WHERE w.product_id = p.id AND w.stage = 'visual_index'), false) AS settled
            FROM raw_products p WHERE p.brand = %(brand)s
        ), photos AS MATERIALIZED (
            SELECT f.product_id, f.n, f.sha256 FROM product_photos f JOIN products p ON p.id = f.product_id
            WHERE f.state = 'stored' AND p.in_scope AND p.settled
        ), embedded AS MATERIALIZED (
            SELECT e.product_id, e.n, e.sha256, p.settled, p.in_scope AS mirrored
            FROM product_embeddings e JOIN products p ON p.id = e.product_id
            WHERE e.model = (SELECT serving FROM models)
        )
        SELECT m.serving, m.building,
               (SELECT count(*) FROM photos) AS photos,
               (SELECT count(*) FROM photos f JOIN embedded e USING (product_id, n, sha256)) AS embedded,
               (SELECT count(*) FROM embedded e LEFT JOIN photos f USING (product_id, n)
                WHERE e.settled AND f.product_id IS NULL) AS left_over,
               (SELECT count(*) FROM products WHERE in_scope AND NOT settled) AS waiting,
               (SELECT count(*) FROM embedded WHERE mirrored) AS mirrored
        FROM models m
        """,
        {"brand": brand},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return EmbeddedCounts(**row, searchable=searchable(cursor), pgvector=pgvector_installed(cursor))
