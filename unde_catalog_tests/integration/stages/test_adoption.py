"""Products whose objects another program stored: read once from our own storage, and never fetched again."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from PIL import Image

from unde_catalog.backends import Backends
from unde_catalog.stages.run import adopt_products, run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.photos import adoption
from unde_catalog.worker.report import RunOptions, StageReport

BUCKET = "https://unde-images.hel1.your-objectstorage.com"


def jpeg(colour: str, width: int = 120, height: int = 160) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(body, "JPEG")
    return body.getvalue()


def adopt(backends: Backends) -> StageReport:
    return adopt_products(StageRun("zara", backends, RunOptions(), logging.getLogger("test")))


def run(backends: Backends, stage: str) -> StageReport:
    return run_stage(stage, StageRun("zara", backends, RunOptions(), logging.getLogger("test")))


@pytest.fixture
def outside(backends: Backends) -> Iterator[psycopg.Connection[Any]]:
    """A connection of another program."""
    with psycopg.connect(backends.db.url, autocommit=True, prepare_threshold=None) as connection:
        yield connection


def put(backends: Backends, external_id: str, numbers: list[int], *, collage: bool = False) -> None:
    for n in numbers:
        backends.store.put(f"originals/zara/{external_id}/{n}.jpg", jpeg(f"#{n}0{n}0{n}0"), "image/jpeg")
    if collage:
        backends.store.put(f"collages/zara/{external_id}.jpg", jpeg("white", 300), "image/jpeg")


def insert(outside: psycopg.Connection[Any], external_id: str, status: str, **columns: Any) -> int:
    """A row as the deployed services leave it."""
    sources = [f"http://photos.example/{external_id}-{n}.jpg" for n in (1, 2, 3)]
    photos = [f"{BUCKET}/originals/zara/{external_id}/{n}.jpg" for n in (1, 2, 3)]
    values = {
        "image_urls": json.dumps(photos) if status in ("uploaded", "collage_ready") else None,
        "collage_url": f"{BUCKET}/collages/zara/{external_id}.jpg" if status == "collage_ready" else None,
        "index_scope": "pilot",
    } | columns
    row = outside.execute(
        "INSERT INTO raw_products (source, external_id, brand, scraped_at, image_status, original_image_urls,"
        " image_urls, collage_url, index_scope) VALUES ('apify_zara', %s, 'zara', now(), %s, %s, %s, %s, %s)"
        " RETURNING id",
        (external_id, status, json.dumps(sources), values["image_urls"], values["collage_url"], values["index_scope"]),
    ).fetchone()
    assert row is not None
    return row[0]


def due(outside: psycopg.Connection[Any], product_id: int) -> set[str]:
    rows = outside.execute("SELECT stage FROM due_work WHERE product_id = %s AND due_at IS NOT NULL", (product_id,))
    return {row[0] for row in rows}


def columns(outside: psycopg.Connection[Any], product_id: int, names: str) -> tuple[Any, ...]:
    row = outside.execute(f"SELECT {names} FROM raw_products WHERE id = %s".encode(), (product_id,)).fetchone()
    assert row is not None
    return row


def test_a_finished_product_is_recorded_as_it_is(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3], collage=True)
    product_id = insert(outside, "1", "collage_ready")
    before = columns(outside, product_id, "image_status, image_urls, collage_url, updated_at, ximilar_status")
    assert due(outside, product_id) == {"adoption", "ximilar_index", "visual_index", "production_catalog"}
    report = adopt(backends)
    assert (report.done, report.counts["photos_adopted"], report.counts["collages_adopted"]) == (1, 3, 1)
    assert columns(outside, product_id, "image_status, image_urls, collage_url, updated_at, ximilar_status") == before
    assert due(outside, product_id) == {"ximilar_index", "visual_index", "production_catalog"}
    rows = outside.execute(
        "SELECT n, source_url, state, key, sha256, width, height, bytes FROM product_photos ORDER BY n"
    ).fetchall()
    body = jpeg("#202020")
    assert rows[1] == (
        2, "http://photos.example/1-2.jpg", "stored", "originals/zara/1/2.jpg", hashlib.sha256(body).hexdigest(),
        120, 160, len(body),
    )  # fmt: skip
    assert outside.execute("SELECT key, width FROM product_collages").fetchall() == [("collages/zara/1.jpg", 300)]


def test_a_product_without_a_collage_gets_one(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3])
    product_id = insert(outside, "1", "uploaded")
    report = run(backends, "collages")  # adopts first
    assert (report.done, report.note) == (1, "")
    assert columns(outside, product_id, "image_status")[0] == "collage_ready"
    assert "originals" not in due(outside, product_id)


@pytest.mark.parametrize("damage", ["missing", "truncated", "html"])
def test_a_lost_photo_alone_is_due(backends: Backends, outside: psycopg.Connection[Any], damage: str) -> None:
    put(backends, "1", [1, 2, 3], collage=True)
    if damage == "missing":
        backends.store.delete(["originals/zara/1/2.jpg"])
    else:
        body = jpeg("red")[:-300] if damage == "truncated" else b"<html>not found</html>" * 100
        backends.store.put("originals/zara/1/2.jpg", body, "image/jpeg")
    product_id = insert(outside, "1", "collage_ready")
    report = adopt(backends)
    assert report.counts["photos_adopted"] == 2
    assert report.counts["photos_missing"] + report.counts["photos_damaged"] == 1
    assert due(outside, product_id) >= {"originals"}
    assert columns(outside, product_id, "image_status")[0] == "pending"
    assert [row[0] for row in outside.execute("SELECT n FROM product_photos ORDER BY n")] == [1, 3]


def test_a_lost_collage_is_made_again(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3])
    product_id = insert(outside, "1", "collage_ready")
    adopt(backends)
    assert columns(outside, product_id, "image_status, collage_url") == ("uploaded", None)
    assert run(backends, "collages").done == 1
    assert columns(outside, product_id, "image_status")[0] == "collage_ready"


def test_photos_that_no_row_names_are_not_fetched(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3])
    product_id = insert(outside, "1", "pending")
    outside.execute("SELECT make_due(%s, 'zara', 'adoption')", (product_id,))  # as the migration does
    assert adopt(backends).counts["photos_adopted"] == 3
    report = run(backends, "originals")
    assert (report.done, report.counts["photos_kept"], report.counts["photos_stored"]) == (1, 3, 0)
    assert columns(outside, product_id, "image_status")[0] == "uploaded"


def test_older_photos_of_a_reset_product_are_fetched(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3])
    product_id = insert(outside, "1", "pending", image_urls=json.dumps([f"{BUCKET}/originals/zara/1/1.jpg"]))
    outside.execute("SELECT make_due(%s, 'zara', 'adoption')", (product_id,))
    assert adopt(backends).counts["photos_adopted"] == 0
    assert "originals" in due(outside, product_id)


def test_an_upload_of_another_program_is_adopted(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    product_id = insert(outside, "1", "pending")
    assert due(outside, product_id) == {"originals"}
    put(backends, "1", [1, 2, 3])
    outside.execute(
        "UPDATE raw_products SET image_urls = %s, image_status = 'uploaded' WHERE external_id = '1'",
        (json.dumps([f"{BUCKET}/originals/zara/1/{n}.jpg" for n in (1, 2, 3)]),),
    )
    assert {"adoption", "collages"} <= due(outside, product_id) and "originals" not in due(outside, product_id)
    assert run(backends, "collages").done == 1
    assert columns(outside, product_id, "image_status")[0] == "collage_ready"


def test_an_overwritten_photo_is_recorded_anew(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3], collage=True)
    product_id = insert(outside, "1", "collage_ready")
    adopt(backends)
    outside.execute("UPDATE due_work SET due_at = NULL")
    backends.store.put("originals/zara/1/1.jpg", jpeg("blue"), "image/jpeg")
    outside.execute("UPDATE raw_products SET image_status = 'uploaded' WHERE id = %s", (product_id,))
    assert {"adoption", "collages"} <= due(outside, product_id)
    assert run(backends, "collages").done == 1
    sha256 = outside.execute("SELECT sha256 FROM product_photos WHERE n = 1").fetchone()
    assert sha256 == (hashlib.sha256(jpeg("blue")).hexdigest(),)
    assert {"ximilar_index", "visual_index"} <= due(outside, product_id)


def test_an_error_of_another_program_makes_photos_due(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    product_id = insert(outside, "1", "pending")
    outside.execute("UPDATE due_work SET due_at = NULL")
    outside.execute("UPDATE raw_products SET image_status = 'error', error_message = 'TimeoutError'")
    assert "originals" in due(outside, product_id)


def test_a_product_waits_for_its_adoption(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3])
    product_id = insert(outside, "1", "uploaded")
    with backends.db.transaction() as cursor:
        assert work_queue.take(cursor, "collages", "zara", 10, work_queue.timedelta(minutes=1)) == []
    assert "collages" in due(outside, product_id)


def test_a_product_collected_elsewhere_is_on_sale_again(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    product_id = insert(outside, "1", "pending")
    outside.execute("UPDATE raw_products SET active = false")
    outside.execute("UPDATE raw_products SET scraped_at = now() + interval '1 second', updated_at = now()")
    assert columns(outside, product_id, "active")[0] is True
    assert "originals" in due(outside, product_id)


def test_writes_of_other_programs_are_noted_by_stage(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    insert(outside, "1", "pending")
    outside.execute("UPDATE raw_products SET image_status = 'error'")
    with backends.db.transaction() as cursor:
        cursor.execute("UPDATE raw_products SET ximilar_status = 'synced'")  # by this project
    rows = outside.execute("SELECT brand, stage FROM outside_writes ORDER BY stage").fetchall()
    assert rows == [("zara", "originals"), ("zara", "raw_products")]


def test_sizes_can_be_trusted_and_hashed_later(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "1", [1, 2, 3], collage=True)
    put(backends, "2", [1, 3], collage=True)
    whole, partial = insert(outside, "1", "collage_ready"), insert(outside, "2", "collage_ready")
    report = adopt_products(StageRun("zara", backends, RunOptions(), logging.getLogger("test")), trust_sizes=True)
    assert (report.done, report.counts["photos_listed"], report.counts["photos_missing"]) == (2, 5, 1)
    rows = outside.execute("SELECT n, bytes, sha256 FROM product_photos WHERE product_id = %s ORDER BY n", (whole,))
    assert rows.fetchall() == [(n, len(jpeg(f"#{n}0{n}0{n}0")), None) for n in (1, 2, 3)]
    assert "originals" not in due(outside, whole) and "originals" in due(outside, partial)
    assert run(backends, "visual_index").done == 0  # waits until the photos are read
    assert adopt(backends).done == 0  # not before an hour has passed
    backends.db.run(adoption.bring_forward)
    assert adopt(backends).counts["photos_adopted"] == 5
    assert columns(outside, whole, "image_status, collage_url IS NOT NULL") == ("collage_ready", True)
    assert outside.execute("SELECT count(*) FROM product_photos WHERE sha256 IS NOT NULL").fetchone() == (5,)
