"""The visual index compared with the catalogue, and the `vectors` commands."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from qdrant_client import QdrantClient

from unde_catalog.backends import Backends
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.operations.quality.visual_index import index_agrees
from unde_catalog.operations.upkeep.tables import maintain
from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stages.visual_index.qdrant import ALIAS, QdrantStore, open_qdrant, point_id
from unde_catalog.stages.visual_index.stage import VisualIndexStage
from unde_catalog.stages.visual_index.vector_store import NO_PGVECTOR, PhotoVector, VectorStoreUnavailable
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.index import counts, embeddings, models
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import execute, is_due
from unde_catalog_tests.support.due import run as run_handler
from unde_catalog_tests.support.servers import PROJECT, Server
from unde_catalog_tests.support.vector_rows import MODEL, direction, photo, product, serve
from unde_catalog_tests.support.visual_index import VisualCatalogue


@pytest.fixture
def visual(backends: Backends) -> VisualCatalogue:
    return VisualCatalogue(backends)


def agrees(visual: VisualCatalogue, mirrored: int | None = None) -> CheckResult:
    return index_agrees("zara", visual.db.run(counts.counts, "zara"), mirrored)


def test_an_index_with_every_photo_of_its_scope_agrees(visual: VisualCatalogue) -> None:
    assert agrees(visual).message == "No product of zara is in the index's scope yet."
    visual.add("red", "green")
    outside = visual.add("blue", scope="off")
    visual.run()
    waiting = visual.add("black")
    found = agrees(visual)
    assert found.passed and found.message == (
        f"2 of 2 photos of zara are in the index, embedded by {Descriptor.name}. 1 product waits or fails."
    )
    assert found.figures == {"photos": 2, "embedded": 2, "left_over": 0, "waiting": 1}
    visual.run()
    visual.set(waiting, active=False)
    visual.set(outside, index_scope="pilot")
    assert agrees(visual).passed  # due work is not a difference
    visual.run()
    assert agrees(visual).passed and agrees(visual).figures["photos"] == 3


def test_missing_changed_and_leftover_photos_are_differences(visual: VisualCatalogue) -> None:
    one, other = visual.add("red", "green"), visual.add("blue")
    visual.run()
    execute(visual.db, "DELETE FROM product_embeddings WHERE product_id = %s AND n = 1", one)
    found = agrees(visual)
    assert not found.passed and "2 of 3 photos of zara" in found.message
    assert "Run visual_index of zara with force" in found.message
    visual.run(force=True)
    execute(visual.db, "UPDATE product_embeddings SET sha256 = 'another' WHERE product_id = %s", other)
    assert "2 of 3 photos" in agrees(visual).message and not agrees(visual).passed
    visual.run(force=True)
    execute(visual.db, "DELETE FROM product_photos WHERE product_id = %s", other)
    execute(visual.db, "UPDATE due_work SET due_at = NULL")
    assert (
        "Embeddings of photos that the catalogue no longer has: 1." in agrees(visual).message
        and not agrees(visual).passed
    )
    visual.run(force=True)
    assert agrees(visual).passed


def test_a_server_without_pgvector_fails_unless_qdrant_is_used(visual: VisualCatalogue) -> None:
    visual.add("red", scope="pilot")
    visual.run()
    execute(visual.db, "DROP INDEX idx_product_embeddings_0, idx_product_embeddings_1")
    execute(visual.db, "ALTER TABLE product_embeddings ALTER embedding TYPE real[] USING embedding::real[]")
    execute(visual.db, "DROP EXTENSION vector")
    found = agrees(visual)
    assert not found.passed and NO_PGVECTOR in found.message
    assert agrees(visual, mirrored=1).passed
    assert "Qdrant has 0 vectors instead of 1: run unde-catalog vectors rebuild" in agrees(visual, 0).message


def test_embeddings_that_an_installed_pgvector_does_not_use_fail_the_check(
    visual: VisualCatalogue, server: Server
) -> None:
    visual.add("red", scope="pilot")
    visual.run()
    execute(visual.db, "DROP INDEX idx_product_embeddings_0, idx_product_embeddings_1")
    execute(visual.db, "ALTER TABLE product_embeddings ALTER embedding TYPE real[] USING embedding::real[]")
    found = agrees(visual)
    assert not found.passed and "has the extension pgvector, but keeps the embeddings as real[]" in found.message
    names = [one.name for one in maintain(server.past_poolers(visual.db.url)).tables if "searchable" in one.action]
    assert names == ["product_embeddings"]
    assert agrees(visual).passed


def unde_catalog(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **extra}
    command = [sys.executable, "-c", "from unde_catalog.cli.app import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_vectors_status_rebuild_and_stop(visual: VisualCatalogue, server: Server) -> None:
    assert (
        unde_catalog("vectors", "rebuild").stderr.strip()
        == "the visual index is empty: run unde-catalog run visual_index"
    )
    visual.add("red", "green")
    visual.run()
    visual.db.run(models.begin, "descriptor@next")
    status = unde_catalog("vectors", "status").stdout.splitlines()
    assert status == [f"{Descriptor.name}: in use, 2 photos", "descriptor@next: being built, 0 photos"]
    owner = server.past_poolers(visual.db.url)
    done = unde_catalog("vectors", "rebuild", BACKUP_DB_URL=owner)
    assert done.stdout.strip() == f"The index has 2 photos of {Descriptor.name}.", done.stderr
    assert unde_catalog("vectors", "stop").stdout.strip() == "Stopped building descriptor@next."
    assert unde_catalog("vectors", "stop").stdout.strip() == "No model is being built."
    failed = unde_catalog("vectors", "rebuild", QDRANT_URL="http://127.0.0.1:9")
    assert failed.returncode == 1 and "Qdrant (QDRANT_URL) can't be used" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.fixture
def qdrant(db: Database) -> QdrantStore:
    """The client's in-memory implementation."""
    return QdrantStore(QdrantClient(":memory:"), db)


