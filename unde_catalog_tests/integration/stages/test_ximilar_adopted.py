"""Records of the collection that another program inserted: adopted, never bought again, replaced with their photo."""

import base64
import json

import pytest

from unde_catalog.stages.ximilar_index.listing import CollectionListing
from unde_catalog.stores.objects.keys import key_in_url
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.ximilar_index import PHOTOS, XimilarIndex


def sent_by_another(index: XimilarIndex, product: int, *record_ids: str, n: int = 1, sku_id: str | None = "") -> str:
    """Insert records of a product's photo as the deployed service does, and let the row name it. Returns its URL."""
    row = execute(index.db, "SELECT external_id, image_urls FROM raw_products WHERE id = %s", product)[0]
    url = row["image_urls"][n - 1]
    fields = {"_url": url, "_base64": base64.b64encode(PHOTOS["red"]).decode()}
    if sku_id is not None:
        fields["sku_id"] = sku_id or row["external_id"]
    index.api.insert([{"_id": id, **fields} for id in record_ids])
    execute(
        index.db,
        "UPDATE raw_products SET ximilar_status = 'synced', ximilar_synced_at = clock_timestamp(),"
        " ximilar_synced_urls = ximilar_synced_urls || %s::jsonb WHERE id = %s",
        json.dumps([url]), product,
    )  # fmt: skip
    return url


@pytest.mark.parametrize("sku_id", ["", None])
def test_a_record_of_another_program_is_adopted(index: XimilarIndex, sku_id: str | None) -> None:
    product = index.add("red")
    sent_by_another(index, product, "old", sku_id=sku_id)
    report = index.run()
    assert (report.counts["records_adopted"], report.counts["records_inserted"]) == (1, 0)
    assert list(index.collection()) == ["old"]


def test_a_changed_photo_replaces_the_adopted_record(index: XimilarIndex) -> None:
    product = index.add("red")
    sent_by_another(index, product, "old")
    index.run()
    index.set_photos(product, "blue")
    assert index.run().counts["records_inserted"] == 1
    assert len(index.collection()) == 1 and "old" not in index.collection()


def test_a_second_record_of_a_photo_is_deleted(index: XimilarIndex) -> None:
    product = index.add("red")
    sent_by_another(index, product, "old", "older")
    report = index.run()
    assert (report.counts["records_deleted"], report.counts["records_inserted"]) == (1, 0)
    assert list(index.collection()) == ["old"]
    index.set_photos(product, "blue")
    index.run()
    assert len(index.collection()) == 1


def test_what_was_sent_after_the_listing_is_found(index: XimilarIndex) -> None:
    listing = CollectionListing(index.api, index.db)
    first, second = index.add("red"), index.add("red")
    sent_by_another(index, first, "first")

    def adopted(product: int) -> list[str]:
        row = execute(index.db, "SELECT * FROM raw_products WHERE id = %s", product)[0]
        urls = row["ximilar_synced_urls"]
        keys = [key_in_url(url) or "" for url in urls]
        records = listing.adopt(row["external_id"], (), urls, keys, row["ximilar_synced_at"])
        return [record.id for record in records]

    assert adopted(first) == ["first"]
    sent_by_another(index, second, "second")
    assert adopted(second) == ["second"]
    index.api.delete(["first"])
    pages = len(index.sandbox.log("ximilar.allRecords"))
    assert adopted(first) == ["first"]  # of the listing: nothing says that it changed
    assert len(index.sandbox.log("ximilar.allRecords")) == pages


def test_records_beyond_a_target_of_none_stay(index: XimilarIndex) -> None:
    product = index.add("red", ximilar_target_count=0)
    sent_by_another(index, product, "old")
    index.run()
    assert index.status(product) == ("synced", 1)
    assert list(index.collection()) == ["old"]
