"""Datasets as actors really fill them: an item a colour, items that failed at the source, texts that are too long."""

from unde_catalog_tests.support.apify_brand import ApifyBrand, counts, item


def test_items_with_a_colour_each_are_stored_as_one_product(apify_brand: ApifyBrand) -> None:
    black, teal = item(1), item(1)
    black["colors"], teal["colors"] = "Black", "Teal"
    for one, colour in ((black, "Black"), (teal, "Teal")):
        one["colorsSizesImagesJSON"] = [{"id": colour, "name": colour, "xmedia": [f"https://x.example/{colour}.jpg"]}]
    apify_brand.set_items([black, teal, item(2)])
    assert counts(apify_brand.collect()) == {"items": 3, "new": 2, "repeated": 1}
    row = apify_brand.query("SELECT * FROM raw_products WHERE external_id = '1'")[0]
    assert (row["colour"], row["original_image_urls"]) == (
        "Black, Teal", ["https://x.example/Black.jpg", "https://x.example/Teal.jpg"]
    )  # fmt: skip
    assert [colour["name"] for colour in row["raw_data"]["colorsSizesImagesJSON"]] == ["Black", "Teal"]
    apify_brand.set_items([item(2), teal, black])
    assert counts(apify_brand.collect("second", force=True)) == {"items": 3, "unchanged": 2, "repeated": 1}


def test_many_items_that_failed_at_the_source_mark_nothing_inactive(apify_brand: ApifyBrand) -> None:
    items = [item(n) for n in range(100)]
    apify_brand.set_items(items)
    apify_brand.collect()
    failed = [{"#error": True, "#debug": {"url": f"https://shop.example/{n}"}} for n in range(30)]
    apify_brand.set_items([*items[:70], *failed])
    report = apify_brand.collect("second", force=True)
    assert report.given_up == {"failed_at_source": 30}
    assert report.counts["vanished"] == 0
    assert "30 of 100 items failed at the source: no product was marked inactive" in report.note
    assert (apify_brand.last_scrape()["state"], apify_brand.last_scrape()["reason"]) == ("partial", "failed_at_source")
    apify_brand.set_items([*items[:90], failed[0]])
    assert apify_brand.collect("third", force=True).counts["vanished"] == 10  # one in a hundred is usual


def test_what_is_cut_or_skipped_is_counted(apify_brand: ApifyBrand) -> None:
    one = item(1)
    one["name"] = "N" * 3_000
    one["colorsSizesImagesJSON"][0]["xmedia"] = ["//x.example/1.jpg", "https://x.example/v.mp4", 7]
    apify_brand.set_items([one])
    report = apify_brand.collect()
    found = counts(report)
    assert found == {"items": 1, "new": 1, "texts_cut": 1, "videos_skipped": 1, "media_unreadable": 1}
    assert "1 texts cut, 1 videos skipped, 1 media unreadable" in report.note
