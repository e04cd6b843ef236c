"""The model of the index, and servers with and without vector search."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stages.visual_index.vector_store import EVERYTHING, Filters, VectorStoreUnavailable
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import models, vectors
from unde_catalog.stores.staging.index.models import Models
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.due import add_products, execute, is_due
from unde_catalog_tests.support.explain import ExplainingCursor, assert_no_seq_scan
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.vector_rows import MODEL, direction, photo, product, serve

NEW = "toy@2"


def test_the_first_model_serves_at_once_and_a_second_is_built_beside_it(db: Database) -> None:
    assert db.run(models.begin, MODEL) == Models(serving=MODEL)
    assert db.run(models.begin, MODEL) == Models(serving=MODEL)
    assert db.run(models.begin, NEW) == Models(serving=MODEL, building=NEW)
    assert db.run(models.begin, "toy@3") == Models(serving=MODEL, building=NEW)


def test_a_new_model_makes_all_indexed_products_due_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "CHUNK", 2)
    inside = [product(db, number) for number in range(4)]
    outside = [product(db, 10, index_scope="off"), product(db, 11, image_status="pending"), product(db, 12)]
    execute(db, "UPDATE raw_products SET active = false WHERE id = %s", outside[2])
    execute(db, "UPDATE due_work SET due_at = NULL")
    serve(db)
    assert not db.run(models.enqueue_missing)  # products are due for the first model by rule
    serve(db, NEW)
    assert [db.run(models.enqueue_missing) for _ in range(3)] == [True, True, False]
    assert all(is_due(db, id, "visual_index") for id in inside)
    assert not any(is_due(db, id, "visual_index") for id in outside)
    execute(db, "UPDATE due_work SET due_at = NULL")
    assert not db.run(models.enqueue_missing)
    assert not any(is_due(db, id, "visual_index") for id in inside)


def test_the_new_model_serves_when_it_covers_what_the_old_one_did(db: Database, server: Server) -> None:
    store = PgvectorStore(db)
    one, other, broken = (product(db, number) for number in range(3))
    serve(db)
    store.upsert(MODEL, [photo(db, id, 10) for id in (one, other, broken)])
    serve(db, NEW)
    while db.run(models.enqueue_missing):
        pass
    store.upsert(NEW, [photo(db, one, 20)])
    assert db.run(models.switch, NEW) == 2
    execute(db, "UPDATE due_work SET attempts = 1 WHERE product_id = %s AND stage = 'visual_index'", broken)
    assert db.run(models.switch, NEW) == 1
    store.upsert(NEW, [photo(db, other, 20)])
    assert db.run(models.switch, NEW) is None
    assert db.run(models.current) == Models(serving=NEW, old=MODEL)
    after, calls = 0, 0
    while (gone := db.run(models.clear_old, after)) is not None:
        after, calls = gone, calls + 1
    assert (db.run(models.current), calls) == (Models(serving=NEW), 1)
    assert (store.count(MODEL), store.count(NEW)) == (0, 2)
    assert [hit.product_id for hit in store.search(NEW, direction(20))] == [one, other]


def test_a_build_can_be_cancelled(db: Database) -> None:
    serve(db)
    serve(db, NEW)
    assert db.run(models.stop_building) == NEW
    assert db.run(models.current) == Models(serving=MODEL, old=NEW)
    assert db.run(models.begin, "toy@3") == Models(serving=MODEL, old=NEW)  # its rows must be deleted first
    assert db.run(models.clear_old, 0) is None
    assert db.run(models.stop_building) is None
    assert db.run(models.begin, "toy@3") == Models(serving=MODEL, building="toy@3")


def test_embeddings_are_kept_on_any_server_and_searched_with_pgvector(each_db: Database, each_server: Server) -> None:
    serve(each_db)
    one = product(each_db, 1)
    store = PgvectorStore(each_db, each_server.past_poolers(each_db.url))
    store.upsert(MODEL, [photo(each_db, one, 10)])
    assert store.count(MODEL) == 1
    (row,) = execute(each_db, "SELECT count(*) AS n FROM pg_available_extensions WHERE name = 'vector'")
    if row["n"]:
        assert [hit.product_id for hit in store.search(MODEL, direction(0))] == [one]
        return
    for use in (lambda: store.search(MODEL, direction(0)), lambda: store.rebuild(MODEL)):
        with pytest.raises(VectorStoreUnavailable, match="install the extension pgvector"):
            use()


def test_embeddings_from_before_pgvector_are_searched_after_a_rebuild(db: Database, server: Server) -> None:
    serve(db)
    execute(db, "DROP INDEX idx_product_embeddings_0, idx_product_embeddings_1")
    execute(db, "ALTER TABLE product_embeddings ALTER embedding TYPE real[] USING embedding::real[]")
    execute(db, "DROP EXTENSION vector")
    store = PgvectorStore(db, server.past_poolers(db.url))
    one = product(db, 1)
    store.upsert(MODEL, [photo(db, one, 10)])
    with pytest.raises(VectorStoreUnavailable):
        store.search(MODEL, direction(0))
    assert store.rebuild(MODEL) == 1
    assert [hit.product_id for hit in store.search(MODEL, direction(0))] == [one]


@pytest.mark.parametrize("later", [False, True])
def test_pgvector_in_another_schema_is_found_and_used(server: Server, later: bool) -> None:
    url = server.new_database(migrated=False)
    with psycopg.connect(server.direct_url(url), autocommit=True) as admin:
        install = 'CREATE SCHEMA "My extensions"; CREATE EXTENSION vector SCHEMA "My extensions"'
        if later:
            STAGING.upgrade(url, "0014")
            admin.execute("CREATE EXTENSION vector")
            STAGING.upgrade(url, "0021")
            admin.execute("DROP INDEX idx_product_embeddings_0, idx_product_embeddings_1")
            admin.execute("ALTER TABLE product_embeddings ALTER embedding TYPE real[] USING embedding::real[]")
            admin.execute("DROP EXTENSION vector")
        admin.execute(install.encode())
        STAGING.upgrade(url)
        admin.execute('GRANT USAGE ON SCHEMA "My extensions" TO PUBLIC')
    with Database(url) as db:
        serve(db)
        store = PgvectorStore(db, server.past_poolers(url))
        one = product(db, 1)
        store.upsert(MODEL, [photo(db, one, 10)])
        assert [hit.product_id for hit in store.search(MODEL, direction(0))] == [one]
        assert store.rebuild(MODEL) == 1
    server.drop(url)


class _Explaining(ExplainingCursor):
    """Going on with a cursor has no plan of its own."""

    def execute(self, query: Any, values: Any = None) -> Any:
        if isinstance(query, sql.Composed) or query.startswith("CLOSE"):
            return self._cursor.execute(query, values)
        return super().execute(query, values)


@pytest.mark.parametrize("statistics", [False, True])
def test_a_search_uses_the_index_and_a_narrow_one_reads_only_matches(
    db: Database, monkeypatch: pytest.MonkeyPatch, statistics: bool
) -> None:
    monkeypatch.setattr(vectors, "EXACT_PRODUCTS", 100)
    serve(db)
    execute(db, "DROP INDEX idx_product_embeddings_0")  # built at once, it takes a tenth of the time
    add_products(db, 1_500, image_status="uploaded", index_scope="pilot", category="dress", price=100)
    add_products(db, 20, "oysho", image_status="uploaded", index_scope="pilot", category="dress", price=100)
    execute(
        db,
        "INSERT INTO product_embeddings SELECT p.id, 1, %s, 0, p.id::text, now(),"
        " (SELECT array_agg(sin(p.id * k)) FROM generate_series(1, 512) AS k)::real[] FROM raw_products p",
        MODEL,
    )
    db.run(vectors.prepare)
    if statistics:
        execute(db, "ANALYZE raw_products, product_embeddings")
    with db.transaction() as cursor:
        broad, narrow = _Explaining(cursor), _Explaining(cursor)
        for filters in (EVERYTHING, Filters(brands=("zara",), price_to=Decimal(100), categories=("dress",))):
            assert len(vectors.search(broad, MODEL, direction(0), filters, 20)) == 20  # type: ignore[arg-type]
        oysho = Filters(brands=("oysho",))
        assert len(vectors.search(narrow, MODEL, direction(0), oysho, 20)) == 20  # type: ignore[arg-type]
    assert_no_seq_scan(broad, allowed=("embedding_models", "raw_products"))  # which reads only a few rows
    assert sum("idx_product_embeddings_0" in plan for plan in broad.plans) == 2
    assert_no_seq_scan(narrow, allowed=("embedding_models",))
