"""Searching the embeddings in the staging database with pgvector, by all that may be asked of a product at once.

What is live in the catalogue decides, not what was so when a photo was embedded: filters read raw_products and
raw_availability. A search for few products looks at each of their photos; one for many goes along the HNSW index until
enough of what it meets is wanted, or until that is more work than to look at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import sql

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.embeddings import SEARCHED, Vector, array_text
from unde_catalog.stores.staging.photos.originals import PHOTOS_A_PRODUCT

# Products up to which all of their photos are compared: at 235,000 photos the index is faster from about there on.
EXACT_PRODUCTS = 2_000
INDEXES = ("idx_product_embeddings_0", "idx_product_embeddings_1")  # of the two slots
# Products that match by an index alone, counted up to so many.
_MATCHING: LiteralString = (
    "(SELECT count(*) FROM (SELECT 1 FROM raw_products p WHERE {} LIMIT %(at_least)s) AS matching)"
)
_OF_SLOT: Mapping[int, LiteralString] = {0: "e.slot = 0", 1: "e.slot = 1"}  # as the indexes have it
# How many photos the index keeps in view. Some groups of garments are hardly linked to others, and a search may miss
# all of one, in one build more than in another: at 235,000 photos and with pgvector's usual 16 links recall@20 was
# 0.958 to 0.992 with 400 in view. With 24 links (migration 0019) it is 0.974 to 0.993 with 200, in half the time.
_EF_SEARCH = 200
AT_ONCE = 200  # photos it gives before it is asked whether more are wanted
_SPARE = 1.25  # of the products that are wanted, to meet before it stops: some that are near are met late
_VISITS_A_PRODUCT = 0.6  # comparing all photos of a product is as much work as going on to so many photos
_MOST_VISITED = 20_000  # photos, before a search that meets too few of what is wanted compares all of those ...
_MOST_LOOKED_AT = 500_000  # ... and what it looks at for them: beyond, pgvector gives what it has seen in any order
_BUILT_IN, _MOST_BUILT_IN = 2, 2_000_000  # kilobytes for a photo while an index is built, and for all of them


@dataclass(frozen=True, slots=True)
class StoreKey:
    """A shop, by its brand and its number there."""

    brand: str
    store_id: int


@dataclass(frozen=True, slots=True)
class Filters:
    """What a found product must be; () and None ask nothing. Prices are in the catalogue's currency, both included.

    `in_stock_at`: what the shop had in any size when it was asked last.
    """

    brands: Sequence[str] = ()
    categories: Sequence[str] = ()
    price_from: Decimal | None = None
    price_to: Decimal | None = None
    in_stock_at: StoreKey | None = None


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """A found product: its best photo's place, and the cosine of the angle between the two embeddings (1: the same)."""

    product_id: int
    n: int
    score: float


class ModelReplaced(RuntimeError):
    """The search is by a model that the index is not made of (any more); the sentence says which."""


def searchable(cursor: Cursor) -> bool:
    """Whether this database can search embeddings."""
    cursor.execute(
        "SELECT atttypid <> 'real[]'::regtype AS searchable FROM pg_attribute"
        " WHERE attrelid = 'product_embeddings'::regclass AND attname = 'embedding'"
    )
    row = cursor.fetchone()
    return row is not None and row["searchable"]


