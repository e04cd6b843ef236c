"""Searches embeddings in the staging database with pgvector, with filters on products and stock.

Filters read raw_products and raw_availability, so they apply to the current state. If few products match the filters,
a search compares all of their photos. Otherwise it scans the HNSW index until it has found enough matching photos, or
until comparing all would be less work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.embeddings import SEARCHED, Vector, array_text
from unde_catalog.stores.staging.index.product_filters import Filters, StoreKey, filter_conditions, filter_values
from unde_catalog.stores.staging.photos.originals import PHOTOS_A_PRODUCT

EXACT_PRODUCTS = 2_000  # up to which all photos are compared: with 235,000 photos, the index is faster for more
INDEXES = ("idx_product_embeddings_0", "idx_product_embeddings_1")  # of the two slots
# The number of products that match conditions of an index alone, at most `at_least`.
_MATCHING: LiteralString = (
    "(SELECT count(*) FROM (SELECT 1 FROM raw_products p WHERE {} LIMIT %(at_least)s) AS matching)"
)
_OF_SLOT: Mapping[int, LiteralString] = {0: "e.slot = 0", 1: "e.slot = 1"}  # exactly the conditions of the indexes
# The size of the HNSW candidate list. Some groups of garments have few links to others, and a search may miss a whole
# group, depending on the build. With 235,000 photos and pgvector's default of 16 links, recall@20 was 0.958 to 0.992
# with 400 candidates. With 24 links (migration 0019) it is 0.974 to 0.993 with 200 candidates, in half the time.
_EF_SEARCH = 200
FETCH_SIZE = 200  # photos in one FETCH
_OVERSAMPLING = 1.25  # more products than requested are found first, because the scan is only nearly ordered
_VISITS_PER_PRODUCT = 0.6  # comparing all photos of one product costs as much as scanning this number of photos
_MAX_VISITED = 20_000  # photos, before a search without enough matches compares all photos of matching products
_MAX_SCANNED = 500_000  # tuples: beyond this limit, pgvector returns photos in any order
_BUILD_KB_PER_PHOTO, _MAX_BUILD_KB = 2, 2_000_000  # memory for building an index


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found: the number of its best photo, and the cosine of the angle between the embeddings (1: equal)."""

    product_id: int
    n: int
    score: float


class ModelReplaced(RuntimeError):
    """The index does not use this model, or no longer; the message names it."""


def searchable(cursor: Cursor) -> bool:
    """Whether this database has pgvector and its embeddings can be searched."""
    cursor.execute(
        "SELECT atttypid <> 'real[]'::regtype AS searchable FROM pg_attribute"
        " WHERE attrelid = 'product_embeddings'::regclass AND attname = 'embedding'"
    )
    row = cursor.fetchone()
    return row is not None and row["searchable"]


def pgvector_installed(cursor: Cursor) -> bool:
    """Whether this database has pgvector, in any schema."""
    cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")
    return cursor.fetchone() is not None


