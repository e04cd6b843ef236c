"""Datasets as actors really fill them: an item a colour, items that failed at the source, texts that are too long."""

import pytest
from psycopg.types.json import Jsonb

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
    assert "30 of 100 items failed at the source or have no id: no product was marked inactive" in report.note
    assert (apify_brand.last_scrape()["state"], apify_brand.last_scrape()["reason"]) == ("partial", "failed_at_source")
    assert "is recent enough; force repeats it" in apify_brand.collect("again").note  # it is paid for once
    apify_brand.set_items([*items[:90], failed[0]])
    assert apify_brand.collect("third", force=True).counts["vanished"] == 10  # one in a hundred is usual


@pytest.mark.parametrize(
    "failed", [{"error": "blocked", "url": "https://shop.example/1"}, {"name": "SHIRT", "price": 9900}]
)
def test_items_that_do_not_say_which_product_failed_mark_nothing_inactive(
    apify_brand: ApifyBrand, failed: dict[str, object]
) -> None:
    apify_brand.set_items([item(n) for n in range(100)])
    apify_brand.collect()
    apify_brand.set_items([*(item(n) for n in range(80)), *[failed] * 20])
    assert apify_brand.collect("second", force=True).counts["vanished"] == 0
    assert apify_brand.last_scrape()["reason"] == "failed_at_source"


@pytest.mark.parametrize("failed", [{"id": 1, "error": "blocked"}, {"id": "1", "#error": True}, {"id": 1, "url": "x"}])
def test_an_item_that_failed_leaves_its_product_as_it_was(apify_brand: ApifyBrand, failed: dict[str, object]) -> None:
    others = [item(n) for n in range(2, 101)]
    apify_brand.set_items([item(1), *others])
    apify_brand.collect()
    before = apify_brand.rows()["1"]
    apify_brand.set_items([failed, *others])
    assert apify_brand.collect("second", force=True).given_up == {"failed_at_source": 1}
    after = apify_brand.rows()["1"]
    assert before["name"] and all(after[name] == before[name] for name in ("name", "price", "active", "raw_data"))


def test_what_is_cut_or_skipped_is_counted(apify_brand: ApifyBrand) -> None:
    one = item(1)
    one["name"] = "N" * 3_000
    one["colorsSizesImagesJSON"][0]["xmedia"] = ["//x.example/1.jpg", "https://x.example/v.mp4", 7]
    apify_brand.set_items([one])
    report = apify_brand.collect()
    found = counts(report)
    assert found == {"items": 1, "new": 1, "texts_cut": 1, "videos_skipped": 1, "media_unreadable": 1}
    assert "1 texts cut, 1 videos skipped, 1 media unreadable" in report.note


def priced(*prices: object) -> list[dict[str, object]]:
    return [item(n) | {"price": price} for n, price in enumerate(prices, start=1)]


def stored(apify_brand: ApifyBrand) -> list[str | None]:
    rows = apify_brand.query("SELECT price::text FROM raw_products ORDER BY external_id::bigint")
    return [row["price"] for row in rows]


