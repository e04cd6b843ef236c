"""Adoption of rows and objects that are not as the deployed services should have left them."""

import io
import json
import logging
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from PIL import Image

from unde_catalog.backends import Backends
from unde_catalog.stages.run import adopt_products
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.deployed_products import BUCKET, adopt, columns, due, insert, jpeg, put, run

PHOTOS = [f"{BUCKET}/originals/zara/1/{n}.jpg" for n in (1, 2, 3)]


def recorded(outside: psycopg.Connection[Any], product_id: int) -> list[tuple[int, str]]:
    return outside.execute(
        "SELECT n, key FROM product_photos WHERE product_id = %s AND state = 'stored' ORDER BY n", (product_id,)
    ).fetchall()


@pytest.mark.parametrize(
    "image_urls",
    [
        PHOTOS[::-1],
        [PHOTOS[0], *PHOTOS],
        [f"{url}?v=3" for url in PHOTOS],
        [url.replace(BUCKET, "http://cdn.example/unde-images") for url in PHOTOS],
        [f"http://cdn.example/zara/1-{n}.jpg" for n in (1, 2, 3)],
        ["http://[broken/originals/zara/1/1.jpg", None, 3],
        json.dumps(PHOTOS),
        {"1": PHOTOS[0]},
        [],
        None,
    ],
    ids=["order", "twice", "query", "host", "elsewhere", "junk", "text", "object", "empty", "null"],
)
def test_stored_photos_are_found_whatever_the_row_names(
    backends: Backends, outside: psycopg.Connection[Any], image_urls: object
) -> None:
    put(backends, "1", [1, 2, 3], collage=True)
    product_id = insert(outside, "1", "collage_ready", image_urls=json.dumps(image_urls))
    assert adopt(backends).done == 1
    assert recorded(outside, product_id) == [(n, f"originals/zara/1/{n}.jpg") for n in (1, 2, 3)]
    assert "originals" not in due(outside, product_id)
    run(backends, "ximilar_index")  # reads the same columns
    assert columns(outside, product_id, "image_status")[0] == "collage_ready"


def test_photos_of_a_deeper_folder_belong_to_another_product(
    backends: Backends, outside: psycopg.Connection[Any]
) -> None:
    put(backends, "1", [1])
    put(backends, "1/2", [1, 2, 3])
    first = insert(outside, "1", "uploaded", image_urls=json.dumps(PHOTOS[:1]))
    second = insert(outside, "1/2", "uploaded")
    adopt(backends)
    assert recorded(outside, first) == [(1, "originals/zara/1/1.jpg")]
    assert len(recorded(outside, second)) == 3


@pytest.mark.parametrize("external_id", ["AB 12", "Größe 3", "a.5"])
def test_objects_under_unusual_keys_are_adopted(
    backends: Backends, outside: psycopg.Connection[Any], sandbox: Any, external_id: str
) -> None:
    folder = backends.settings.home / "objects" / "originals" / "zara" / external_id
    folder.mkdir(parents=True)
    for n in (1, 2, 3):
        (folder / f"{n}.jpg").write_bytes(jpeg("red"))
    product_id = insert(outside, external_id, "uploaded")
    report = adopt(backends)
    assert report.counts["photos_adopted"] == 3
    assert run(backends, "collages").done == 1
    run(backends, "originals")
    assert columns(outside, product_id, "image_status")[0] == "collage_ready"
    urls = columns(outside, product_id, "image_urls")[0]
    assert len(urls) == 3 and ((" " not in url and "ö" not in url) for url in urls)
    assert sandbox.log("photo") == []


def test_an_unusual_key_is_found_when_sizes_are_trusted(backends: Backends, outside: psycopg.Connection[Any]) -> None:
    put(backends, "a.5", [1, 2, 3])
    product_id = insert(outside, "a.5", "uploaded")
    adopt_products(StageRun("zara", backends, RunOptions(), logging.getLogger("test")), trust_sizes=True)
    assert len(recorded(outside, product_id)) == 3
    assert "originals" not in due(outside, product_id)


