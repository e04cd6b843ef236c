import io
import json
import logging
from typing import Any

import pytest
from PIL import Image

from unde_catalog.backends import Backends
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport


def glue(backends: Backends, **options: Any) -> StageReport:
    return run_stage("collages", StageRun("zara", backends, RunOptions(**options), logging.getLogger("test")))


def jpeg(width: int, height: int, colour: str) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(body, "JPEG", quality=95)
    return body.getvalue()


def put_product(backends: Backends, external_id: str, photos: list[tuple[int, int, str]], **columns: Any) -> int:
    """Add a product with stored and recorded photos. Returns its id."""
    values = {
        "image_status": "uploaded",
        "original_image_urls": json.dumps([f"http://x/{n}" for n in range(9)]),
    } | columns
    with backends.db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO raw_products (source, external_id, brand, scraped_at, image_status, original_image_urls,"
            " collage_url) VALUES ('apify_zara', %s, 'zara', now(), %s, %s, %s) RETURNING id",
            (external_id, values["image_status"], values["original_image_urls"], values.get("collage_url")),
        )
        row = cursor.fetchone()
        assert row is not None
        for n, (width, height, colour) in enumerate(photos, start=1):
            key = f"originals/zara/{external_id}/{n}.jpg"
            backends.store.put(key, jpeg(min(width, 4000), height, colour), "image/jpeg")
            cursor.execute(
                "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, width, height, bytes,"
                " fetched_at) VALUES (%s, %s, 'http://x', 'stored', %s, %s, %s, %s, 1, now())",
                (row["id"], n, key, f"{external_id}{n}", width, height),
            )
    return row["id"]


def product(backends: Backends, product_id: int) -> dict[str, Any]:
    with backends.db.transaction() as cursor:
        cursor.execute("SELECT * FROM raw_products WHERE id = %s", (product_id,))
        row = cursor.fetchone()
    assert row is not None
    return row


def test_photos_are_placed_side_by_side_at_the_greatest_height(backends: Backends) -> None:
    one = put_product(backends, "1", [(100, 200, "red"), (100, 100, "blue")])
    assert glue(backends).done == 1
    row = product(backends, one)
    assert (row["image_status"], row["collage_url"]) == (
        "collage_ready",
        backends.store.public_url("collages/zara/1.jpg"),
    )
    with Image.open(io.BytesIO(backends.store.get("collages/zara/1.jpg"))) as collage:
        assert collage.size == (300, 200)
        red, blue = collage.getpixel((50, 100)), collage.getpixel((200, 100))
    assert isinstance(red, tuple) and isinstance(blue, tuple)
    assert red[0] > 240 and blue[2] > 240


def test_a_collage_too_wide_for_a_jpeg_is_given_up(backends: Backends) -> None:
    wide = put_product(backends, "1", [(4000, 50, "red")] * 5)
    with backends.db.transaction() as cursor:  # as tall as no real photo: the others are scaled to it
        cursor.execute(
            "UPDATE product_photos SET key = 'originals/zara/1/tall.jpg', width = 60, height = 900 WHERE n = 1"
        )
    backends.store.put("originals/zara/1/tall.jpg", jpeg(60, 900, "blue"), "image/jpeg")
    fine = put_product(backends, "2", [(100, 100, "red")])
    report = glue(backends)
    assert (report.done, dict(report.given_up)) == (1, {"too_wide": 1})
    assert product(backends, wide)["image_status"] == "uploaded"
    assert product(backends, wide)["error_message"].startswith("too_wide: ")
    assert product(backends, fine)["image_status"] == "collage_ready"


def test_a_photo_of_extreme_height_does_not_enlarge_the_others(backends: Backends) -> None:
    tall = put_product(backends, "1", [(64, 60_000, "red"), (1_000, 1_500, "blue")])
    report = glue(backends)
    assert (report.done, dict(report.given_up)) == (0, {"too_enlarged": 1})
    assert product(backends, tall)["error_message"].startswith("too_enlarged: 40064 x 60000 pixels")


def test_a_missing_original_fails_only_its_product(backends: Backends) -> None:
    put_product(backends, "1", [(100, 100, "red")])
    put_product(backends, "2", [(100, 100, "red")])
    backends.store.delete(["originals/zara/1/1.jpg"])
    report = glue(backends)
    assert (report.done, dict(report.later)) == (1, {"original_missing": 1})
    assert report.examples == {"original_missing": ["1"]}


def test_a_collage_is_deleted_with_the_last_photo(backends: Backends) -> None:
    one = put_product(backends, "1", [(100, 100, "red")])
    assert glue(backends).done == 1
    with backends.db.transaction() as cursor:
        cursor.execute("UPDATE raw_products SET original_image_urls = '[]' WHERE id = %s", (one,))
        cursor.execute("DELETE FROM product_photos WHERE product_id = %s", (one,))
        cursor.execute("UPDATE raw_products SET image_status = 'error' WHERE id = %s", (one,))  # as originals does
    assert glue(backends).done == 1
    assert not backends.store.exists("collages/zara/1.jpg")
    assert product(backends, one)["collage_url"] is None


def test_an_old_collage_without_recorded_photos_is_kept(backends: Backends) -> None:
    backends.store.put("collages/zara/1.jpg", jpeg(10, 10, "red"), "image/jpeg")
    one = put_product(backends, "1", [], collage_url="https://old/1.jpg")
    assert dict(glue(backends).given_up) == {"no_photo_rows": 1}
    assert backends.store.exists("collages/zara/1.jpg")
    assert product(backends, one)["collage_url"] == "https://old/1.jpg"


def test_a_product_that_exceeds_the_memory_budget_is_processed_alone(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(backends.settings.__dict__, "collage_memory_mb", 64)
    for number in range(6):
        put_product(backends, str(number), [(3000, 4000, "red")] * 2)
    assert glue(backends).done == 6


def test_an_unavailable_store_stops_the_stage_without_an_attempt(backends: Backends) -> None:
    put_product(backends, "1", [(100, 100, "red")])
    assert backends.store.exists("originals/zara/1/1.jpg")
    backends.objects_folder.rename(backends.objects_folder.with_name("elsewhere"))
    with pytest.raises(StageStopped, match="is its disk mounted"):
        glue(backends)
    with backends.db.transaction() as cursor:
        cursor.execute("SELECT attempts, lease_token, due_at IS NOT NULL AS due FROM due_work WHERE stage = 'collages'")
        assert cursor.fetchall() == [{"attempts": 0, "lease_token": None, "due": True}]
    backends.objects_folder.with_name("elsewhere").rename(backends.objects_folder)
    assert glue(backends).done == 1
