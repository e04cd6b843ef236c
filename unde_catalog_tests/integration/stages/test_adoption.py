"""Products whose objects another program stored: read once from our own storage, and never fetched again."""

import hashlib
import json
import logging
from typing import Any

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.stages.run import adopt_products
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.photos import adoption
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.deployed_products import BUCKET, adopt, columns, due, insert, jpeg, put, run


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


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("image_status = 'uploaded', updated_at = now()", "uploaded"),
        ("collage_url = collage_url || '?2', image_status = 'collage_ready'", "collage_ready"),
        ("original_image_urls = '[\"http://photos.example/new.jpg\"]'", "pending"),
        ("image_status = 'error', error_message = 'TimeoutError'", "error"),
    ],
    ids=["downloader", "collage", "collector", "failed"],
)
def test_a_write_during_the_adoption_of_its_product_counts(
    backends: Backends,
    outside: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    expected: str,
) -> None:
    put(backends, "1", [1, 2, 3], collage=True)
    product_id = insert(outside, "1", "collage_ready")
    real_get, written = backends.store.get, []

    def get(key: str) -> bytes:
        body = real_get(key)
        if not written:
            written.append(key)
            backends.store.put("originals/zara/1/1.jpg", jpeg("blue"), "image/jpeg")  # the first is read already
            outside.execute(f"UPDATE raw_products SET {statement} WHERE id = %s".encode(), (product_id,))
        return body

    monkeypatch.setattr(backends.store, "get", get)
    adopt(backends)
    assert columns(outside, product_id, "image_status") == (expected,)
    if expected in ("uploaded", "collage_ready"):
        adopt(backends)  # due again
        sha256 = outside.execute("SELECT sha256 FROM product_photos WHERE n = 1").fetchone()
        assert sha256 == (hashlib.sha256(jpeg("blue")).hexdigest(),)
        assert "originals" not in due(outside, product_id)
    else:
        assert "originals" in due(outside, product_id)