def names(qdrant: QdrantStore) -> tuple[list[str], dict[str, str]]:
    client = qdrant._client
    aliases = {one.alias_name: one.collection_name for one in client.get_aliases().aliases}
    return sorted(one.name for one in client.get_collections().collections), aliases


def test_qdrant_contains_all_indexed_products_with_their_payload(visual: VisualCatalogue, qdrant: QdrantStore) -> None:
    pilot, ours = visual.add("red", "green", scope="pilot", price="49.90"), visual.add("blue", scope="off")
    handler = VisualIndexStage(Descriptor(), visual.backends.store, qdrant, take_limit=10, memory_mb=64)
    run(visual, handler)
    assert [len(visual.rows(one)) for one in (pilot, ours)] == [2, 0]
    points, _ = qdrant._client.scroll(f"{ALIAS}-descriptor-1", with_payload=True)
    assert sorted(str(point.payload["n"]) for point in points if point.payload) == ["1", "2"]
    payload = next(point.payload for point in points if point.payload and point.payload["n"] == 1)
    assert {name: payload[name] for name in ("external_id", "original_id", "category", "brand", "price")} == {
        "external_id": "1", "original_id": "1", "category": "dress", "brand": "zara", "price": 49.9,
    }  # fmt: skip
    visual.set(pilot, price=60)
    visual.set_photos(pilot, "green")
    visual.set(ours, index_scope="pgvector")  # the scope of the marketplace: searched, and not sent to Ximilar
    run(visual, handler)
    points, _ = qdrant._client.scroll(f"{ALIAS}-descriptor-1", with_payload=True)
    found = sorted((point.payload["product_id"], point.payload["price"]) for point in points if point.payload)
    assert found == [(pilot, 60.0), (ours, 100.0)]
    visual.set(pilot, index_scope="off")
    visual.set(ours, active=False)
    run(visual, handler)
    assert (qdrant.count(Descriptor.name), len(visual.rows(pilot)), len(visual.rows(ours))) == (0, 0, 0)


