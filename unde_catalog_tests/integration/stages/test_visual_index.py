"""The visual_index stage on photo files, with the built-in descriptor."""

from collections import Counter

import numpy as np
import pytest

from unde_catalog.backends import Backends
from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stages.visual_index.model_image import model_image
from unde_catalog.stages.visual_index.open_store import open_store
from unde_catalog.stages.visual_index.stage import VisualIndexStage
from unde_catalog.stores.staging.index import models
from unde_catalog.stores.staging.index.models import Models
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import due_row, execute, is_due
from unde_catalog_tests.support.due import run as run_handler
from unde_catalog_tests.support.visual_index import PHOTOS, VisualCatalogue

MODEL = Descriptor.name
NEW = "descriptor@of tests"
STAGE = "visual_index"


@pytest.fixture
def visual(backends: Backends, no_lease_is_left: None) -> VisualCatalogue:
    return VisualCatalogue(backends)


def counts(report, *names: str) -> tuple[int, ...]:
    return tuple(report.counts[f"photos_{name}"] for name in names)


def test_photos_are_embedded_once_and_found(visual: VisualCatalogue) -> None:
    red, blue = visual.add("red", "black"), visual.add("blue")
    report = visual.run()
    assert (report.done, *counts(report, "embedded", "reused", "removed")) == (2, 3, 0, 0)
    assert report.note == f"embedded by {MODEL}"
    assert visual.rows(red) == [(1, MODEL), (2, MODEL)]
    image = model_image(PHOTOS["blue"])
    vector = Descriptor().embed_images([image])[0].tolist()  # type: ignore[list-item]
    hits = open_store(visual.backends).search(MODEL, vector)
    assert [hit.product_id for hit in hits] == [blue, red]
    assert hits[0].score == pytest.approx(1, abs=0.001)
    assert visual.run().done == 0
    assert visual.run(force=True).counts["photos_embedded"] == 3  # forced


def test_photos_outside_the_scope_are_not_embedded(visual: VisualCatalogue) -> None:
    outside = [visual.add("red", scope="off"), visual.add("red", active=False)]
    pilot = visual.add("red", scope="pilot")
    assert visual.run().done == 1
    assert [len(visual.rows(product)) for product in (*outside, pilot)] == [0, 0, 1]


def test_a_photo_shared_by_products_is_embedded_once(visual: VisualCatalogue) -> None:
    first = [visual.add("red", "green") for _ in range(3)]
    report = visual.run()
    assert counts(report, "embedded", "reused") == (2, 4)
    later = visual.add("green", "blue")
    assert counts(visual.run(), "embedded", "reused") == (1, 1)
    rows = execute(
        visual.db,
        "SELECT embedding::real[] AS v FROM product_embeddings WHERE n = 2 AND product_id = ANY(%s)"
        " UNION ALL SELECT embedding::real[] FROM product_embeddings WHERE n = 1 AND product_id = %s",
        first, later,
    )  # fmt: skip
    assert len(rows) == 4 and all(np.array_equal(rows[0]["v"], row["v"]) for row in rows)


def test_changed_photos_are_embedded_again_and_removed_ones_deleted(visual: VisualCatalogue) -> None:
    product = visual.add("red", "green", "blue")
    visual.run()
    visual.set_photos(product, "red", "black")
    assert counts(visual.run(), "embedded", "reused", "removed") == (1, 0, 1)
    assert visual.rows(product) == [(1, MODEL), (2, MODEL)]
    visual.set_photos(product, "black", "red")  # in a new order
    assert counts(visual.run(), "embedded", "reused", "removed") == (0, 2, 0)
    visual.set_photos(product)
    assert counts(visual.run(), "embedded", "removed") == (0, 2)
    assert visual.rows(product) == []


def test_products_leave_the_index_with_the_scope_and_return(visual: VisualCatalogue) -> None:
    products = [visual.add("red"), visual.add("green"), visual.add("blue")]
    visual.run()
    visual.set(products[0], active=False)
    visual.set(products[1], index_scope="off")
    visual.set(products[1], price=7)  # without effect outside the scope
    visual.set(products[0], name="sold out", price=8)
    report = visual.run()
    assert (report.done, report.counts["photos_removed"]) == (2, 2)
    assert [len(visual.rows(product)) for product in products] == [0, 0, 1]
    visual.set(products[0], active=True)
    visual.set(products[1], index_scope="pilot")
    assert visual.run().done == 2
    assert [len(visual.rows(product)) for product in products] == [1, 1, 1]


def test_changes_that_do_not_affect_the_index_make_nothing_due(visual: VisualCatalogue) -> None:
    product = visual.add("red")
    visual.run()
    visual.set(product, image_status="collage_ready", name="another", sync_status="pending", description="new")
    assert not is_due(visual.db, product, STAGE)
    for change in ({"price": 5}, {"category": "skirt"}, {"index_scope": "pilot"}):
        visual.set(product, **change)
        assert is_due(visual.db, product, STAGE), change
        assert counts(visual.run(), "embedded", "reused", "removed") == (0, 0, 0)
    visual.set(product, image_status="pending")
    assert not is_due(visual.db, product, STAGE)  # its old photos stay in the index until the new ones are stored
    visual.set(product, image_status="uploaded")
    assert is_due(visual.db, product, STAGE)


