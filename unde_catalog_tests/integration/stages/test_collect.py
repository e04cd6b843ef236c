"""Collecting from the sandbox's Apify into a real PostgreSQL: merging, counting, and marking products inactive.

Paying once is tested in `test_collect_once.py`, failures of Apify and killed processes in `test_collect_trouble.py`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unde_catalog.stages.raw_products.apify_item import read_item
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.products import ingest, rejected_items
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog_tests.support.apify_brand import ApifyBrand, counts, item
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.unit.odd_items import odd_items


def test_an_item_becomes_a_row_that_other_systems_can_read(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([item(7, price="69900", colors="Black ", category="woman-outerwear")])
    apify_brand.collect()
    row = apify_brand.rows()["7"]
    assert (row["source"], row["brand"], str(row["price"]), row["currency"]) == ("apify_zara", "zara", "699.00", "AED")
    assert (row["name"], row["colour"], row["sizes"], row["composition"]) == (
        "SHIRT 7",
        "Black",
        "S, M",
        '{"parts": []}',
    )
    assert (row["image_status"], row["active"], row["index_scope"]) == ("pending", True, "off")
    assert row["original_image_urls"][0].endswith("00000000007-p.jpg?ts=1&w=1920")
    assert row["raw_data"]["price"] == "69900"


def test_items_are_counted_by_what_happened_to_their_products(apify_brand: ApifyBrand) -> None:
    all_items = [item(n) for n in range(1, 2501)]
    apify_brand.set_items(all_items)
    first = apify_brand.collect()
    assert counts(first) == {"items": 2500, "new": 2500}
    gone, changed, back = {5, 1500, 2400}, {7, 999, 1001, 2500}, {1500}
    apify_brand.set_items([one for one in all_items if one["id"] not in gone])
    second = apify_brand.collect("second", force=True)
    assert counts(second) == {"items": 2497, "unchanged": 2497, "vanished": 3}
    third_items = [item(n, price=1) if n in changed else item(n) for n in range(1, 2501) if n not in gone - back]
    apify_brand.set_items([*third_items, "17", item(3000), '"text"'])
    third = apify_brand.collect("third", force=True)
    assert counts(third) == {
        "items": 2501, "new": 1, "changed": 4, "returned": 1, "unchanged": 2493, "rejected": 2,
    }  # fmt: skip
    assert (third.done, third.given_up) == (2499, {"not_an_object": 2})
    assert "2501 items: 1 new, 4 changed, 2493 unchanged, 1 returned, 2 rejected" in third.sentence()
    active = {key for key, row in apify_brand.rows().items() if row["active"]}
    assert active == {str(n) for n in range(1, 2501) if n not in gone - back} | {"3000"}
    assert apify_brand.paid_runs() == 3


def test_an_unchanged_product_only_gets_a_new_scraped_at(apify_brand: ApifyBrand) -> None:
    apify_brand.collect()
    apify_brand.query("UPDATE raw_products SET image_status = 'uploaded', error_message = 'x' WHERE external_id = '3'")
    before = apify_brand.rows()
    apify_brand.collect("second", force=True)
    after = apify_brand.rows()
    assert all(after[key]["scraped_at"] > row["scraped_at"] for key, row in before.items())
    moved = ("scraped_at", "last_scrape_id")
    assert {k: {n: v for n, v in r.items() if n not in moved} for k, r in after.items()} == {
        k: {n: v for n, v in r.items() if n not in moved} for k, r in before.items()
    }


@pytest.mark.parametrize("apart", [1, 1100], ids=["in one page", "in two pages"])
def test_a_product_in_two_categories_is_merged_once_in_any_order(apify_brand: ApifyBrand, apart: int) -> None:
    between = [item(n) for n in range(1, apart)]
    two = [item(5000, category="woman-shoes"), item(5000, category="woman-bags")]
    apify_brand.set_items([two[0], *between, two[1]])
    first = apify_brand.collect()
    assert counts(first) == {"items": apart + 1, "new": apart, "repeated": 1}
    before = apify_brand.catalogue()
    assert before["5000"]["category"] == "woman-bags"
    apify_brand.set_items([two[1], *between, two[0]])
    assert counts(apify_brand.collect("second", force=True)) == {"items": apart + 1, "unchanged": apart, "repeated": 1}
    assert apify_brand.catalogue() == before
    apify_brand.set_items([{**two[0], "price": 1}, *between, {**two[1], "price": 1}])
    changed = {key: value for key, value in (("items", apart + 1), ("unchanged", apart - 1)) if value}
    assert counts(apify_brand.collect("third", force=True)) == {**changed, "changed": 1, "repeated": 1}
    assert apify_brand.catalogue()["5000"]["category"] == "woman-bags"


def test_a_scrape_with_too_few_products_marks_no_product_inactive(apify_brand: ApifyBrand) -> None:
    apify_brand.collect()
    apify_brand.set_items([item(n) for n in range(1, 14)])
    report = apify_brand.collect("second", force=True)
    assert "only 13 of 20 active products were seen: no product was marked inactive" in report.note
    assert (apify_brand.last_scrape()["state"], apify_brand.last_scrape()["reason"]) == ("partial", "too_few_products")
    assert all(row["active"] for row in apify_brand.rows().values())
    apify_brand.set_items([item(n) for n in range(1, 15)])
    assert apify_brand.collect("third", force=True).counts["vanished"] == 6


@pytest.mark.parametrize("spell", ["{}-V2026", "{}_v26", "00{}", " {}-V2027", "{}-I2026", "ZARA-{}", "{}.0"])
def test_products_whose_ids_are_spelt_anew_stay_the_same(apify_brand: ApifyBrand, spell: str) -> None:
    apify_brand.set_items([{**item(n), "id": f"{5000 + n}"} for n in range(1, 21)])
    apify_brand.collect()
    before = apify_brand.catalogue()
    apify_brand.set_items([{**item(n), "id": spell.format(5000 + n) if n % 2 else f"{5000 + n}"} for n in range(1, 21)])
    report = apify_brand.collect("second", force=True)
    assert set(apify_brand.catalogue()) == set(before)
    assert (report.counts["ids_respelt"], report.counts["new"], report.counts["vanished"]) == (10, 0, 0)
    assert "10 items spelt the product's id in another way" in report.note


def test_products_listed_under_both_spellings_are_two(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([{**item(1), "id": "5001"}])
    apify_brand.collect()
    apify_brand.set_items([{**item(1), "id": "5001"}, {**item(2), "id": "5001-V2026"}])
    assert apify_brand.collect("second", force=True).counts["ids_respelt"] == 0
    assert set(apify_brand.catalogue()) == {"5001", "5001-V2026"}


def test_a_rejected_item_with_a_readable_id_counts_as_seen(apify_brand: ApifyBrand) -> None:
    apify_brand.collect()
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    apify_brand.set_items([*(item(n) for n in range(1, 20)), item(20, deep=deep)])
    report = apify_brand.collect("second", force=True)
    assert counts(report) == {"items": 20, "unchanged": 19, "rejected": 1}
    assert report.examples == {"too_deep": ["20"]}
    assert apify_brand.rows()["20"]["active"]
    assert (apify_brand.last_scrape()["state"], apify_brand.last_scrape()["rejected"]) == ("complete", 1)


def test_one_malformed_item_does_not_lose_the_rest_of_its_page(apify_brand: ApifyBrand) -> None:
    too_deep_for_python = '{"id": 20, "x": ' + "[" * 5000 + "]" * 5000 + "}"
    endless = '{"id": 21, "price": ' + "9" * 5000 + ', "name": "N", "weight": 1e400, "n": NaN}'
    apify_brand.set_items([*(item(n) for n in range(1, 20)), too_deep_for_python, endless])
    report = apify_brand.collect()
    assert counts(report) == {"items": 21, "new": 20, "rejected": 1, "prices_not_understood": 1}
    assert apify_brand.rows()["21"]["raw_data"] == {
        "id": 21,
        "price": "9" * 5000,
        "name": "N",
        "weight": None,
        "n": None,
    }


def test_retry_failed_reads_rejected_items_again_without_apify(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stricter(raw: Any) -> CollectedProduct | RejectedItem:
        result = read_item(raw)
        if isinstance(result, CollectedProduct) and raw["id"] in (2, 3):
            return RejectedItem(result.external_id, "odd", "not yet", raw)
        return result

    with monkeypatch.context() as older:
        older.setattr("unde_catalog.stages.raw_products.apify_item.read_item", stricter)
        apify_brand.set_items([*(item(n) for n in range(1, 60)), {"id": None, "name": "SHIRT"}])
        assert apify_brand.collect().counts["rejected"] == 3
    requests_before = len(apify_brand.sandbox.log())
    report = apify_brand.collect("again", retry_failed=True)
    assert (report.counts["new"], report.done, report.given_up) == (2, 2, {"no_id": 1})
    assert "2 of 3 rejected items of the last scrape could be read now" in report.note
    assert len(apify_brand.sandbox.log()) == requests_before + 1  # the request for the log itself
    assert [row["reason"] for row in apify_brand.query("SELECT reason FROM rejected_items")] == ["no_id"]
    assert apify_brand.query("SELECT count(*) AS n FROM scraped_items") == [{"n": 0}]
    expected = apify_brand.catalogue()
    assert counts(apify_brand.collect("all", force=True)) == {"items": 60, "unchanged": 59, "rejected": 1}
    assert apify_brand.catalogue() == expected


def test_a_rejected_item_never_overwrites_a_newer_scrape(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    apify_brand.set_items([{"id": None, "name": "SHIRT"}, *(item(n) for n in range(1, 60))])
    apify_brand.collect()
    apify_brand.query("UPDATE rejected_items SET raw = %s", '{"id": 5, "name": "OLD"}')
    apify_brand.query("UPDATE raw_products SET last_scrape_id = last_scrape_id + 1 WHERE external_id = '5'")
    assert apify_brand.collect("again", retry_failed=True).counts["repeated"] == 1
    assert apify_brand.rows()["5"]["name"] == "SHIRT 5"


def test_a_product_of_another_writer_is_updated_without_conflict(apify_brand: ApifyBrand, db: Database) -> None:
    apify_brand.query(
        "INSERT INTO raw_products (source, external_id, brand, scraped_at) VALUES ('apify_zara', '4', 'zara', now())"
    )
    assert counts(apify_brand.collect()) == {"items": 20, "new": 19, "changed": 1}


def test_a_brand_without_a_task_is_reported_as_not_configured(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("APIFY_TASK_ZARA")
    monkeypatch.delenv("APIFY_TOKEN")
    report = apify_brand.collect()
    assert report.sentence().count("not configured: set APIFY_TOKEN, APIFY_TASK_ZARA") == 1
    assert (report.failed, caplog.records, apify_brand.sandbox.log("apify.start")) == (0, [], [])


@pytest.fixture(scope="module")
def empty(server: Server) -> Iterator[Database]:
    """A database whose changes are always rolled back."""
    url = server.new_database()
    with Database(url) as database:
        database.run(
            lambda cursor: cursor.execute(
                "INSERT INTO scrapes (brand, state, started_at) VALUES ('zara', 'running', now())"
            )
        )
        yield database
    server.drop(url)


@given(st.lists(odd_items(), min_size=20, max_size=60))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_postgresql_can_store_whatever_any_item_contains(empty: Database, raw: list[Any]) -> None:
    read = [read_item(one) for one in raw]
    good = [one for one in read if isinstance(one, CollectedProduct)]
    bad = [one for one in read if isinstance(one, RejectedItem)]
    with contextlib.suppress(psycopg.Rollback), empty.transaction() as cursor:
        ingest.stage(cursor, 1, enumerate(good))
        assert rejected_items.store(cursor, 1, "zara", list(enumerate(bad))) == len(bad)
        merged = ingest.merge(cursor, 1, "zara", "apify_zara", "off", [one.external_id for one in good])
        assert merged.new == len({one.external_id for one in good})
        raise psycopg.Rollback