def search(cursor: Cursor, model: str, vector: Vector, filters: Filters, top_k: int) -> list[Hit]:
    """The products whose best photo is nearest, the nearest first; fewer than `top_k` only where fewer match.

    Searching all of a big index finds nearly all of the nearest, a small one or a narrow filter exactly these.
    `ModelReplaced` for a model that has no rows.
    """
    few, live = _conditions(filters)
    values = {**_values(filters), "model": model, "vector": array_text(vector), "top_k": top_k}
    # Together, as a search is little more than its statements. The planner thinks too little of the vector index.
    cursor.execute(
        f"""
        SELECT (SELECT slot FROM embedding_models WHERE model = %(model)s) AS slot, {_MATCHING.format(few)} AS matching,
               set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %(ef)s, true),
               set_config('hnsw.max_scan_tuples', %(looked_at)s, true),
               set_config('hnsw.scan_mem_multiplier', '8', true),
               set_config('cursor_tuple_fraction', '0.001', true), set_config('enable_seqscan', 'off', true)
        """,
        {**values, "at_least": EXACT_PRODUCTS + 1, "ef": str(_EF_SEARCH), "looked_at": str(_MOST_LOOKED_AT)},
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    slot = row["slot"]
    if slot is None:
        raise ModelReplaced(f"the index is not made by {model} any more: ask which model serves, and embed again")
    found = None
    if row["matching"] > EXACT_PRODUCTS:
        found = _by_index(cursor, slot, few, live, values)
    return _by_comparing(cursor, slot, live, values) if found is None else found


def _match(cursor: Cursor, few: LiteralString, values: dict[str, Any], at_least: int) -> bool:
    """Whether so many products match, by an index alone."""
    cursor.execute(f"SELECT {_MATCHING.format(few)} AS matching", {**values, "at_least": at_least})
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["matching"] == at_least


def _by_index(
    cursor: Cursor, slot: int, few: LiteralString, live: LiteralString, values: dict[str, Any]
) -> list[Hit] | None:
    """The nearest that are met first; None where it is less work to compare all: few match, or they are far away.

    Photos come some at a time, each time nearly the nearest of what is left. So it is enough to go on until there are
    `top_k` products and a few: whatever comes later is farther away.
    """
    # The condition is a subquery, so that it is asked of one photo after the other: a join might be made of all.
    cursor.execute(
        f"""
        DECLARE nearest NO SCROLL CURSOR FOR
        SELECT e.product_id, e.n, 1 - (e.embedding <=> %(vector)s::real[]::halfvec(512)) AS score,
               coalesce((SELECT {live} FROM raw_products p WHERE p.id = e.product_id), false) AS live
        FROM product_embeddings e
        WHERE {_OF_SLOT[slot]}
        ORDER BY e.embedding <=> %(vector)s::real[]::halfvec(512)
        """,
        values,
    )
    best: dict[int, Hit] = {}
    visited, enough = 0, values["top_k"] * _SPARE
    matching = EXACT_PRODUCTS  # that many at least
    while True:
        cursor.execute(sql.SQL("FETCH FORWARD {} FROM nearest").format(AT_ONCE))
        photos = cursor.fetchall()
        visited += len(photos)
        for photo in photos:
            if photo.pop("live"):
                _keep_best(best, Hit(**photo))
        if len(best) >= enough or len(photos) < AT_ONCE or visited >= _MOST_VISITED:
            break
        to_come = (enough - len(best)) * visited / max(len(best), 1)
        if to_come > matching * _VISITS_A_PRODUCT:  # more than comparing all? They are counted only now
            matching = int(to_come / _VISITS_A_PRODUCT)
            if not _match(cursor, few, values, matching):
                break
    cursor.execute("CLOSE nearest")
    if len(best) < values["top_k"]:
        return None
    return _nearest(best, values)


def _by_comparing(cursor: Cursor, slot: int, live: LiteralString, values: dict[str, Any]) -> list[Hit]:
    # So many photos are of `top_k` products at least. OFFSET 0: else the vector index might be taken for their order.
    cursor.execute(
        f"""
        SELECT product_id, n, 1 - distance AS score FROM (
            SELECT e.product_id, e.n, e.embedding <=> %(vector)s::real[]::halfvec(512) AS distance
            FROM product_embeddings e
            WHERE e.product_id = ANY(ARRAY(SELECT p.id FROM raw_products p WHERE {live})) AND {_OF_SLOT[slot]}
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


def in_stock(cursor: Cursor, shop: StoreKey) -> list[int]:
    """The products on sale that a shop had in stock when it was asked last."""
    filters = Filters(in_stock_at=shop)
    _, live = _conditions(filters)
    cursor.execute(f"SELECT p.id FROM raw_products p WHERE {live}", _values(filters))
    return [row["id"] for row in cursor.fetchall()]


def still_searched(cursor: Cursor, product_ids: Sequence[int]) -> set[int]:
    """Those of the products that may be found now."""
    cursor.execute(f"SELECT p.id FROM raw_products p WHERE p.id = ANY(%s) AND {SEARCHED}", (list(product_ids),))
    return {row["id"] for row in cursor.fetchall()}


def count(cursor: Cursor, model: str, brand: str | None = None) -> int:
    """Photos in the index by a model, of a brand or of all."""
    cursor.execute(
        "SELECT count(*) AS n FROM product_embeddings e WHERE e.model = %(model)s AND (%(brand)s::text IS NULL OR"
        " (SELECT p.brand FROM raw_products p WHERE p.id = e.product_id) = %(brand)s)",
        {"model": model, "brand": brand},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def identities(cursor: Cursor, model: str, scope: str, product_ids: Sequence[int]) -> list[tuple[str, str, int]]:
    """Source, external id and place of each photo of these products that is embedded and may be found, of a scope."""
    cursor.execute(
        f"""
        SELECT p.source, p.external_id, e.n
        FROM raw_products p JOIN product_embeddings e ON e.product_id = p.id AND e.model = %(model)s
        WHERE p.id = ANY(%(products)s) AND {SEARCHED} AND p.index_scope = %(scope)s
        """,
        {"model": model, "scope": scope, "products": list(product_ids)},
    )
    return [(row["source"], row["external_id"], row["n"]) for row in cursor.fetchall()]


def prepare(cursor: Cursor) -> bool:
    """Make what searching needs, as the owner of the tables, where pgvector is there; whether it is."""
    cursor.execute("SELECT prepare_vectors() AS searchable")
    row = cursor.fetchone()
    assert row is not None  # it answers always
    return row["searchable"]


def indexes(cursor: Cursor) -> list[str]:
    """Those of `INDEXES` that are there."""
    cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", (list(INDEXES),))
    return [row["name"] for row in cursor.fetchall()]


def build_in_memory(cursor: Cursor) -> None:
    """Let this session build an index of what is there in memory, up to 2 GB: elsewhere it takes three times as long.

    For a session of our own, past any pooler.
    """
    cursor.execute(
        """
        SELECT set_config('maintenance_work_mem', greatest(setting::bigint, least(%s, e.photos * %s))::text, false)
        FROM pg_settings, (SELECT count(*) AS photos FROM product_embeddings) AS e WHERE name = 'maintenance_work_mem'
        """,
        (_MOST_BUILT_IN, _BUILT_IN),
    )


def build_alone(cursor: Cursor) -> None:
    """Let this session build an index in a process of its own memory: slower, and without shared memory."""
    cursor.execute("SET max_parallel_maintenance_workers = 0")


def _conditions(filters: Filters) -> tuple[LiteralString, LiteralString]:
    """What is cheap to ask of a product, for counting by an index, and all that is asked of it."""
    asked: list[LiteralString] = [SEARCHED]
    if filters.brands or filters.in_stock_at is not None:
        asked.append("p.brand = ANY(%(brands)s)")
    if filters.categories:
        asked.append("left(p.category, 100) = ANY(%(beginnings)s) AND p.category = ANY(%(categories)s)")
    if filters.price_from is not None:
        asked.append("p.price >= %(price_from)s")
    if filters.price_to is not None:
        asked.append("p.price <= %(price_to)s")
    few: LiteralString = " AND ".join(asked)
    if filters.in_stock_at is None:
        return few, few
    return few, few + (
        " AND coalesce((SELECT a.sizes_in_stock <> '[]' FROM raw_availability a"
        " WHERE a.brand = p.brand AND a.store_id = %(store)s AND a.product_id = p.external_id"
        " ORDER BY a.fetched_at DESC LIMIT 1), false)"
    )


def _values(filters: Filters) -> dict[str, Any]:
    shop, brands = filters.in_stock_at, list(filters.brands)
    if shop is not None:
        brands = [shop.brand] if not brands or shop.brand in brands else []
    return {
        "brands": brands,
        "categories": list(filters.categories),
        "beginnings": [category[:100] for category in filters.categories],
        "price_from": filters.price_from,
        "price_to": filters.price_to,
        "store": None if shop is None else shop.store_id,
    }
