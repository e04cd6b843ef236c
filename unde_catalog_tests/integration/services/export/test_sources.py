from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.keys import original_key
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.exports import GREEN, RED, Marketplace, checkpoint, files, open_marketplace
from unde_catalog_tests.support.s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, running_rclone
from unde_catalog_tests.support.servers import Sandbox


@pytest.fixture
def bakai(db: Database, tmp_path: Path) -> Iterator[Marketplace]:
    with open_marketplace(db, tmp_path) as marketplace:
        yield marketplace


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox], bakai: Marketplace) -> Sandbox:
    """The sandbox in place of BakaiMarket."""
    running = start_sandbox()
    bakai.environment = {**running.environment, **bakai.environment}
    return running


def test_the_api_list_needs_no_database(bakai: Marketplace, sandbox: Sandbox) -> None:
    del bakai.environment["STAGING_DB_URL"]
    result = bakai.export("--from", "api", "--limit", "5", "--json")
    assert result.code == 0, result.err
    assert (result.totals["total"], result.totals["downloaded"]) == (5, 5)
    assert len(files(bakai.copy)) == 5
    assert not (bakai.folder / "home" / "postgres").exists()
    assert all(name.partition("/")[2].startswith("bakai_") for name in files(bakai.copy))
    again = bakai.export("--from", "api", "--limit", "5", "--json")
    assert (again.totals["downloaded"], again.totals["already_there"]) == (0, 5)


def test_wrong_api_keys_are_one_line(bakai: Marketplace, sandbox: Sandbox) -> None:
    result = bakai.export("--from", "api", BAKAI_CDN_SECRET_KEY="wrong")
    assert result.code == 1
    assert "BAKAI_CDN_SECRET_KEY" in result.err
    assert "Traceback" not in result.err


def test_a_private_bucket_uses_signed_urls_and_categories_of_staging(bakai: Marketplace, tmp_path: Path) -> None:
    bakai.add(2, GREEN, category="bags")
    with running_rclone(tmp_path / "s3") as rclone:
        for key in ("products/1/1.jpg", "products/1/2.jpg", "products/2/10.jpg", "products/2/2.jpg", "toys/3/1.jpg"):
            path = tmp_path / "s3" / BUCKET / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(GREEN if key.endswith("/2.jpg") else RED)
        (tmp_path / "s3" / BUCKET / "products" / ".DS_Store").write_text("hello")
        environment = {
            "BAKAI_S3_ENDPOINT": rclone.url, "BAKAI_S3_BUCKET": BUCKET,
            "BAKAI_S3_ACCESS_KEY": ACCESS_KEY, "BAKAI_S3_SECRET_KEY": SECRET_KEY, "PHOTO_ALLOW_PRIVATE_HOSTS": "false",
        }  # fmt: skip
        result = bakai.export("--from", "bucket", **environment)
        assert result.code == 0, result.err
        assert files(bakai.copy) == {
            "uncategorized/bakai_1.jpg": RED, "bags/bakai_2.jpg": GREEN, "toys/bakai_3.jpg": RED,
        }  # fmt: skip
        assert SECRET_KEY not in result.out + result.err
        assert bakai.export("--from", "bucket", "--all-photos", **environment).code == 0
    assert files(bakai.copy)["bags/bakai_2_2.jpg"] == RED


def test_the_object_store_can_be_copied_for_any_brand(bakai: Marketplace, db: Database) -> None:
    store = directory_store(bakai.folder / "home" / "objects")
    for external_id, n, photo in (("7", 10, RED), ("7", 2, GREEN), ("a/b", 1, RED), ("nobody", 1, RED)):
        store.put(original_key("zara", external_id, n), photo, "image/jpeg")
    store.put(original_key("oysho", "7", 1), RED, "image/jpeg")
    bakai.add("7", RED, brand="zara", external_id="7", category="dresses")
    bakai.add("x", RED, brand="zara", external_id="a/b", category="dresses")
    execute(
        db,
        "INSERT INTO product_photos (product_id, n, source_url, state, key, fetched_at)"
        " SELECT id, 1, 'x', 'stored', %s, now() FROM raw_products WHERE external_id = 'a/b'",
        original_key("zara", "a/b", 1),
    )
    result = bakai.export("--brand", "zara", "--from", "storage", "--all-photos")
    assert result.code == 0, result.err
    copied = files(bakai.copy)
    encoded = next(name for name in copied if name.startswith("dresses/a_b~"))
    assert copied == {
        "dresses/7.jpg": GREEN, "dresses/7_2.jpg": RED, encoded: RED, "uncategorized/nobody.jpg": RED,
    }  # fmt: skip
    assert checkpoint(bakai.copy) == (["7", "a/b", "nobody"], [])
    assert bakai.requested() == []


def test_a_brand_without_stored_objects_is_reported(bakai: Marketplace) -> None:
    directory_store(bakai.folder / "home" / "objects")
    result = bakai.export("--brand", "oysho", "--from", "storage")
    assert result.code == 1
    assert "there are no objects below originals/oysho" in result.err