def run(visual: VisualCatalogue, handler: VisualIndexStage) -> None:
    visual.db.run(models.begin, Descriptor.name)
    report = run_handler(visual.db, handler)  # type: ignore[arg-type]
    assert not report.failed and not report.still_due


def test_a_points_id_follows_from_product_and_position(db: Database) -> None:
    one = photo(db, product(db, 7), 10)
    assert point_id(one) == point_id(photo(db, one.product_id, 99, sha256="changed"))  # replaces it
    assert point_id(one) != point_id(photo(db, one.product_id, 10, n=2))
    assert replace(one, source="bakai", external_id="bakai_77").original_id == "77"


def test_a_rebuild_fills_an_empty_qdrant_and_removes_strangers(db: Database, qdrant: QdrantStore) -> None:
    serve(db)
    searched = [product(db, number) for number in range(5)]
    outside = product(db, 10, index_scope="off")
    rows = [(id, embeddings.NewEmbedding(1, str(id), direction(id))) for id in (*searched, outside)]
    db.run(embeddings.write, MODEL, rows)
    stranger = photo(db, product(db, 20), 1)
    qdrant.upsert(MODEL, [stranger])
    with pytest.raises(VectorStoreUnavailable, match="run unde-catalog vectors rebuild"):
        QdrantStore(QdrantClient(":memory:"), db).search(MODEL, direction(0))
    assert qdrant.rebuild(MODEL) == 5
    assert [hit.product_id for hit in qdrant.search(MODEL, direction(0))] == searched


def test_a_photo_that_is_embedded_during_a_rebuild_stays(
    db: Database, qdrant: QdrantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(db)
    first, late = photo(db, product(db, 1), 1), photo(db, product(db, 2), 2)
    rows = [(one.product_id, embeddings.NewEmbedding(1, one.sha256, one.vector)) for one in (first, late)]
    db.run(embeddings.write, MODEL, rows[:1])
    page = embeddings.page

    def beside_a_run(cursor: Cursor, *which: Any) -> list[PhotoVector]:
        photos = page(cursor, *which)
        if not photos:
            qdrant.upsert(MODEL, [late])
            embeddings.write(cursor, MODEL, rows[1:])
        return photos

    monkeypatch.setattr(embeddings, "page", beside_a_run)
    assert qdrant.rebuild(MODEL) == 2


def test_qdrants_alias_follows_the_serving_model(db: Database, qdrant: QdrantStore) -> None:
    serve(db)
    serve(db, "toy@2")
    one = product(db, 1)
    for model in (MODEL, "toy@2"):
        qdrant.upsert(model, [photo(db, one, 1)])
    qdrant.serve(MODEL)
    assert names(qdrant) == ([f"{ALIAS}-toy-1", f"{ALIAS}-toy-2"], {ALIAS: f"{ALIAS}-toy-1"})
    db.run(models.enqueue_missing)
    db.run(models.switch, "toy@2")
    qdrant.serve("toy@2")
    qdrant.serve("toy@2")
    assert names(qdrant) == ([f"{ALIAS}-toy-2"], {ALIAS: f"{ALIAS}-toy-2"})


def test_an_unreachable_qdrant_is_reported_without_its_credentials(visual: VisualCatalogue) -> None:
    one = visual.add("red", scope="pilot")
    store = open_qdrant("http://user:hunter2@127.0.0.1:9", None, visual.db)
    with pytest.raises(VectorStoreUnavailable, match=r"Qdrant \(QDRANT_URL\) can't be used: ") as down:
        store.count(Descriptor.name)
    assert "hunter2" not in str(down.value) and "\n" not in str(down.value)
    visual.db.run(models.begin, Descriptor.name)
    handler = VisualIndexStage(Descriptor(), visual.backends.store, store, take_limit=10, memory_mb=64)
    with pytest.raises(StageStopped, match="visual_index of zara stopped: Qdrant"):
        run_handler(visual.db, handler)  # type: ignore[arg-type]
    assert is_due(visual.db, one, "visual_index") and visual.rows(one) == []