def test_a_missing_or_truncated_photo_fails_only_its_product(visual: VisualCatalogue) -> None:
    fine, gone, broken = visual.add("red"), visual.add("green"), visual.add("blue")
    visual.backends.store.delete([visual.key(gone, 1)])
    visual.store(broken, 1, PHOTOS["blue"][:600])
    report = visual.run()
    assert (report.done, report.later) == (1, Counter(original_missing=1, original_truncated=1))
    visual.retry()
    assert visual.retry().given_up == Counter(original_missing=1, original_truncated=1)
    assert visual.rows(fine) and not visual.rows(gone)
    visual.set_photos(gone, "green")
    visual.set_photos(broken, "blue")
    assert visual.run().done == 2


def test_a_new_model_is_built_beside_the_serving_one_and_replaces_it(
    visual: VisualCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = [visual.add(colour) for colour in ("red", "green", "blue")]
    visual.run()
    monkeypatch.setattr(Descriptor, "name", NEW)
    visual.set(products[0], price=5)
    report = visual.run(limit=2)
    assert report.note == f"embedded by {NEW} (1 product left); {MODEL} is in use until all products are embedded"
    assert visual.db.run(models.current) == Models(serving=MODEL, building=NEW)
    assert visual.rows(products[0]) == [(1, MODEL), (1, NEW)]
    visual.set(products[1], active=False)  # it leaves both models
    monkeypatch.setattr(Descriptor, "name", MODEL)
    with pytest.raises(StageStopped, match="is being built beside.*set the same EMBEDDING_MODEL and CLIP_MODEL_DIR"):
        visual.run()
    monkeypatch.setattr(Descriptor, "name", NEW)
    assert visual.run().note == f"embedded by {NEW}"
    assert visual.db.run(models.current) == Models(serving=NEW)
    assert [visual.rows(product) for product in products] == [[(1, NEW)], [], [(1, NEW)]]


def test_a_new_model_serves_only_after_all_brands_are_embedded(
    visual: VisualCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    visual.add("red")
    other = visual.add("green")
    execute(visual.db, "UPDATE raw_products SET brand = 'oysho' WHERE id = %s", other)
    visual.run()
    visual.run("oysho")
    monkeypatch.setattr(Descriptor, "name", NEW)
    visual.set(1, price=1)
    visual.run()
    assert visual.db.run(models.current).serving == MODEL
    visual.run("oysho")
    assert visual.db.run(models.current) == Models(serving=NEW)


def test_a_run_with_the_old_model_releases_work_for_the_new_one(
    visual: VisualCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = visual.add("red")
    visual.run()
    visual.set(product, price=5)
    visual.db.run(models.begin, NEW)  # during that run
    late = VisualIndexStage(Descriptor(), visual.backends.store, None, take_limit=10, memory_mb=64)
    with pytest.raises(StageStopped, match=f"photos are now embedded by {NEW}"):
        run_handler(visual.db, late)  # type: ignore[arg-type]
    assert is_due(visual.db, product, STAGE)
    monkeypatch.setattr(Descriptor, "name", NEW)
    visual.run()
    assert visual.rows(product) == [(1, NEW)]


def test_an_object_that_differs_from_its_row_is_not_embedded(visual: VisualCatalogue) -> None:
    product = visual.add("red")
    visual.backends.store.put(visual.key(product, 1), PHOTOS["blue"], "image/jpeg")
    assert visual.run().later == Counter(original_changed=1)
    assert visual.rows(product) == []


def test_an_unavailable_model_stops_the_stage_unless_it_is_auto(
    visual: VisualCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = visual.add("red")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    clip = visual.backends.settings.model_copy(update={"embedding_model": "clip"})
    auto, visual.backends.settings = visual.backends.settings, clip
    with pytest.raises(StageStopped, match="CLIP can't be downloaded .* or set EMBEDDING_MODEL=descriptor") as stopped:
        visual.run()
    assert "\n" not in str(stopped.value)
    assert due_row(visual.db, product, STAGE)["attempts"] == 0  # type: ignore[index]  not a fault of the product
    visual.backends.settings = auto
    assert visual.run().note == f"embedded by {MODEL}"
    visual.set(product, price=5)
    visual.backends.settings = clip  # a configured model that is unavailable changes nothing
    with pytest.raises(StageStopped):
        visual.run()
    assert visual.db.run(models.current) == Models(serving=MODEL)


def test_without_pgvector_photos_are_embedded_and_a_note_advises(visual: VisualCatalogue) -> None:
    execute(visual.db, "DROP INDEX idx_product_embeddings_0, idx_product_embeddings_1")
    execute(visual.db, "ALTER TABLE product_embeddings ALTER embedding TYPE real[] USING embedding::real[]")
    execute(visual.db, "DROP EXTENSION vector")
    product = visual.add("red")
    report = visual.run()
    assert report.done == 1 and "install the extension pgvector" in report.note
    assert visual.rows(product) == [(1, MODEL)]
