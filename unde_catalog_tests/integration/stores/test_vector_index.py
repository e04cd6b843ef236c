"""The HNSW index: how far a search follows it, when it compares all vectors instead, and how it is rebuilt."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg.errors import DiskFull

from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stores.db import bloat
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import vectors
from unde_catalog.stores.staging.index.embeddings import NewEmbedding, write
from unde_catalog.stores.staging.index.product_filters import EVERYTHING, Filters
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.vector_rows import MODEL, direction, serve

pytestmark = pytest.mark.slow

NEAR, FAR = 120, 30  # coats near the query, and dresses farther away


@pytest.fixture
def dresses(db: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the dresses, nearest first. Each product has two photos, and the index returns ten at a time."""
    monkeypatch.setattr(vectors, "EXACT_PRODUCTS", 0)
    monkeypatch.setattr(vectors, "FETCH_SIZE", 10)
    serve(db)
    values: dict[str, Any] = {"image_status": "uploaded", "index_scope": "pilot"}
    coats = add_products(db, NEAR, category="coat", price=50, **values)
    dresses = add_products(db, FAR, first=NEAR + 1, category="dress", price=100, **values)
    degrees = {id: position / 10 for position, id in enumerate([*coats, *dresses])}
    photos = [(id, NewEmbedding(n, f"{id}-{n}", direction(at + n / 100))) for id, at in degrees.items() for n in (1, 2)]
    db.run(write, MODEL, photos)
    return dresses


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Has an entry for each search that compared all matching vectors."""
    calls: list[bool] = []
    compare = vectors._search_exact

    def noting(*arguments: object) -> list[vectors.Hit]:
        calls.append(True)
        return compare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(vectors, "_search_exact", noting)
    return calls


def _found(db: Database, filters: Filters, top_k: int) -> list[int]:
    return [hit.product_id for hit in db.run(vectors.search, MODEL, direction(0), filters, top_k)]


def test_a_search_continues_until_there_are_enough_products(
    db: Database, dresses: list[int], compared: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_VISITS_PER_PRODUCT", 1_000)  # comparing all is never cheaper
    assert _found(db, Filters(categories=("dress",)), 20) == dresses[:20]
    assert _found(db, Filters(categories=("dress",), price_from=Decimal(100)), 3) == dresses[:3]
    assert len(_found(db, EVERYTHING, 40)) == 40
    assert not compared


def test_few_matches_far_away_are_compared_directly(db: Database, dresses: list[int], compared: list[bool]) -> None:
    assert _found(db, Filters(categories=("dress",)), 20) == dresses[:20]
    assert compared == [True]
    assert len(_found(db, Filters(categories=("coat",)), 20)) == 20
    assert compared == [True]


def test_a_search_along_the_index_is_bounded(
    db: Database, dresses: list[int], compared: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_VISITS_PER_PRODUCT", 1_000)
    monkeypatch.setattr(vectors, "_MAX_VISITED", 50)
    assert _found(db, Filters(categories=("dress",)), 5) == dresses[:5]
    assert compared == [True]


def test_two_searches_can_be_in_one_transaction(db: Database, dresses: list[int]) -> None:
    with db.transaction() as cursor:
        one, other = (vectors.search(cursor, MODEL, direction(0), EVERYTHING, 10) for _ in range(2))
    assert len(one) == 10
    assert one == other


def test_a_rebuild_without_enough_shared_memory_uses_one_process(
    db: Database, dresses: list[int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: list[str] = []
    reindex = bloat.reindex

    def in_a_small_container(connection: bloat.Connection, name: str) -> None:
        row = connection.execute("SHOW max_parallel_maintenance_workers").fetchone()
        assert row is not None
        workers.append(row["max_parallel_maintenance_workers"])
        if workers[-1] != "0":
            raise DiskFull("could not resize shared memory segment")
        reindex(connection, name)

    monkeypatch.setattr(bloat, "reindex", in_a_small_container)
    assert PgvectorStore(db, server.past_poolers(db.url)).rebuild(MODEL) == 2 * (NEAR + FAR)
    assert workers[1:] == ["0", "0"]
    assert len(_found(db, EVERYTHING, 20)) == 20


def test_a_build_gets_memory_for_all_photos_or_the_servers_default(
    db: Database, dresses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def memory(kilobytes: int) -> int:
        monkeypatch.setattr(vectors, "_BUILD_KB_PER_PHOTO", kilobytes)
        with db.transaction() as cursor:
            cursor.execute("SET LOCAL maintenance_work_mem = '10MB'")
            vectors.set_build_memory(cursor)
            cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'maintenance_work_mem'")
            row = cursor.fetchone()
            cursor.execute("RESET maintenance_work_mem")
        assert row is not None
        return row["setting"]

    assert memory(1) == 10_240
    assert memory(1_000) == 1_000 * 2 * (NEAR + FAR)
    assert memory(1_000_000) == 2_000_000


def test_the_index_has_more_links_than_the_default_after_a_rebuild(
    db: Database, dresses: list[int], server: Server
) -> None:
    def links() -> list[list[str]]:
        rows = execute(db, "SELECT reloptions FROM pg_class WHERE relname = ANY(%s)", list(vectors.INDEXES))
        return [sorted(row["reloptions"]) for row in rows]

    assert links() == [["ef_construction=128", "m=24"]] * 2
    PgvectorStore(db, server.past_poolers(db.url)).rebuild(MODEL)
    assert links() == [["ef_construction=128", "m=24"]] * 2