def test_a_product_without_status_that_names_photos_is_adopted(
    backends: Backends, outside: psycopg.Connection[Any]
) -> None:
    put(backends, "1", [1, 2, 3])
    stored = insert(outside, "1", None, image_urls=json.dumps(PHOTOS))
    new = insert(outside, "2", None)
    outside.execute("SELECT make_due(id, 'zara', 'adoption') FROM raw_products")  # as the migration does
    assert adopt(backends).done == 2
    assert columns(outside, stored, "image_status") == ("uploaded",)
    assert "collages" in due(outside, stored) and "originals" not in due(outside, stored)
    assert columns(outside, new, "image_status") == ("pending",)
    assert "originals" in due(outside, new)


def picture(kind: str, mode: str = "RGB", turned: int = 1) -> bytes:
    body, exif = io.BytesIO(), Image.Exif()
    exif[0x112] = turned
    Image.new("RGB", (120, 160), "red").convert(mode).save(body, kind, exif=exif)
    return body.getvalue()


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (picture("PNG"), (120, 160)),
        (picture("WEBP"), (120, 160)),
        (picture("JPEG", "CMYK"), (120, 160)),
        (picture("JPEG", turned=6), (160, 120)),
        (jpeg("red", 1, 1), None),
        (b"", None),
    ],
    ids=["png", "webp", "cmyk", "turned", "one pixel", "empty"],
)
def test_a_picture_of_another_kind_is_adopted_if_it_is_whole(
    backends: Backends, outside: psycopg.Connection[Any], body: bytes, size: tuple[int, int] | None
) -> None:
    put(backends, "1", [1, 2, 3])
    backends.store.put("originals/zara/1/1.jpg", body, "image/jpeg")
    product_id = insert(outside, "1", "uploaded")
    adopt(backends)
    found = outside.execute("SELECT width, height FROM product_photos WHERE n = 1").fetchone()
    assert found == size
    if size is None:
        assert "originals" in due(outside, product_id)
    else:
        assert run(backends, "collages").done == 1 and run(backends, "visual_index").done == 1


@pytest.mark.parametrize(
    ("body", "is_whole"),
    [(jpeg("white", 65_500, 60), True), (jpeg("white", 300)[:-200], False), (picture("PNG"), False)],
    ids=["65,500 pixels", "truncated", "png"],
)
def test_a_collage_that_can_not_be_used_is_made_again(
    backends: Backends,
    outside: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    is_whole: bool,
) -> None:
    put(backends, "1", [1, 2, 3])
    backends.store.put("collages/zara/1.jpg", body, "image/jpeg")
    product_id = insert(outside, "1", "collage_ready")
    report = adopt(backends)
    assert (report.counts["collages_adopted"], report.counts["photos_damaged"]) == (int(is_whole), 0)
    assert ("damaged collages/zara/1.jpg" in caplog.text) is not is_whole
    assert ("collages" in due(outside, product_id)) is not is_whole


@pytest.mark.parametrize("brand", ["zara", "*"])
def test_a_deployed_downloader_does_not_fetch_what_is_stored(
    backends: Backends, outside: psycopg.Connection[Any], brand: str
) -> None:
    backends.db.run(pauses.pause, brand, "originals", "a deployed service does this")
    put(backends, "1", [1, 3], collage=True)
    product_id = insert(outside, "1", "collage_ready")
    adopt(backends)
    # It fetches all photos of what is pending.
    assert columns(outside, product_id, "image_status") == ("collage_ready",)
    assert "originals" in due(outside, product_id)  # for when the stage is handed over


def synced(numbers: Sequence[int]) -> dict[str, str]:
    """Columns of a product with these photos in Ximilar."""
    urls = json.dumps([f"{BUCKET}/originals/zara/1/{n}.jpg" for n in numbers])
    return {"ximilar_status": "synced", "ximilar_synced_urls": urls, "ximilar_synced_at": "2026-11-01T00:00:00Z"}


def test_nothing_is_replaced_in_ximilar_while_a_photo_is_fetched(
    backends: Backends, outside: psycopg.Connection[Any], sandbox: Any
) -> None:
    put(backends, "1", [2, 3], collage=True)
    product_id = insert(outside, "1", "collage_ready", **synced([1, 2]))
    outside.execute("SELECT make_due(%s, 'zara', 'ximilar_index')", (product_id,))
    adopt(backends)
    assert "originals" in due(outside, product_id)
    assert not {"ximilar_index", "visual_index"} & due(outside, product_id)
    run(backends, "ximilar_index")
    assert sandbox.log("ximilar.delete") == [] and sandbox.log("ximilar.insert") == []