def test_prices_with_fractions_make_a_dataset_one_of_dirhams(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items(priced("59.94", "119", 249, "79.5", " 35 ", "", None, "119.00"))
    report = apify_brand.collect()
    assert stored(apify_brand) == ["59.94", "119.00", "249.00", "79.50", "35.00", None, None, "119.00"]
    assert "3 prices have a fraction or a currency: all were read as dirhams, not fils" in report.note
    assert counts(report) == {"items": 8, "new": 8, "prices_in_dirhams": 6}


def test_a_price_in_another_notation_tells_the_unit_too(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items(priced("59,94", "1299", "AED 119", "1,299.00", "1.299,50", "1,200", "45 Dhs", "1.299"))
    assert apify_brand.collect().counts["prices_not_understood"] == 1
    expected = ["59.94", "1299.00", "119.00", "1299.00", "1299.50", "1200.00", "45.00", None]
    assert stored(apify_brand) == expected


@pytest.mark.parametrize("told", ["59,94", "$59.94", "AED 59", "USD 59"])
def test_one_price_that_is_no_fils_keeps_the_others_from_being_a_hundredth(apify_brand: ApifyBrand, told: str) -> None:
    apify_brand.set_items(priced(told, "1299"))
    apify_brand.collect()
    assert stored(apify_brand)[1] == "1299.00"


def test_the_brands_own_prices_tell_the_unit(apify_brand: ApifyBrand) -> None:
    fils = [9_900 + 100 * n for n in range(20)]
    apify_brand.set_items(priced(*fils))
    apify_brand.collect()
    before = stored(apify_brand)
    apify_brand.set_items(priced("99.00", *fils[1:]))  # one item in another unit
    report = apify_brand.collect("second", force=True)
    assert stored(apify_brand)[1:] == before[1:] and report.counts["prices_not_understood"] == 1
    apify_brand.set_items(priced(*(f"{one / 100:.2f}" for one in fils)))  # the actor changed its unit
    assert apify_brand.collect("third", force=True).counts["prices_in_dirhams"] == 20
    assert stored(apify_brand) == before


def test_whole_dirhams_are_told_by_the_brands_own_prices(apify_brand: ApifyBrand) -> None:
    fils = [9_900 + 100 * n for n in range(20)]
    apify_brand.set_items(priced(*fils))
    apify_brand.collect()
    before = stored(apify_brand)
    apify_brand.set_items(priced(*(one // 100 for one in fils)))
    report = apify_brand.collect("second", force=True)
    assert stored(apify_brand) == before and report.counts["prices_in_dirhams"] == 20
    assert "only as dirhams do the prices fit what the brand cost before" in report.note


def test_whole_dirhams_of_a_new_brand_are_held_back(apify_brand: ApifyBrand) -> None:
    apify_brand.query(
        "INSERT INTO raw_products (source, external_id, brand, scraped_at, price, currency)"
        " SELECT 'apify_oysho', n, 'oysho', now(), 100 + n, 'AED' FROM generate_series(1, 30) AS n"
    )
    apify_brand.set_items(priced(*range(100, 120)))
    report = apify_brand.collect()
    prices = apify_brand.query("SELECT DISTINCT price FROM raw_products WHERE brand = 'zara'")
    assert [row["price"] for row in prices] == [None] and report.counts["prices_in_doubt"] == 20
    assert "a hundredth of what other brands cost: no price was taken" in report.note
    apify_brand.set_items(priced(*range(10_000, 10_020)))
    apify_brand.collect("second", force=True)
    prices = apify_brand.query("SELECT min(price)::text AS least FROM raw_products WHERE brand = 'zara'")
    assert [row["least"] for row in prices] == ["100.00"]


def test_rejected_items_are_read_again_in_the_unit_of_their_scrape(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items(priced("59.94", "119"))
    apify_brand.collect()
    apify_brand.query(
        "INSERT INTO rejected_items (scrape_id, brand, position, external_id, reason, raw)"
        " SELECT id, brand, 99, '3', 'unknown', %s FROM scrapes",
        Jsonb(item(3) | {"price": "249"}),
    )
    apify_brand.collect("again", retry_failed=True)
    assert stored(apify_brand) == ["59.94", "119.00", "249.00"]


def test_prices_that_fit_no_unit_are_held_back(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items(priced(*range(9_900, 9_920)))
    apify_brand.collect()
    apify_brand.set_items(priced(*(f"{n}.5" for n in range(900_000, 900_020))))
    report = apify_brand.collect("second", force=True)
    assert set(stored(apify_brand)) == {None} and report.counts["prices_in_doubt"] == 20
    assert "no price was taken; check the actor's output" in report.note


def test_whole_numbers_with_a_point_are_still_fils(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items(priced(69900.0, 4900, "17900"))
    assert counts(apify_brand.collect()) == {"items": 3, "new": 3}
    assert stored(apify_brand) == ["699.00", "49.00", "179.00"]