def search(cursor: Cursor, model: str, vector: Vector, filters: Filters, top_k: int) -> list[Hit]:
    """The products with the nearest photos, the nearest first; fewer than `top_k` only if fewer match.

    The result is approximate for a large index, and exact for a small one or with a narrow filter. Raises
    `ModelReplaced` if the index does not use the model.
    """
    indexed, conditions = filter_conditions(filters)
    values = {**filter_values(filters), "model": model, "vector": array_text(vector), "top_k": top_k}
    # One statement, because round trips dominate. Without enable_seqscan = off, the planner avoids the vector index.
    # The operator and the type may be in another schema.
    cursor.execute(
        f"""
        SELECT (SELECT slot FROM embedding_models WHERE model = %(model)s) AS slot,
               {_MATCHING.format(indexed)} AS matching,
               set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %(ef)s, true),
               set_config('hnsw.max_scan_tuples', %(max_scanned)s, true),
               set_config('hnsw.scan_mem_multiplier', '8', true),
               set_config('cursor_tuple_fraction', '0.001', true), set_config('enable_seqscan', 'off', true),
               set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), (
                   SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                   WHERE e.extname = 'vector')), true)
        """,
        {**values, "at_least": EXACT_PRODUCTS + 1, "ef": str(_EF_SEARCH), "max_scanned": str(_MAX_SCANNED)},
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    slot = row["slot"]
    if slot is None:
        raise ModelReplaced(f"the index no longer uses {model}: embed again with the model in use")
    found = None
    if row["matching"] > EXACT_PRODUCTS:
        found = _search_index(cursor, slot, indexed, conditions, values)
    return _search_exact(cursor, slot, conditions, values) if found is None else found


def _match(cursor: Cursor, indexed: LiteralString, values: dict[str, Any], at_least: int) -> bool:
    """Whether at least this number of products match the indexed conditions."""
    cursor.execute(f"SELECT {_MATCHING.format(indexed)} AS matching", {**values, "at_least": at_least})
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["matching"] == at_least


def _search_index(
    cursor: Cursor, slot: int, indexed: LiteralString, conditions: LiteralString, values: dict[str, Any]
) -> list[Hit] | None:
    """The nearest products by the HNSW index; None if comparing all is less work, because few match or are far away.

    The index returns photos nearly in the order of their distance, so the scan can stop when it has found slightly
    more than `top_k` products.
    """
    # The conditions are in a subquery, which is evaluated photo by photo; a join might read all products.
    cursor.execute(
        f"""
        DECLARE nearest NO SCROLL CURSOR FOR
        SELECT e.product_id, e.n, 1 - (e.embedding <=> %(vector)s::real[]::halfvec(512)) AS score,
               coalesce((SELECT {conditions} FROM raw_products p WHERE p.id = e.product_id), false) AS matches
        FROM product_embeddings e
        WHERE {_OF_SLOT[slot]}
        ORDER BY e.embedding <=> %(vector)s::real[]::halfvec(512)
        """,
        values,
    )
    best: dict[int, Hit] = {}
    visited, enough = 0, values["top_k"] * _OVERSAMPLING
    matching = EXACT_PRODUCTS  # at least
    while True:
        cursor.execute(sql.SQL("FETCH FORWARD {} FROM nearest").format(FETCH_SIZE))
        photos = cursor.fetchall()
        visited += len(photos)
        for photo in photos:
            if photo.pop("matches"):
                _keep_best(best, Hit(**photo))
        if len(best) >= enough or len(photos) < FETCH_SIZE or visited >= _MAX_VISITED:
            break
        remaining = (enough - len(best)) * visited / max(len(best), 1)
        if remaining > matching * _VISITS_PER_PRODUCT:  # perhaps more work than comparing all: count them
            matching = int(remaining / _VISITS_PER_PRODUCT)
            if not _match(cursor, indexed, values, matching):
                break
    cursor.execute("CLOSE nearest")
    if len(best) < values["top_k"]:
        return None
    return _nearest(best, values)


def _search_exact(cursor: Cursor, slot: int, conditions: LiteralString, values: dict[str, Any]) -> list[Hit]:
    # The limit covers at least `top_k` products. OFFSET 0 keeps the planner from ordering by the vector index.
    cursor.execute(
        f"""
        SELECT product_id, n, 1 - distance AS score FROM (
            SELECT e.product_id, e.n, e.embedding <=> %(vector)s::real[]::halfvec(512) AS distance
            FROM product_embeddings e
            WHERE e.product_id = ANY(ARRAY(SELECT p.id FROM raw_products p WHERE {conditions})) AND {_OF_SLOT[slot]}
            OFFSET 0) AS compared
        ORDER BY distance, product_id LIMIT %(photos)s
        """,
        {**values, "photos": values["top_k"] * PHOTOS_A_PRODUCT},
    )
    best: dict[int, Hit] = {}
    for row in cursor.fetchall():
        _keep_best(best, Hit(**row))
    return _nearest(best, values)


def _keep_best(best: dict[int, Hit], hit: Hit) -> None:
    if hit.product_id not in best or best[hit.product_id].score < hit.score:
        best[hit.product_id] = hit


def _nearest(best: Mapping[int, Hit], values: Mapping[str, Any]) -> list[Hit]:
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.product_id))[: values["top_k"]]


