"""Tests that every kind of vector store passes."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from qdrant_client import QdrantClient

from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stages.visual_index.qdrant import QdrantStore
from unde_catalog.stages.visual_index.vector_store import Filters, ModelReplaced, StoreKey, VectorStore
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import vectors
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.vector_rows import MODEL, direction, in_stock, photo, product, serve

Found = Callable[..., list[int]]


# Qdrant is the client's in-memory implementation, since no package contains the server. It compares all vectors.
@pytest.fixture(params=["pgvector, comparing", "pgvector, index", "qdrant"])
def store(request: pytest.FixtureRequest, db: Database, server: Server, monkeypatch: pytest.MonkeyPatch) -> VectorStore:
    serve(db)
    if request.param == "qdrant":
        qdrant = QdrantStore(QdrantClient(":memory:"), db)
        qdrant.serve(MODEL)
        return qdrant
    if request.param == "pgvector, index":
        monkeypatch.setattr(vectors, "EXACT_PRODUCTS", 0)
    return PgvectorStore(db, server.past_poolers(db.url))


@pytest.fixture
def found(store: VectorStore) -> Found:
    """Searches for a direction and returns the ids of the products."""

    def search(degrees: float = 0, top_k: int = 20, threshold: float = -1.0, **filters: object) -> list[int]:
        hits = store.search(MODEL, direction(degrees), Filters(**filters), top_k, threshold)  # type: ignore[arg-type]
        return [hit.product_id for hit in hits]

    return search


def test_products_are_ranked_by_their_best_photo(db: Database, store: VectorStore) -> None:
    near, far = product(db, 1), product(db, 2)
    store.upsert(MODEL, [photo(db, far, 30), photo(db, near, 80), photo(db, near, 10, n=2), photo(db, far, 40, n=3)])
    hits = store.search(MODEL, direction(0))
    assert [(hit.product_id, hit.n) for hit in hits] == [(near, 2), (far, 1)]
    assert [hit.score for hit in hits] == pytest.approx([0.985, 0.866], abs=0.002)


def test_one_product_with_many_photos_does_not_fill_the_results(db: Database, store: VectorStore, found: Found) -> None:
    products = [product(db, number) for number in range(8)]
    store.upsert(MODEL, [photo(db, id, at + n / 10, n) for at, id in enumerate(products) for n in range(1, 6)])
    assert found(top_k=8) == products
    assert found(top_k=3) == products[:3]


def test_nothing_below_the_threshold_is_found(db: Database, store: VectorStore, found: Found) -> None:
    near, far = product(db, 1), product(db, 2)
    store.upsert(MODEL, [photo(db, near, 10), photo(db, far, 60)])
    assert found(threshold=0.9) == [near]
    assert found(threshold=0.4) == [near, far]


def test_filtered_results_are_complete(db: Database, store: VectorStore, found: Found) -> None:
    dear = [product(db, n, price=500, category="coat") for n in range(40)]
    cheap = [product(db, 100 + n, price=50, category="dress") for n in range(10)]
    others = [product(db, n, brand="oysho", price=None, category=None) for n in range(10)]
    store.upsert(MODEL, [photo(db, id, at) for at, id in enumerate([*dear, *others, *cheap])])
    assert found(top_k=10, price_to=Decimal(50)) == cheap
    assert found(top_k=10, categories=("dress", "skirt")) == cheap
    assert found(top_k=10, brands=("oysho",)) == others
    assert found(top_k=5, brands=("zara",), price_from=Decimal("50.01"), categories=("coat",)) == dear[:5]
    assert found(top_k=10, brands=("oysho",), categories=("dress",)) == []


def test_categories_longer_than_an_index_entry_are_distinguished(
    db: Database, store: VectorStore, found: Found
) -> None:
    long = "coats and jackets " * 400
    one, other = product(db, 1, category=f"{long}a"), product(db, 2, category=f"{long}b")
    store.upsert(MODEL, [photo(db, one, 1), photo(db, other, 2)])
    assert found(categories=(f"{long}b",)) == [other]


def test_a_store_filter_uses_the_latest_stock_of_the_store(db: Database, store: VectorStore, found: Found) -> None:
    now, once, never, elsewhere = (product(db, number) for number in range(4))
    store.upsert(MODEL, [photo(db, id, at) for at, id in enumerate([once, never, elsewhere, now])])
    in_stock(db, now, 7, [], "2026-03-01 10:00+00")
    in_stock(db, now, 7, ["M"], "2026-03-02 10:00+00")
    in_stock(db, once, 7, ["M"], "2026-03-01 10:00+00")
    in_stock(db, once, 7, [], "2026-03-02 10:00+00")
    in_stock(db, elsewhere, 8, ["M"], "2026-03-02 10:00+00")
    assert found(in_stock_at=StoreKey("zara", 7)) == [now]
    assert found(in_stock_at=StoreKey("zara", 8), price_to=Decimal(100)) == [elsewhere]
    assert found(in_stock_at=StoreKey("oysho", 7)) == []
    assert found(in_stock_at=StoreKey("zara", 7), brands=("oysho",)) == []


def test_products_that_left_the_scope_are_not_found(db: Database, store: VectorStore, found: Found) -> None:
    products = [product(db, number) for number in range(6)]
    store.upsert(MODEL, [photo(db, id, at) for at, id in enumerate(products)])
    execute(db, "UPDATE raw_products SET active = false WHERE id = %s", products[0])
    execute(db, "UPDATE raw_products SET index_scope = 'off' WHERE id = %s", products[1])
    assert found(top_k=4) == products[2:]


def test_upserts_and_deletions_can_be_repeated(db: Database, store: VectorStore, found: Found) -> None:
    one, other = product(db, 1), product(db, 2)
    photos = [photo(db, one, 5), photo(db, one, 50, n=2), photo(db, other, 20)]
    for _ in range(2):
        store.upsert(MODEL, photos)
        assert (store.count(MODEL), store.count(MODEL, "zara"), store.count(MODEL, "oysho")) == (3, 3, 0)
    store.upsert(MODEL, [photo(db, one, 30)])  # another photo at the same position
    assert (found(), store.count(MODEL)) == ([other, one], 3)
    for _ in range(2):
        store.delete([one], keep=[(one, 2)])
        assert ([hit.n for hit in store.search(MODEL, direction(50))], store.count(MODEL)) == ([2, 1], 2)
    for _ in range(2):
        store.delete([one, other])
        assert (found(), store.count(MODEL)) == ([], 0)
    store.upsert(MODEL, [])
    store.delete([])


def test_photos_of_another_model_are_not_found(db: Database, store: VectorStore, found: Found) -> None:
    one, other = product(db, 1), product(db, 2)
    serve(db, "toy@2")
    store.upsert(MODEL, [photo(db, one, 5), photo(db, other, 6)])
    store.upsert("toy@2", [photo(db, one, 90)])
    assert found() == [one, other]
    assert [(hit.product_id, round(hit.score)) for hit in store.search("toy@2", direction(90))] == [(one, 1)]
    assert (store.count(MODEL), store.count("toy@2")) == (2, 1)
    store.delete([one])  # of all models
    assert (store.count(MODEL), store.count("toy@2")) == (1, 0)
    with pytest.raises(ModelReplaced, match="no longer uses toy@3"):
        store.search("toy@3", direction(0))


def test_a_rebuilt_index_returns_the_same_results(db: Database, store: VectorStore, found: Found) -> None:
    products = [product(db, number) for number in range(30)]
    photos = [photo(db, id, at) for at, id in enumerate(products)]
    store.upsert(MODEL, photos)
    PgvectorStore(db).upsert(MODEL, photos)  # the table from which every store is rebuilt
    assert store.rebuild(MODEL) == 30
    assert found(top_k=30) == products
