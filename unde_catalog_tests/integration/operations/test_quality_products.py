"""The rules about prices, photos and Ximilar's records on real rows; another brand changes no result.

Rules about the stages of a brand are in `test_quality.py`.
"""

from pathlib import Path

import pytest

from unde_catalog.operations.quality import (
    blank_photos,
    collection,
    prices,
    same_photo,
)
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stages.ximilar_index.client import LocalPace, Ximilar
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.staging.index import ximilar_records
from unde_catalog.stores.staging.photos import blanks, duplicates
from unde_catalog.stores.staging.reports import price_changes
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.quality import add_photos, add_whole, reprice
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.unit.drawn_photos import detailed, plain, saved, stored

LIMITS = CheckFields()


def priced(db: Database, brand: str = "zara") -> CheckResult:
    return prices.prices(brand, db.run(price_changes.price_changes, brand, LIMITS.check_price_factor), LIMITS)


def shared(db: Database, brand: str = "zara") -> CheckResult:
    return same_photo.same_photo(brand, db.run(duplicates.same_photos, brand), LIMITS)


def test_a_price_outlier_is_reported_and_a_sale_is_not(db: Database) -> None:
    ids = add_whole(db, 40)
    reprice(db, ids[:20], "0.3")
    found = priced(db)
    assert found.passed
    assert found.message == "20 prices of 40 changed in the last 14 days, none by more than a factor of 5."
    reprice(db, ids[39:], "8")
    found = priced(db)
    assert (found.passed, found.urgency) == (False, "warn")
    assert "1 by more than a factor of 5 (40 from 100.00 to 800.00). Compare the prices" in found.message


def test_many_hundredfold_prices_are_an_alert(db: Database) -> None:
    add_whole(db, 40, "oysho")
    ids = add_whole(db, 40)
    reprice(db, ids[:1], "0.01")
    found = priced(db)
    assert (found.passed, found.urgency) == (
        False,
        "warn",
    ) and "1 changed by a factor of 100, which suggests fils" in found.message
    reprice(db, ids[1:30], "100")
    found = priced(db)
    assert (found.passed, found.urgency) == (False, "alert") and "fils are read as dirhams" in found.message
    assert len(found.table) == 10
    assert priced(db, "oysho").passed


def test_an_old_price_change_does_not_count(db: Database) -> None:
    ids = add_whole(db, 12)
    reprice(db, ids, "100")
    execute(db, "UPDATE price_history SET seen_at = seen_at - interval '20 days'")
    assert priced(db).passed


def test_a_placeholder_on_many_products_is_found(db: Database) -> None:
    ids = add_whole(db, 30)
    add_photos(db, ids[:18])
    add_photos(db, ids[18:20], "a" * 64)
    found = shared(db)
    assert found.passed and found.message == "2 of the 30 newest products share a photo with another product."
    add_photos(db, ids[20:], "b" * 64)
    found = shared(db)
    assert not found.passed and "originals/zara/21/1.jpg is on 10 of them" in found.message
    assert "force and product_ids" in found.message
    add_photos(db, add_whole(db, 5, "oysho"), "b" * 64)
    assert shared(db, "oysho").passed


@pytest.mark.parametrize("size", [(64, 64), (330, 501), (1_000, 1_500)])
def test_a_wholly_transparent_picture_is_found(db: Database, tmp_path: Path, size: tuple[int, int]) -> None:
    store = directory_store(tmp_path)
    pictures = {
        1: saved(plain((9, 9, 9, 0), size, "RGBA"), "PNG"),
        2: saved(plain((240, 240, 240), size)),  # a placeholder of the source
        3: saved(detailed(size), "PNG"),
        4: saved(detailed(size)),
    }
    ids = add_whole(db, 5)
    add_photos(db, ids)
    execute(db, "UPDATE product_photos SET bytes = 900")  # the object of the last one is missing
    for n, picture in pictures.items():
        image = stored(picture)
        store.put(f"originals/zara/{n}/1.jpg", image.data, "image/jpeg")
        execute(
            db, "UPDATE product_photos SET width = %s, height = %s, bytes = %s WHERE product_id = %s",
            image.width, image.height, len(image.data), ids[n - 1],
        )  # fmt: skip
    found = blank_photos.blank_photos(db.run(blanks.small_photos, "zara"), lambda: store)
    assert not found.passed and found.message.startswith("2 of 5 photos of the newest products have one colour only.")
    assert {row["product"] for row in found.table} == {"1", "2"}
    assert blank_photos.blank_photos(db.run(blanks.small_photos, "oysho"), lambda: store).passed


def test_products_listed_twice_fail_the_check_when_they_are_many(db: Database) -> None:
    ids = add_whole(db, 24)
    for n in range(0, 24, 2):
        add_photos(db, ids[n : n + 2], f"{n:064}")
    found = shared(db)
    assert not found.passed and "24 of the 24" in found.message and "CHECK_MAX_SAME_PHOTO_SHARE" in found.message


def test_the_newest_products_of_a_big_brand_are_compared(db: Database) -> None:
    ids = add_whole(db, 20)
    add_photos(db, ids, "c" * 64)
    assert db.run(duplicates.same_photos, "zara", 5).most_shared[0].products == 5


def test_ximilars_records_are_compared_with_the_catalogues(db: Database, sandbox: Sandbox) -> None:
    environment = sandbox.environment
    name = environment["XIMILAR_COLLECTION_ID"]
    api = Ximilar(
        environment["XIMILAR_API_URL"], environment.get("XIMILAR_PREFIX", "/similarity/fashion-new/v2/"),
        environment["XIMILAR_API_TOKEN"], name, LocalPace(1_000), tries=1,
    )  # fmt: skip
    assert collection.check_collection(api, db, "zara").passed
    (product,) = add_products(db, 1)
    records = [{"_id": f"apify_zara:1:{n}", "_base64": _PIXELS} for n in range(3)]
    api.insert(records)
    found = collection.check_collection(api, db, "zara")
    assert not found.passed and "Ximilar has 3 records; the catalogue knows of 0." in found.message
    for record in records:
        execute(
            db,
            "INSERT INTO ximilar_records VALUES (%s, %s, %s, 1, 'x', 'x', '{}', 'there', now(), now())",
            name, record["_id"], product,
        )  # fmt: skip
    found = collection.check_collection(api, db, "zara")
    assert found.passed and "3 of 3 sampled records of zara's 3 exist" in found.message
    api.delete([records[0]["_id"]])
    found = collection.check_collection(api, db, "zara")
    assert not found.passed and "Ximilar has 2 records; the catalogue knows of 3." in found.message
    assert "run ximilar_index of zara with force" in found.message
    assert found.table == [{"missing": "apify_zara:1:0"}]
    sandbox.control(ximilar={"token": "another"})
    found = collection.check_collection(api, db, "zara")
    assert not found.passed and "could not be counted" in found.message and "XIMILAR_API_TOKEN" in found.message
    assert db.run(ximilar_records.count_records, name, "oysho", 50).of_brand == 0


def _pixels() -> str:
    import base64
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


_PIXELS = _pixels()