def in_stock(cursor: Cursor, store: StoreKey) -> list[int]:
    """The searchable products that a store had in stock at the last check."""
    filters = Filters(in_stock_at=store)
    _, conditions = filter_conditions(filters)
    cursor.execute(f"SELECT p.id FROM raw_products p WHERE {conditions}", filter_values(filters))
    return [row["id"] for row in cursor.fetchall()]


def searchable_products(cursor: Cursor, product_ids: Sequence[int]) -> set[int]:
    """The products of these that are searchable now."""
    cursor.execute(f"SELECT p.id FROM raw_products p WHERE p.id = ANY(%s) AND {SEARCHED}", (list(product_ids),))
    return {row["id"] for row in cursor.fetchall()}


def count(cursor: Cursor, model: str, brand: str | None = None) -> int:
    """The number of a model's photos, of one brand or of all."""
    cursor.execute(
        "SELECT count(*) AS n FROM product_embeddings e WHERE e.model = %(model)s AND (%(brand)s::text IS NULL OR"
        " (SELECT p.brand FROM raw_products p WHERE p.id = e.product_id) = %(brand)s)",
        {"model": model, "brand": brand},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def count_embedded(cursor: Cursor, model: str, filters: Filters, at_most: int) -> int:
    """The number of products that a search with these filters must find, counted up to `at_most`."""
    _, conditions = filter_conditions(filters)
    cursor.execute(
        f"""
        SELECT count(*) AS n FROM (
            SELECT 1 FROM raw_products p WHERE {conditions} AND EXISTS (
                SELECT 1 FROM product_embeddings e WHERE e.product_id = p.id AND e.model = %(model)s)
            LIMIT %(at_most)s) AS found
        """,
        {**filter_values(filters), "model": model, "at_most": at_most},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def identities(cursor: Cursor, model: str, product_ids: Sequence[int]) -> list[tuple[str, str, int]]:
    """Source, external id and number of each embedded photo of these products that is searchable."""
    cursor.execute(
        f"""
        SELECT p.source, p.external_id, e.n
        FROM raw_products p JOIN product_embeddings e ON e.product_id = p.id AND e.model = %(model)s
        WHERE p.id = ANY(%(products)s) AND {SEARCHED}
        """,
        {"model": model, "products": list(product_ids)},
    )
    return [(row["source"], row["external_id"], row["n"]) for row in cursor.fetchall()]


def prepare(cursor: Cursor) -> bool:
    """Create what searches need if pgvector is installed, as the owner of the tables; returns whether it is."""
    cursor.execute("SELECT prepare_vectors() AS searchable")
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return row["searchable"]


def indexes(cursor: Cursor) -> list[str]:
    """The existing indexes of `INDEXES`."""
    cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", (list(INDEXES),))
    return [row["name"] for row in cursor.fetchall()]


def set_build_memory(cursor: Cursor) -> None:
    """Set this session's memory for building an index, up to 2 GB; for a direct connection only.

    With less memory, building takes three times as long.
    """
    cursor.execute(
        """
        SELECT set_config('maintenance_work_mem', greatest(setting::bigint, least(%s, e.photos * %s))::text, false)
        FROM pg_settings, (SELECT count(*) AS photos FROM product_embeddings) AS e WHERE name = 'maintenance_work_mem'
        """,
        (_MAX_BUILD_KB, _BUILD_KB_PER_PHOTO),
    )


def disable_parallel_build(cursor: Cursor) -> None:
    """Build indexes of this session in one process, which is slower but needs no shared memory."""
    cursor.execute("SET max_parallel_maintenance_workers = 0")
